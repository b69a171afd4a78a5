"""How many records a second each agent works on, over the last quarter of a minute."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from mode import Service

if TYPE_CHECKING:
    from streams.metrics import Metrics

EVERY_SECONDS: Final = 3.0
"""How often it is counted."""

KEPT: Final = 6
"""Counts that are kept: the rate is over the time between the first and the last of them."""


class Throughput(Service):
    """Counts what a worker's agents have worked on, time and again."""

    def __init__(self, metrics: Metrics) -> None:
        """Start with no rate.

        Args:
            metrics: Whose numbers.
        """
        super().__init__()
        self._metrics = metrics
        self._counts: deque[tuple[float, dict[str, float]]] = deque(maxlen=KEPT)

    @Service.task
    async def _count(self) -> None:
        while not self.should_stop:
            self.count(time.monotonic())
            await self.sleep(EVERY_SECONDS)

    def count(self, now: float) -> None:
        """What was worked on by now is known.

        Args:
            now: Monotonic seconds.
        """
        found = dict[str, float]()
        for metric in self._metrics.records.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    agent = sample.labels["agent"]
                    found[agent] = found.get(agent, 0.0) + sample.value
        self._counts.append((now, found))

    def rates(self) -> dict[str, float]:
        """Return agent → records a second."""
        if not self._counts:
            return {}
        (then, before), (now, after) = self._counts[0], self._counts[-1]
        seconds = max(now - then, 1e-9)
        return {
            agent: round((done - before.get(agent, 0.0)) / seconds, 1)
            for agent, done in after.items()
        }
