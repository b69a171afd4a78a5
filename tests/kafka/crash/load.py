"""A semester that is being played while a test does harm."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING

from streams.simulator import semester
from tests.kafka.running import until

if TYPE_CHECKING:
    from tests.kafka.running import Flow

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
RATE = 1_500
"""Events a second: what every machine that runs this can work on."""


class Load:
    """A player in a thread of its own."""

    def __init__(self, flow: Flow, seed: int, events: int, rate: float = RATE) -> None:
        self._flow, self.events = flow, events
        records = semester(seed, events, END)
        self._player = Thread(target=flow.play, args=(records, rate), daemon=True)
        self._player.start()

    def require_under_way(self) -> None:
        assert self._player.is_alive(), "invalid: the load had ended before the fault"

    def await_worked(self) -> None:
        self._player.join()
        self._flow.await_worked(self.events)


def progress(flow: Flow) -> int:
    return flow.committed(flow.settings.raw_topic) + flow.committed("grade-events")


def await_progress(flow: Flow) -> None:
    """Return once more of both sources is committed than now."""
    before = progress(flow)
    until(lambda: progress(flow) > before)
