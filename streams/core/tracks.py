"""What living rules know of a student's course: the settled past, and the alerts under way.

A row has two tracks: of posted facts, and of unposted ones. The first is fed with nothing that
students do not see, and never looks at the second: whatever comes of it may be shown to them.
"""

from __future__ import annotations

import struct
from datetime import date
from functools import lru_cache
from typing import Final

from msgspec import Struct

from streams.core.events import Instant, Percent

KEPT_CLOSINGS: Final = 32
"""Days with a score whose last one a track keeps: eight weeks of four events each."""

_CLOSING: Final = struct.Struct(">HI")  # days since 2000, and ten-thousandths of a percent
_ORIGIN: Final = date(2000, 1, 1).toordinal()
_UNIT: Final = 10_000
_LEAST: Final = 1 << 31  # a score may be below 0
_MOST: Final = (1 << 32) - 1
_SIZE: Final = _CLOSING.size
_KEPT: Final = KEPT_CLOSINGS * _SIZE

PENDING, FIRING, RECOVERING, QUIET = "pending", "firing", "recovering", "quiet"
"""Where an episode stands; ``quiet`` is over, and nothing opens before its cooldown is."""


class Cause(Struct, frozen=True, array_like=True, gc=False):
    """A record of ``grade-events`` that an alert rests on."""

    offset: int
    event: str
    event_time: Instant
    event_id: str
    posted_id: str


class LikelyCause(Struct, frozen=True, array_like=True, gc=False):
    """A grade change that may have moved a score. Points."""

    cause: Cause
    assignment_id: str | None
    score: float | None
    old_score: float | None
    points_possible: float | None
    old_points_possible: float | None
    muted: bool | None


class Episode(Struct, frozen=True, omit_defaults=True, gc=False):
    """One alert of a living rule, from the event that it began with until it is over.

    Percent and percentage points.
    """

    state: str
    kind: str  # of the rule, as it was when it began
    since: Instant  # event_time of the event that it began with
    began: Cause
    before: Percent | None = None  # what it is measured from
    now: Percent | None = None  # what holds now of a grading period or an assignment
    subject: str | None = None  # grading_period_id or assignment_id
    until: Instant = ""  # when this state ends: pending, recovering, quiet
    opened_at: Instant = ""
    expires_at: Instant = ""
    seq: int = 0
    severity: str = ""  # told last
    size: Percent | None = None  # told last
    is_posted: bool = False  # of an unposted fall: staff were told that it is posted now
    old: Percent | None = None  # what the event said was before
    new: Percent | None = None
    known: Percent | None = None  # score, or final score, known before it
    history: int = 0  # score events before it
    basis: tuple[Percent, ...] = ()  # the scores of a slide's window
    likely: tuple[LikelyCause, ...] = ()

    @property
    def due(self) -> Instant:
        """When its next timer is due; empty for none."""
        if self.state == QUIET:
            return ""
        if self.until and self.expires_at:
            return min(self.until, self.expires_at)
        return self.until or self.expires_at


class HeldOverride(Struct, frozen=True, array_like=True, gc=False):
    """An override that is known. Percent; None: removed."""

    score: Percent | None
    at: Instant
    enrollment_id: str | None


class Track(Struct, frozen=True, omit_defaults=True, gc=False):
    """One view of a student's course, as far as it is settled. Percent."""

    history: int = 0  # settled score events
    current: Percent | None = None
    final: Percent | None = None
    deleted: bool = False
    account_id: str | None = None  # of the newest event that named one
    closings: bytes = b""
    gaps: int = 0
    gap_at: Instant = ""  # of the latest
    overrides: dict[str, HeldOverride] = {}  # by grading period; under "" the course's
    episodes: dict[str, Episode] = {}  # by rule id, or rule id and subject
    linked: tuple[str, ...] = ()  # posted episodes that staff know from an unposted one
    told: dict[str, Episode] = {}  # the last unposted fall told at once, by its rule

    @property
    def override(self) -> Percent | None:
        """The override of the whole course, where one is set."""
        held = self.overrides.get("")
        return None if held is None else held.score

    @property
    def known_final(self) -> Percent | None:
        """``final_score``, once something is graded: before that Canvas says 0.0."""
        return None if self.current is None else self.final


def with_closing(closings: bytes, at: Instant, score: Percent) -> bytes:
    """Return the closings with a score that is its day's last so far.

    Args:
        closings: As returned before; empty: none.
        at: When; not before any that is kept.
        score: Percent; kept to a ten-thousandth.

    Example:
        >>> kept = with_closing(b"", "2026-02-03T10:00:00.000Z", 84.25)
        >>> kept = with_closing(kept, "2026-02-03T11:00:00.000Z", 71.5)
        >>> window(kept, "2026-02-04T00:00:00.000Z", 14)
        (71.5,)
    """
    # Clamped before it is rounded: a row of an earlier build may hold 1e308.
    packed = round(min(max(score * _UNIT, -_LEAST), _MOST - _LEAST)) + _LEAST
    closing = _CLOSING.pack(_day(at[:10]), packed)
    if closings[-_SIZE:-4] == closing[:2]:
        return closings[:-_SIZE] + closing
    return (closings + closing)[-_KEPT:]


def window(closings: bytes, at: Instant, days: int) -> tuple[Percent, ...]:
    """Return the scores of a window: the one it began with, then each day's last, oldest first.

    Args:
        closings: As ``with_closing`` returned them.
        at: The end of the window; days after it are left out.
        days: How many days before that day it begins.
    """
    last = _day(at[:10])
    first = last - days
    told = [(day, (packed - _LEAST) / _UNIT) for day, packed in _CLOSING.iter_unpack(closings)]
    before = [score for day, score in told if day < first]
    return (*before[-1:], *(score for day, score in told if first <= day <= last))


def closings_of(closings: bytes) -> list[tuple[str, Percent]]:
    """Return the days of closings with their last scores, oldest first.

    Example:
        >>> closings_of(with_closing(b"", "2026-02-03T10:00:00.000Z", 84.25))
        [('2026-02-03', 84.25)]
    """
    return [
        (date.fromordinal(_ORIGIN + day).isoformat(), (packed - _LEAST) / _UNIT)
        for day, packed in _CLOSING.iter_unpack(closings)
    ]


def peak(closings: bytes) -> Percent:
    """Return the highest of all closings; there must be one."""
    highest: int = max(_scores_of(len(closings) // _SIZE).unpack(closings))
    return (highest - _LEAST) / _UNIT


@lru_cache(maxsize=KEPT_CLOSINGS + 1)
def _scores_of(closings: int) -> struct.Struct:
    """Return what unpacks the scores of so many closings, and passes over their days."""
    return struct.Struct(">" + "2xI" * closings)


@lru_cache(maxsize=1024)
def _day(text: str) -> int:
    return min(max(date.fromisoformat(text).toordinal() - _ORIGIN, 0), (1 << 16) - 1)
