"""Order and repetition: which of several versions of one fact holds, and what was seen before.

Canvas delivers best-effort, repeated and unordered. A *fact* is one thing that events restate: a
student's course scores, an override, one assignment's grade. The newest statement holds, by
(``event_time``, ``updated_at``); whatever order the statements arrive in, the same one holds.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.events import Instant

KEPT_TIES: Final = 4
"""Statements of one instant kept per fact. Canvas has millisecond times: more is a forgery."""

KEPT_EVENTS: Final = 8
"""Recent events remembered per row and kind; one older than all of them is no longer judged."""


class Standing(Enum):
    """Where an event stands among those already applied."""

    NEWER = auto()  # it now holds
    LATE = auto()  # a newer one holds
    REPEATED = auto()  # it was applied before


class Statement(Protocol):
    """One version of a fact."""

    @property
    def event_id(self) -> str: ...  # noqa: D102 - the event's digest
    @property
    def event_time(self) -> Instant: ...  # noqa: D102
    @property
    def updated_at(self) -> Instant | None: ...  # noqa: D102
    @property
    def old(self) -> object: ...  # noqa: D102 - the values before, as the event says
    @property
    def new(self) -> object: ...  # noqa: D102 - the values it states


S = TypeVar("S", bound=Statement)


def settle(held: Sequence[S], stated: S) -> tuple[Sequence[S], Standing]:
    """Return the statements to hold, the one that counts first, and where ``stated`` stands.

    Only statements of the newest instant are held: one, save for ties.

    Args:
        held: What ``settle`` returned before; empty where the fact is unknown.
        stated: The statement of the event at hand.

    Returns:
        The new ``held`` (the same object unless it changed), and the standing of ``stated``.
    """
    if not held:
        return (stated,), Standing.NEWER
    when = (stated.event_time, stated.updated_at or "")
    then = (held[0].event_time, held[0].updated_at or "")
    if when > then:
        return (stated,), Standing.NEWER
    if any(other.event_id == stated.event_id for other in held):
        return held, Standing.REPEATED
    if when < then:
        return held, Standing.LATE
    tied = ordered([*held, stated])[:KEPT_TIES]
    if stated not in tied:
        return held, Standing.LATE
    return tied, Standing.NEWER if tied[0] is stated else Standing.LATE


def ordered(tied: list[S]) -> list[S]:
    """Return statements of one instant, the one that holds first.

    Of two, the one whose old value is the other's new value is the newer; else the larger digest.
    Of more, those that nobody follows come first. A function of the set alone, so that the order
    of arrival cannot matter.
    """

    def followed(one: S) -> bool:
        return any(other is not one and other.old == one.new for other in tied)

    return sorted(tied, key=lambda one: (followed(one), tuple(-ord(c) for c in one.event_id)))


class Seen(Struct, array_like=True, frozen=True, gc=False):
    """Which recent events were judged: the same event twice is never judged twice.

    Two events that differ only in what students do not see are two to staff, and one to students:
    the memory of the latter is not moved by what only the former see.

    Attributes:
        recent: A mark of 17 bytes for each of the latest events, oldest first, end to end:
            time, and the beginnings of its posted and its whole digest. As text they were half
            of a row. ``KEPT_EVENTS`` of different time or posted digest at most.
        horizon: The time of the newest event that was let go; empty while none was.
    """

    recent: bytes = b""
    horizon: bytes = b""

    def with_event(
        self, event_time: Instant, posted_id: str, event_id: str
    ) -> tuple[Standing, Standing, Seen]:
        """Return whether an event may be judged, and the memory with it.

        Returns:
            For staff, and for posted facts alone: ``REPEATED`` where it was judged before,
            ``LATE`` where that can no longer be known (it is not newer than the horizon: not
            judged), ``NEWER`` where it was not. Then the memory, with the event added and the
            oldest let go where there are too many.

        Raises:
            ValueError: The time or an id is none that intake writes.

        Example:
            >>> noon = "2026-02-03T12:00:00.000Z"
            >>> staff, posted, seen = Seen().with_event(noon, "a1b2c3d4", "11111111")
            >>> staff, posted, seen = seen.with_event(noon, "a1b2c3d4", "22222222")
            >>> staff.name, posted.name
            ('NEWER', 'REPEATED')
            >>> seen.with_event(noon, "a1b2c3d4", "22222222")[0].name
            'REPEATED'
        """
        mark, recent = _mark(event_time, posted_id, event_id), self.recent
        late = mark[:_TIME] <= self.horizon
        posted = Standing.LATE if late else Standing.NEWER
        if not late and mark[:_POSTED] > recent[-_MARK:][:_POSTED]:  # in order, as nearly all come
            recent += mark
        else:
            known = [recent[first : first + _MARK] for first in range(0, len(recent), _MARK)]
            twins = sum(one[:_POSTED] == mark[:_POSTED] for one in known)
            posted = Standing.REPEATED if twins else posted
            if mark in known or twins >= KEPT_TIES:
                return Standing.REPEATED, posted, self
            if late:
                return Standing.LATE, posted, self
            recent = b"".join(sorted((*known, mark)))
        if len(recent) <= KEPT_EVENTS * _MARK:
            return Standing.NEWER, posted, Seen(recent, self.horizon)
        return Standing.NEWER, posted, _shortened(recent, self.horizon)


_MARK: Final = 17  # bytes
_TIME: Final = 9  # of which this many are the event's time, two digits each
_POSTED: Final = 13  # and so many time and posted digest
_PUNCTUATION: Final = b"-T:.Z"


def _shortened(recent: bytes, horizon: bytes) -> Seen:
    """Let the oldest events go, all that students take for one together."""
    marks = [recent[first : first + _MARK] for first in range(0, len(recent), _MARK)]
    seen = {mark[:_POSTED] for mark in marks}
    if len(seen) == len(marks) == KEPT_EVENTS + 1:  # as nearly always
        return Seen(recent[_MARK:], max(horizon, recent[:_TIME]))
    kept = sorted(seen)
    while len(kept) > KEPT_EVENTS:
        gone = kept.pop(0)
        marks = [mark for mark in marks if mark[:_POSTED] != gone]
        horizon = max(horizon, gone[:_TIME])
    return Seen(b"".join(marks), horizon)


def _mark(event_time: Instant, posted_id: str, event_id: str) -> bytes:
    """Return bytes that sort as time and ids do."""
    digits = event_time.encode().translate(None, _PUNCTUATION).decode()
    mark = bytes.fromhex(f"{digits}0{posted_id[:8]:0>8}{event_id[:8]:0>8}")
    if len(mark) != _MARK:
        raise ValueError("an event's time or id that intake did not write")
    return mark
