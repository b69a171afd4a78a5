"""Logs of ``grade-events`` for living rules: few values, crowded instants, all that can go wrong.

Of a student and course there are few events, so that nothing that a row has room for is forgotten.

* `logs`: any log: lateness within ``grace`` and beyond, duplicates, deletions, muted and unposted
  values, grading periods, two sections, two raw partitions, rule sets that come and go.
* `worlds`: two logs that differ in unposted and muted values alone.
* `delays`: one set of events in two orders of arrival, none later than ``grace``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from hypothesis import strategies as st

from streams.core.rules import Rules
from tests.living_rule_sets import rule_sets
from tests.oracle.living import Record
from tests.oracle.living_rules import grace
from tests.oracle.reading import event_id

Fields = dict[str, Any]

START: Final = "2026-02-02T00:00:00.000Z"
TOPIC: Final = "canvas-live-events"
RAW_PARTITIONS: Final = 2
TENANT: Final = "VicYj3cu5BIFpoZhDVU4DZumnlBrWi1grgJEzADs"
CURRENT: Final = ("current_score", "final_score")
UNPOSTED: Final = ("unposted_current_score", "unposted_final_score")
HOURS: Final = 3
"""Between two instants of the grid on which all times of a log lie."""

LAST: Final = 30
"""The last instant of the grid."""

values = st.sampled_from([50.0, None, 55.0, 60.1, 65.0, 70.0, 70.1, 75.0, 80.0, 85.5, 90.0])
instants = st.builds(
    lambda step, seconds: moment(step * HOURS * 3600 + seconds),
    st.integers(0, LAST),
    st.sampled_from([0, 0, 0, 0.001, 60]),
)


def moment(seconds: float) -> str:
    """Return the time so many seconds after ``START``."""
    time = datetime.fromisoformat(START).replace(tzinfo=None) + timedelta(seconds=seconds)
    return f"{time.isoformat(timespec='milliseconds')}Z"


def canonical(rules: Fields) -> Fields:
    """Return a set as it stands in the log."""
    return dict(json.loads(Rules.model_validate(rules).canonical()))


def rules_record(rules: Fields, at: str = START) -> Fields:
    """Return the control record that puts a set in force."""
    digest = Rules.model_validate(rules).hash
    kept = canonical(rules)
    return {"type": "control", "kind": "rules", "at": at, "rules": kept, "rules_hash": digest}


def watermark(at: str, partition: int = 0, partitions: int = 1, topic: str = TOPIC) -> Fields:
    """Return the control record that says how far a raw partition has come."""
    told = {"at": at, "topic": topic, "partition": partition, "partitions": partitions}
    return {"type": "control", "kind": "watermark"} | told


def identified(event: Fields) -> Fields:
    """Return an event without its nulls, with the ids that its content gives."""
    event = {key: value for key, value in event.items() if value is not None and key != "posted_id"}
    event["event_id"] = event_id(event)
    if event["type"] == "course_grade_change":
        posted = {key: event[key] for key in event if "unposted" not in key and key != "event_id"}
        event["posted_id"] = blake2b(event_id(posted).encode(), digest_size=8).hexdigest()
    return event


def encode(value: Fields) -> bytes:
    """Return a record's value as ``grade-events`` holds it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def numbered(values: list[Fields]) -> list[Record]:
    """Return values as records of one partition, offsets from 0."""
    return [
        Record(offset, "" if value["type"] == "control" else key_of(value), value)
        for offset, value in enumerate(values)
    ]


def key_of(event: Fields) -> str:
    """Return the key of an event's record."""
    return f"{event['tenant']}:{event['student_id']}"


@dataclass(frozen=True)
class Crowd:
    """Whom a log is about."""

    students: tuple[str, ...] = ("48", "48", "49")
    courses: tuple[str, ...] = ("565", "565", "7")


