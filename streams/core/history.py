"""Order and repetition: which of several versions of one fact holds, and what was seen before.

Canvas delivers best-effort, repeated and unordered. A *fact* is one thing that events restate: a
student's course scores, an override, one assignment's grade. The newest statement holds, by
(``event_time``, ``updated_at``); whatever order the statements arrive in, the same one holds.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from msgspec import Struct

from streams.core.events import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        recent: ``event_time/event_id``, oldest first, at most ``KEPT_EVENTS``, with spaces between:
            one text is read and written in an eighth of the time of eight.
        horizon: ``event_time`` of the newest event that was let go; "" while none was.
    """

    recent: str = ""
    horizon: Instant = ""

    def standing(self, event_time: Instant, event_id: str) -> Standing:
        """Tell whether an event may be judged.

        Returns:
            ``REPEATED`` where it was judged before, ``LATE`` where that can no longer be known
            (it is not newer than the horizon: not judged), ``NEWER`` where it was not.

        Example:
            >>> seen = Seen().with_event("2026-02-03T10:15:30.000Z", "a1")
            >>> seen.standing("2026-02-03T10:15:30.000Z", "a1").name
            'REPEATED'
            >>> seen.standing("2026-02-03T10:15:30.000Z", "b2").name
            'NEWER'
        """
        if f" {event_time}/{event_id} " in f" {self.recent} ":
            return Standing.REPEATED
        return Standing.LATE if event_time <= self.horizon else Standing.NEWER

    def with_event(self, event_time: Instant, event_id: str) -> Seen:
        """Return the memory with one more event, the oldest let go where there are too many."""
        recent = self.recent.split()
        recent.append(f"{event_time}/{event_id}")
        recent.sort()
        if len(recent) <= KEPT_EVENTS:
            return Seen(" ".join(recent), self.horizon)
        let_go = recent[0].partition("/")[0]
        return Seen(" ".join(recent[1:]), max(self.horizon, let_go))
