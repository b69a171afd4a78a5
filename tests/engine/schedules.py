"""What the models of the engine share: the tape that decides, and calls that block nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Tape:
    """What happens next; nothing once it has ended, so that every schedule ends."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = deque(numbers)

    def next(self) -> int:
        return self._numbers.popleft() if self._numbers else 0

    @property
    def ended(self) -> bool:
        return not self._numbers


async def immediately(call: Callable[[], object], _: float) -> object:
    """Stand for `blocking.beside`: make a blocking call in the event loop."""
    await asyncio.sleep(0)
    return call()
