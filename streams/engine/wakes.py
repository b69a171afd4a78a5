"""Which rows are to be woken up, and when: an index over their values.

What a row is woken up for is the agent's business. The engine only keeps the order: by time, then
by owner and item.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sortedcontainers import SortedList

if TYPE_CHECKING:
    from collections.abc import Iterator

Wake = tuple[int, bytes, bytes]
"""When, and the row: its owner and its item."""

WakeOf = Callable[[bytes], int | None]
"""Tells from a row's value when it is to be woken up; None: never."""


def never(_: bytes) -> int | None:
    """Return None: no row is to be woken up."""
    return None


class Wakes:
    """The rows of one partition that are to be woken up, in order."""

    def __init__(self) -> None:
        """Start with none."""
        self._sorted = SortedList()

    def move(self, owner: bytes, item: bytes, was: int | None, wake: int | None) -> None:
        """Change when a row is to be woken up.

        Args:
            owner: The row's owner.
            item: The row's item.
            was: When it was to be so far; None: never.
            wake: When it is to be from now on; None: never.
        """
        if was is not None:
            self._sorted.remove((was, owner, item))
        if wake is not None:
            self._sorted.add((wake, owner, item))

    def before(self, before: int) -> Iterator[Wake]:
        """Yield what is to be woken up before a time, in order.

        Example:
            >>> wakes = Wakes()
            >>> wakes.move(b"44fJ:48", b"565", None, 20)
            >>> wakes.move(b"44fJ:49", b"565", None, 10)
            >>> list(wakes.before(20))
            [(10, b'44fJ:49', b'565')]
        """
        found: Iterator[Wake] = self._sorted.irange(maximum=(before,))
        return found

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sorted)
