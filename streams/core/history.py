"""Order and repetition: which of several versions of one fact holds, and what was seen before.

Canvas delivers best-effort, repeated and unordered. A *fact* is one thing that events restate: a
student's course scores, an override, one assignment's grade. The newest statement holds, by
(``event_time``, ``updated_at``); whatever order the statements arrive in, the same one holds.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import lru_cache
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
    tied = _ordered([*held, stated])[:KEPT_TIES]
    if stated not in tied:
        return held, Standing.LATE
    return tied, Standing.NEWER if tied[0] is stated else Standing.LATE


def _ordered(tied: list[S]) -> list[S]:
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

    Attributes:
        recent: A mark of 16 bytes for each of the latest ``KEPT_EVENTS`` events at most, oldest
            first, end to end: as text they were half of a row.
        horizon: The mark of the newest event that was let go; empty while none was.
    """

    recent: bytes = b""
    horizon: bytes = b""

    def standing(self, event_time: Instant, event_id: str) -> Standing:
        """Tell whether an event may be judged.

        Returns:
            ``REPEATED`` where it was judged before, ``LATE`` where that can no longer be known
            (it is not newer than the horizon: not judged), ``NEWER`` where it was not.

        Raises:
            ValueError: The time or the id is none that intake writes.

        Example:
            >>> seen = Seen().with_event("2026-02-03T10:15:30.000Z", "a1")
            >>> seen.standing("2026-02-03T10:15:30.000Z", "a1").name
            'REPEATED'
            >>> seen.standing("2026-02-03T10:15:30.000Z", "b2").name
            'NEWER'
        """
        mark = _mark(event_time, event_id)
        if mark in self.recent and mark in _marks(self.recent):
            return Standing.REPEATED
        return Standing.LATE if mark[:_TIME] <= self.horizon[:_TIME] else Standing.NEWER

    def with_event(self, event_time: Instant, event_id: str) -> Seen:
        """Return the memory with one more event, the oldest let go where there are too many.

        Raises:
            ValueError: The time or the id is none that intake writes.
        """
        mark, recent = _mark(event_time, event_id), self.recent
        if mark > recent[-_MARK.size :]:  # in order, as nearly all come
            recent += mark
        else:
            recent = b"".join(sorted((*_marks(recent), mark)))
        if len(recent) <= KEPT_EVENTS * _MARK.size:
            return Seen(recent, self.horizon)
        return Seen(recent[_MARK.size :], max(self.horizon, recent[: _MARK.size]))


_MARK: Final = struct.Struct(">QQ")
_TIME: Final = 8  # bytes of a mark that are the event's time
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@lru_cache(maxsize=64)  # asked for twice an event
def _mark(event_time: Instant, event_id: str) -> bytes:
    """Return 16 bytes that sort as time and id do."""
    moment = (datetime.fromisoformat(event_time) - _FIRST) // _MILLISECOND
    try:
        return _MARK.pack(moment, int(event_id, 16))
    except struct.error:
        raise ValueError("an event id of more than 16 hex digits") from None


def _marks(recent: bytes) -> list[bytes]:
    size = _MARK.size
    return [recent[first : first + size] for first in range(0, len(recent), size)]
