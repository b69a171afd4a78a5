"""One record's journey: raw bytes → event → row → alerts. Each stage gives a record one Fate."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from streams.core import events, scores
from streams.core.alerts import Alert
from streams.core.canvas import Refusal
from streams.core.events import Control, GradeEvent, Reason
from streams.core.history import Standing
from streams.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.core.alerts import Judge
    from streams.core.intake import Reader
    from streams.core.rows import Position, Source


class Fate(StrEnum):
    """What became of a record, the first that applies. Return value, metric label, page's word."""

    # intake
    REFUSED = "refused"
    IGNORED = "ignored"  # a live event that is none of the three
    PASSED = "passed"
    # scoring (and refused)
    CONTROL = "control"
    DUPLICATE = "duplicate"
    ALERTED = "alerted"
    LATE = "late"  # a newer event of its fact was there before
    KEPT = "kept"


INTAKE_FATES: Final = (Fate.REFUSED, Fate.IGNORED, Fate.PASSED)
SCORING_FATES: Final = (
    Fate.CONTROL, Fate.REFUSED, Fate.DUPLICATE, Fate.ALERTED, Fate.LATE, Fate.KEPT,
)  # fmt: skip


class Passed(Struct, frozen=True, gc=False):
    """A record for ``grade-events``: the student's key, and the canonical event's bytes."""

    key: bytes
    value: bytes


class Outcome(Struct, frozen=True, gc=False):
    """What scoring made of one record of ``grade-events``.

    Attributes:
        fate: Exactly one.
        event: The grade event it held; None for control and refused records.
        row: The row to keep under the event's student and course; None where nothing changed.
        alerts: To be written to ``grade-alerts``.
        refusal: Why it was refused.
        no_baseline: An override could not be judged, for want of a score to measure it against.
    """

    fate: Fate
    event: GradeEvent | None = None
    row: Row | None = None
    alerts: tuple[Alert, ...] = ()
    refusal: Refusal | None = None
    no_baseline: bool = False


def take_in(reader: Reader, value: bytes | None, timestamp: int) -> Passed | Refusal | None:
    """Return what intake writes for one raw record. Never raises for a bad record.

    Args:
        reader: Knows the tenants.
        value: The raw record's value.
        timestamp: Its Kafka timestamp, milliseconds since 1970; below 0: none.

    Returns:
        The canonical record (``Fate.PASSED``), a refusal (``REFUSED``), or None (``IGNORED``).

    Example:
        >>> from streams.core.intake import Reader
        >>> take_in(Reader(), None, 0).reason.value
        'empty'
    """
    event = reader.read(value, timestamp)
    if event is None or isinstance(event, Refusal):
        return event
    return Passed(events.student_key(event.tenant, event.student_id), events.encode(event))


def score(
    judge: Judge,
    row_of: Callable[[GradeEvent], Row | None],
    value: bytes | None,
    at: Position,
    source: Source,
) -> Outcome:
    """Return what scoring keeps and writes for one record of ``grade-events``.

    Args:
        judge: The rules in force.
        row_of: Looks up the row of an event's tenant, student and course.
        value: The record's value.
        at: The record's own coordinates.
        source: The raw record's coordinates, which intake passed on.

    Returns:
        Fate, row and alerts. A record that is not ours is refused, never raised.

    Example:
        >>> from streams.core.rows import Position, Source
        >>> here, there = Position("topic-id", 0), Source("canvas-live-events", 0, 0)
        >>> score(None, lambda event: None, b'{"type":"control","kind":"watermark"}', here, there)
        Outcome(fate=<Fate.CONTROL: 'control'>, event=None, row=None, alerts=(), refusal=None, no_baseline=False)
    """  # noqa: E501 - the outcome is one line
    if not value:
        return Outcome(Fate.REFUSED, refusal=Refusal(Reason.EMPTY, "no value"))
    try:
        event = events.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refusal = Refusal(Reason.INTERNAL, "not a record that intake writes")
        return Outcome(Fate.REFUSED, refusal=refusal)
    if isinstance(event, Control):
        return Outcome(Fate.CONTROL)
    before = row_of(event)
    applied = scores.apply(before, event, at, source)
    judgement = judge.judge(before, event, applied, source)
    return Outcome(
        _fate(applied.standing, alerted=bool(judgement.alerts)),
        event,
        None if applied.row is before else applied.row,
        judgement.alerts,
        no_baseline=judgement.no_baseline,
    )


def _fate(standing: Standing, *, alerted: bool) -> Fate:
    if standing is Standing.REPEATED:
        return Fate.DUPLICATE
    if alerted:
        return Fate.ALERTED
    return Fate.LATE if standing is Standing.LATE else Fate.KEPT
