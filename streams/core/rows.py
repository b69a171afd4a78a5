"""What is held of one student in one course, and how it is written.

``scores.apply`` alone makes rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw, Struct, structs

from streams.core.events import Instant, Percent, Points
from streams.core.history import Seen
from streams.core.instants import milliseconds
from streams.core.packed import pack, unpack
from streams.core.tracks import Track

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_CHANGES: Final = Raw(b"\x90")
"""An empty list in MessagePack."""


class UnreadableError(Exception):
    """A row's value is none of ours. It stays as it is; events about it are refused."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("a row that this version of gradewatch did not write")


class Position(Struct, frozen=True, array_like=True, gc=False):
    """Where on ``grade-events`` a record stands. A topic made anew has another id, from 0 again."""

    topic_id: str
    offset: int


class Settled(Struct, frozen=True, array_like=True, gc=False):
    """Up to where living rules have seen each kind of event: its ``newness``."""

    changes: str = ""
    muted_changes: str = ""
    scores: str = ""
    overrides: str = ""


class Scores(Struct, frozen=True, array_like=True, gc=False):
    """One statement of a student's course scores. Percent; None is unknown."""

    event_time: Instant
    updated_at: Instant | None
    event_id: str
    workflow_state: str
    new: tuple[Percent | None, Percent | None, Percent | None, Percent | None]
    old: tuple[Percent | None, Percent | None, Percent | None, Percent | None]
    posted_id: str  # the same for statements that differ in unposted scores alone
    account_id: str | None
    offset: int  # on grade-events


class Override(Struct, frozen=True, array_like=True, gc=False):
    """One statement of an override. Percent; ``new`` None: removed."""

    event_time: Instant
    updated_at: Instant | None
    event_id: str
    enrollment_id: str | None
    new: Percent | None
    old: Percent | None
    period: str | None
    grader_id: str | None
    account_id: str | None
    offset: int


class Change(Struct, frozen=True, array_like=True, gc=False):
    """One statement of an assignment's grade: (score, points possible), in points."""

    event_time: Instant
    event_id: str
    assignment_id: str | None
    new: tuple[Points | None, Points | None]
    old: tuple[Points | None, Points | None]
    muted: bool | None
    grader_id: str | None
    offset: int
    updated_at: None = None  # Canvas sends none with grade_change


class Row(Struct, frozen=True, omit_defaults=True, gc=False):
    """All we know of one student in one course. Made by ``apply`` and ``life`` only."""

    applied: Position
    account_id: str | None = None
    scores: tuple[Scores, ...] = ()  # the one that holds first; more only on a tie
    override: tuple[Override, ...] = ()
    period_overrides: dict[str, tuple[Override, ...]] = {}  # by grading_period_id
    changes: Raw = NO_CHANGES  # grade changes that students see: few events ask for them
    muted_changes: Raw = NO_CHANGES  # apart: they must not move what students may see
    seen_scores: Seen = Seen()
    seen_overrides: Seen = Seen()
    forgotten_change: Instant = ""  # event_time of the newest grade change let go
    forgotten_muted_change: Instant = ""
    waiting_scores: tuple[Scores, ...] = ()  # not settled yet
    waiting_overrides: tuple[Override, ...] = ()
    waiting_changes: tuple[Change, ...] = ()
    settled: Settled = Settled()
    posted: Track = Track()  # what living rules of posted facts know
    staff: Track = Track()  # what living rules of unposted facts know
    wake: int = 0  # when living rules have to look at it, milliseconds since 1970; 0: never

    @property
    def known(self) -> bool:
        """Whether it is a row to the world: a grade_change alone makes none."""
        return bool(self.scores or self.override or self.period_overrides)

    @property
    def posted_grade_changes(self) -> tuple[Change, ...]:
        """The latest grade changes that are not muted, newest last, one per assignment.

        Raises:
            UnreadableError: Another producer wrote them.
        """
        return _read(self.changes)

    @property
    def muted_grade_changes(self) -> tuple[Change, ...]:
        """The latest muted grade changes, newest last, one per assignment.

        Raises:
            UnreadableError: Another producer wrote them.
        """
        return _read(self.muted_changes)

    @property
    def grade_changes(self) -> tuple[Change, ...]:
        """All of both, newest last.

        Raises:
            UnreadableError: Another producer wrote them.
        """
        if self.muted_changes == NO_CHANGES:
            return self.posted_grade_changes
        both = (*self.posted_grade_changes, *self.muted_grade_changes)
        return tuple(sorted(both, key=lambda change: (change.event_time, change.event_id)))

    @property
    def newest(self) -> int:
        """When the newest event is that waits to be settled; milliseconds since 1970; 0: none."""
        times = [one.event_time for one in self.waiting_scores]
        times += [one.event_time for one in self.waiting_overrides]
        times += [one.event_time for one in self.waiting_changes]
        return milliseconds(max(times)) if times else 0

    @property
    def deleted(self) -> bool:
        """Whether Canvas withdrew the scores; revived only by a newer active event."""
        return bool(self.scores) and self.scores[0].workflow_state == "deleted"

    @property
    def current_score(self) -> Percent | None:
        """Graded and posted work only."""
        return self.scores[0].new[0] if self.scores else None

    @property
    def final_score(self) -> Percent | None:
        """Ungraded work counts 0."""
        return self.scores[0].new[1] if self.scores else None

    @property
    def known_final(self) -> Percent | None:
        """``final_score``, once something is graded: before that Canvas says 0.0."""
        return None if self.current_score is None else self.final_score

    @property
    def override_score(self) -> Percent | None:
        """The override of the whole course, where one is set."""
        return self.override[0].new if self.override else None

    @property
    def effective_final_score(self) -> Percent | None:
        """What the student finally gets: the override, else the final score (Canvas's rule)."""
        return self.final_score if self.override_score is None else self.override_score


_OBJECTS: Final = tuple(
    (field.name, field.default)
    for field in structs.fields(Row)
    if isinstance(field.default, Struct | Raw)
)
"""Fields of a row whose default is an object, and that object."""

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Row)
_changes: Final = msgspec.msgpack.Decoder(tuple[Change, ...])


def _read(changes: Raw) -> tuple[Change, ...]:
    try:
        return _changes.decode(changes)
    except msgspec.MsgspecError as error:
        raise UnreadableError from error


def written(changes: Iterable[Change]) -> Raw:
    """Return what a row keeps of grade changes, oldest first."""
    return Raw(_encoder.encode(tuple(changes)))


def encode_row(row: Row) -> bytes:
    """Return the row's value on ``grade-scores-changelog``; equal rows give equal bytes."""
    for name, default in _OBJECTS:
        value = getattr(row, name)
        if value is not default and value == default:  # msgspec leaves it out by identity alone
            row = structs.replace(row, **{name: default})
    return pack(_encoder.encode(row), row.wake, row.newest)


def decode_row(value: bytes) -> Row:
    """Return the row that ``encode_row`` wrote.

    Raises:
        UnreadableError: Another version of gradewatch wrote it, or another producer.
    """
    try:
        return _decoder.decode(unpack(value))
    except (ValueError, msgspec.MsgspecError) as error:
        raise UnreadableError from error
