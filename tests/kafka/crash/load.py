"""A semester that is played while a test does harm: it goes on until the last fault is over.

So no fault can come too late for it, on a slow machine as on a fast one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from threading import Event, Thread
from typing import TYPE_CHECKING

from streams.simulator import semester
from tests.kafka.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from streams.simulator import RawRecord
    from tests.kafka.running import Flow

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
RATE = 500
"""Events a second: what a busy machine can work on, and recompute afterwards."""

MOST = 2_000_000
"""Events in the whole semester: more than any test plays."""

STUDENTS = 3_000
"""Few enough that each has several events among the first 30,000."""


class Load:
    """A player in a thread of its own, for as long as a ``with`` block.

    Attributes:
        events: How many raw records were written; known once it has ended.
    """

    def __init__(self, flow: Flow, seed: int, rate: float = RATE) -> None:
        self.events = 0
        self._flow, self._seed, self._rate = flow, seed, rate
        self._over = Event()
        self._player = Thread(target=self._play, daemon=True)

    def __enter__(self) -> Self:
        """Start to play."""
        self._player.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stop the player; where the block went well, the workers work on all that it wrote."""
        self._over.set()
        self._player.join()
        if error is None:
            assert self.events, "invalid: the load failed; the player's own error is above"
            self._flow.await_worked(self.events)

    def _play(self) -> None:
        self.events = self._flow.play(self._records(), self._rate)

    def _records(self) -> Iterator[RawRecord]:
        records = semester(self._seed, MOST, END, students=STUDENTS)
        return takewhile(lambda _: not self._over.is_set(), records)

    def require_under_way(self) -> None:
        """Fail as invalid unless records are still being written, and some wait for a worker."""
        until(lambda: self._flow.lag() > 0 or not self._player.is_alive())
        assert self._player.is_alive(), "invalid: the load had ended before the fault"


def progress(flow: Flow) -> int:
    return flow.committed(flow.settings.raw_topic) + flow.committed("grade-events")


def await_progress(flow: Flow) -> None:
    """Return once more of both sources is committed than now."""
    before = progress(flow)
    until(lambda: progress(flow) > before)