ONE_ROW: Final = Crowd(("48",), ("565",))
"""All about one student and course: more than a row may remember, so no more than 16 events."""


def _who(crowd: Crowd) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "tenant": st.just(TENANT),
        "student_id": st.sampled_from(crowd.students),
        "course_id": st.sampled_from(crowd.courses),
        "event_time": instants,
        "account_id": st.sampled_from(["79", "79", "80", None]),
    }


def events(crowd: Crowd | None = None) -> st.SearchStrategy[Fields]:
    """Return canonical events of all three types."""
    who = _who(crowd or Crowd())
    versions = st.sampled_from([None, moment(0), moment(1)])
    changes = st.fixed_dictionaries(
        {
            "type": st.just("course_grade_change"),
            **who,
            "updated_at": versions,
            "workflow_state": st.sampled_from([None] * 12 + ["deleted"]),
            "old_current_score": values,
            "current_score": values,
            "old_final_score": values,
            "final_score": values,
            **{f"{old}{name}": values for name in UNPOSTED for old in ("old_", "")},
        }
    )
    grades = st.fixed_dictionaries(
        {
            "type": st.just("grade_change"),
            **who,
            "submission_id": st.just("9"),
            "assignment_id": st.sampled_from(["1", "2"]),
            "old_score": st.sampled_from([None, 2.0, 4.0, 5.0]),
            "score": st.sampled_from([None, 1.0, 2.0, 4.0, 5.0]),
            "old_points_possible": st.sampled_from([None, 0.0, 5.0, 5.0, 8.0]),
            "points_possible": st.sampled_from([None, 0.0, 5.0, 5.0, 8.0]),
            "grader_id": st.sampled_from([None, "987"]),
            "muted": st.booleans(),
        }
    )
    overrides = st.fixed_dictionaries(
        {
            "type": st.just("grade_override"),
            **who,
            "updated_at": versions,
            "enrollment_id": st.sampled_from([None, "44", "44", "45"]),
            "grading_period_id": st.sampled_from([None, None, "3"]),
            "old_override_score": values,
            "override_score": values,
            "grader_id": st.sampled_from([None, "987"]),
        }
    )
    return st.one_of(changes, changes, changes, grades, overrides, overrides).map(identified)


@st.composite
def told_events(draw: st.DrawFn, crowd: Crowd, max_events: int) -> list[Fields]:
    """Return events, most of them beginning where the one before it ended.

    Of the scores some are graded first and posted later, as teachers do.
    """
    told = draw(st.lists(events(crowd), min_size=6, max_size=max_events))
    told.sort(key=lambda event: event["event_time"])
    known: dict[tuple[str, ...], Fields] = {}
    for place, event in enumerate(told):
        item = event.get("assignment_id"), event.get("grading_period_id")
        fact = event["type"], event["student_id"], event["course_id"], *map(str, item)
        how = draw(st.sampled_from(["alone", "all", "all", "graded", "posted"]))
        told[place] = known[fact] = _after(known.get(fact, {}), event, how)
    return told


def _after(before: Fields, event: Fields, how: str) -> Fields:
    """Return an event as it would follow another of the same fact."""
    if how == "alone" or not before:
        return event
    event = dict(event)
    for name in [*CURRENT, *UNPOSTED, "override_score", "score", "points_possible"]:
        if how == "posted" and name in CURRENT:
            event[name] = before.get(f"unposted_{name}")
        elif (how == "graded" and name in CURRENT) or (how == "posted" and name in UNPOSTED):
            event[name] = before.get(name)
        event[f"old_{name}"] = before.get(name)
    return identified(event)


# Logs


