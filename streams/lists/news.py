"""Whoever listens is told of every alert that changes; a slow one is dropped, never waited for."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.lists.held import Held

BEHIND: Final = 1_000
"""Alerts that a listener may be behind before it is dropped; it comes back and asks for them."""

LISTENERS: Final = 32
"""Listeners at once, at most: each is a connection that stays."""


EACH: Final = 4
"""Listeners of one person, at most: so that one takes no other's place."""


class FullError(Exception):
    """There are as many listeners as there may be.

    Attributes:
        of_person: Whether it is this person's listeners that are too many.
    """

    def __init__(self, *, of_person: bool) -> None:
        """Say whose."""
        super().__init__()
        self.of_person = of_person


class Listener:
    """One who is told.

    Attributes:
        dropped: Whether it was too slow; nothing more comes then.
    """

    def __init__(self) -> None:
        """Start with nothing to tell."""
        self._queue: asyncio.Queue[Held] = asyncio.Queue(BEHIND)
        self.dropped = False

    async def next(self, seconds: float) -> Held | None:
        """Return the next alert that changed; None: none did for so long, or it was dropped."""
        if self.dropped:
            return None
        try:
            return await asyncio.wait_for(self._queue.get(), seconds)
        except TimeoutError:
            return None

    def tell(self, held: Held) -> None:
        """It is told, or dropped."""
        try:
            self._queue.put_nowait(held)
        except asyncio.QueueFull:
            self.dropped = True


class News:
    """Those who listen at one worker."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._listeners: dict[Listener, str] = {}

    def __len__(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    @contextmanager
    def listening(self, who: str) -> Iterator[Listener]:
        """Lend a listener, which is told of all that changes from now to the block's end.

        Args:
            who: A person's name; of somebody without one, the address.

        Raises:
            FullError: `LISTENERS` listen, or `EACH` of this person.
        """
        if list(self._listeners.values()).count(who) >= EACH:
            raise FullError(of_person=True)
        if len(self._listeners) >= LISTENERS:
            raise FullError(of_person=False)
        listener = Listener()
        self._listeners[listener] = who
        try:
            yield listener
        finally:
            self._listeners.pop(listener, None)

    def tell(self, held: Held) -> None:
        """Everybody who listens is told."""
        for listener in self._listeners:
            if not listener.dropped:
                listener.tell(held)
