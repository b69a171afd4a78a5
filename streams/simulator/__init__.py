"""Simulated Canvas traffic: a semester of grade events, as a topic of Canvas live events holds it.

``school`` is who and what there is, ``term`` what happens, ``wire`` how Canvas says it, ``broken``
what else arrives; here it becomes records: late, repeated, out of order, some of them bad. Nothing
reads a clock: seed, count and end decide every byte.
"""

from __future__ import annotations

import heapq
from datetime import timedelta
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from streams.simulator import wire
from streams.simulator.broken import REASONS, spoil
from streams.simulator.school import HOST, enrol
from streams.simulator.term import Term, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["RawRecord", "semester"]

_EVENTS_A_STUDENT: Final = 66
"""20,000 events make about 300 students."""

_CLASS: Final = 30
_COURSES_A_STUDENT: Final = 5
_RECORDS_A_MARK: Final = 2.4  # the grade, the course scores, and for some the posting

_BAD: Final = 0.015
_OTHER: Final = 0.03
_REPEATED: Final = 0.01
_LATE: Final = 0.01
_REORDERED: Final = 0.02
_ATTRIBUTES: Final = 0.05
_COMPACT: Final = 0.02

_OTHER_EVENTS: Final = (
    "submission_updated", "submission_created", "asset_accessed", "logged_in",
    "final_grade_custom_status", "heartbeat",
)  # fmt: skip

_encode: Final = msgspec.json.Encoder().encode

_Sent = tuple[int, int, bytes | None, bytes | None]
"""Event time, delay (both milliseconds), value, key."""


class RawRecord(NamedTuple):
    """One record of the raw topic.

    Attributes:
        value: What Canvas sent; None is a tombstone.
        key: A random number or nothing, as Canvas's Kafka clients do: it says nothing.
        timestamp_ms: When it was sent, milliseconds since 1970.
    """

    value: bytes | None
    key: bytes | None
    timestamp_ms: int


def semester(
    seed: int,
    events: int,
    end: datetime,
    *,
    students: int | None = None,
    courses: int | None = None,
) -> Iterator[RawRecord]:
    """Yield a semester's records in the order they reach the topic.

    About 45 % are ``grade_change`` and as many ``course_grade_change``, 3 % other events, 1.5 % bad
    records of every refusal reason; the last 4 % of the term are overrides only. 1 % come twice,
    1 % are late by minutes to two days, 2 % by seconds.

    Args:
        seed: The same seed, count and end give the same bytes.
        events: How many records, bad ones and repeats included.
        end: When the semester ends, with a time zone; no record is later.
        students: How many; unset: one for 66 events.
        courses: How many; unset: enough for classes of about 30, five courses a student.

    Returns:
        Exactly ``events`` records, timestamps rising.
    """
    rng = Random(seed)  # noqa: S311 - reproducible, not secret
    last = int(end.timestamp()) * 1000
    students = students or max(12, events // _EVENTS_A_STUDENT)
    courses = courses or max(3, students * _COURSES_A_STUDENT // _CLASS)
    seats = students * min(courses, _COURSES_A_STUDENT)
    assignments = max(2, min(40, round(events / seats * 0.8 / _RECORDS_A_MARK)))
    school = enrol(rng, students, courses, assignments, wire.second(wire.instant(start(last))))
    term = Term(rng, school, events, last)
    return _arriving(term, events, _sent(rng, term, last), last)


def _arriving(term: Term, events: int, sent: Iterator[_Sent], last: int) -> Iterator[RawRecord]:
    """Put records into the order of their arrival; ``sent`` is in the order of event times."""
    waiting: list[tuple[int, int, RawRecord]] = []
    for number, (at, delay, value, key) in enumerate(islice(sent, events), 1):
        term.made = number
        arrival = min(at + delay, last)
        heapq.heappush(waiting, (arrival, number, RawRecord(value, key, arrival)))
        while waiting[0][0] <= at:  # whatever is sent from now on arrives later
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _sent(rng: Random, term: Term, last: int) -> Iterator[_Sent]:
    """Yield all that is sent, in the order of event times."""
    for at, metadata, body in term.events():
        # Data Services says metadata, the Kafka client of self-hosted Canvas attributes
        outer = "attributes" if rng.random() < _ATTRIBUTES else "metadata"
        told = _compact(body) if rng.random() < _COMPACT else body
        value = _encode({outer: metadata, "body": told})
        yield at, _delay(rng), value, _key(rng)
        if rng.random() < _REPEATED:
            yield at, rng.randrange(1_000, 3_600_000), value, _key(rng)
        roll = rng.random()
        if roll < _BAD:
            bad = spoil(rng, rng.choice(REASONS), metadata, body, last)
            yield at, 60, bad, b"0" if bad is None else _key(rng)  # a tombstone is a key's
        elif roll < _BAD + _OTHER:
            yield at, 60, _encode(_other(rng, metadata)), _key(rng)


def _compact(body: wire.Fields) -> wire.Fields:
    """Return a body as Canvas sends it where ``compact_live_events`` is on: nothing null."""
    return {name: value for name, value in body.items() if value is not None}


def _delay(rng: Random) -> int:
    roll = rng.random()
    if roll < _LATE:
        return int(timedelta(minutes=2 * 1440 ** rng.random()) / timedelta(milliseconds=1))
    if roll < _LATE + _REORDERED:
        return 5_000 + int(roll * 2_000_000)
    return 50 + int(roll * 1_000)


def _key(rng: Random) -> bytes | None:
    roll = rng.random()
    return b"%d" % (roll * 2000) if roll < 0.5 else None


def _other(rng: Random, metadata: wire.Fields) -> wire.Fields:
    name = rng.choice(_OTHER_EVENTS)
    body = {"url": f"https://{HOST}/", "category": "course", "asset_type": "attachment"}
    return {"metadata": {**metadata, "event_name": name}, "body": body}