@st.composite
def logs(
    draw: st.DrawFn,
    crowd: Crowd | None = None,
    *,
    max_events: int = 26,
    switches: bool = True,
    single_shots: bool = False,
) -> list[Record]:
    """Return a log: a rules record first, a last watermark beyond everything.

    Args:
        draw: Hypothesis's own.
        crowd: Whom it is about.
        max_events: At most, repeats apart.
        switches: Whether other rule sets may come.
        single_shots: Whether there are rules that do not live.
    """
    told = draw(told_events(crowd or Crowd(), max_events))
    again = draw(st.lists(st.sampled_from(told), max_size=4))
    arrivals = [(draw(_arrival(one["event_time"])), one) for one in told]
    arrivals += [(draw(instants), draw(_again(one))) for one in again]
    partition = st.integers(0, RAW_PARTITIONS - 1)
    for at in draw(st.lists(instants, max_size=8)):
        mark = watermark(at, draw(partition), RAW_PARTITIONS)
        arrivals.append((draw(_arrival(at)), mark))
    some = rule_sets(single_shots=single_shots)
    first = draw(some)
    sets = draw(st.lists(st.one_of(some, st.just(first)), max_size=2 if switches else 0))
    arrivals += [(at, rules_record(one, at)) for one in sets for at in [draw(instants)]]
    arrivals.sort(key=lambda one: one[0])
    return numbered([rules_record(first), *(one for _, one in arrivals), *_last_watermarks()])


@st.composite
def worlds(draw: st.DrawFn, crowd: Crowd | None = None) -> tuple[list[Record], list[Record]]:
    """Return two logs that differ in unposted and muted values alone."""
    log = draw(logs(crowd))
    other = [record._replace(value=draw(_elsewhere(record.value))) for record in log]
    return log, other


@st.composite
def delays(draw: st.DrawFn, crowd: Crowd | None = None) -> tuple[list[Record], list[Record]]:
    """Return the same events and watermarks twice, each event before it would be too late."""
    told = draw(told_events(crowd or Crowd(), 26))
    rules = draw(rule_sets())
    late = grace(canonical(rules))
    marks = sorted(draw(st.lists(instants, max_size=6)))

    def an_order() -> list[Record]:
        slots: list[list[Fields]] = [[] for _ in [*marks, ""]]
        for event in draw(st.permutations(told)):
            at = datetime.fromisoformat(event["event_time"])
            last = sum(datetime.fromisoformat(mark) - late <= at for mark in marks)
            slots[draw(st.integers(0, last))].append(event)
        values = [rules_record(rules)]
        for slot, mark in zip(slots, [*marks, moment(2e6)], strict=True):
            values += [*slot, watermark(mark)]
        return numbered(values)

    return an_order(), an_order()


def _arrival(at: str) -> st.SearchStrategy[str]:
    """Return when something arrives, on the scale of event times: mostly at once."""
    lags = st.sampled_from([0, 0, 0, 0, 300, 3 * 3600, 12 * 3600, 86_400])
    origin = datetime.fromisoformat(START)
    return lags.map(lambda lag: moment((datetime.fromisoformat(at) - origin).total_seconds() + lag))


@st.composite
def _again(draw: st.DrawFn, event: Fields) -> Fields:
    """Return an event once more; sometimes only what is posted of it is the same."""
    return draw(_elsewhere(event)) if draw(st.booleans()) else event


@st.composite
def _elsewhere(draw: st.DrawFn, value: Fields) -> Fields:
    """Return a record as it would be if other things were graded that nobody sees yet."""
    if value["type"] == "course_grade_change":
        hidden = st.fixed_dictionaries(
            {f"{old}{name}": values for name in UNPOSTED for old in ("old_", "")}
        )
    elif value["type"] == "grade_change" and value.get("muted"):
        points = st.sampled_from([None, 1.0, 4.0, 5.0])
        names = ("score", "old_score", "points_possible", "old_points_possible")
        hidden = st.fixed_dictionaries(dict.fromkeys(names, points))
    else:
        return value
    return identified(value | draw(hidden))


def _last_watermarks() -> list[Fields]:
    return [watermark(moment(2e6), each, RAW_PARTITIONS) for each in range(RAW_PARTITIONS)]
