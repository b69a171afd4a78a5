"""What nobody else would notice: a dead coordinator, a silent Kafka, a partition that stands still.

Faust lives on when aiokafka's coordination task has died, without ever getting a partition again.
And of a fetch that hangs, the consumer's own idea of the end of the log tells nothing: here Kafka
is asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import KafkaError
from mode import Service

from streams.errors import GradewatchError, place

if TYPE_CHECKING:
    from faust.types import TP

    from streams.engine.app import BatchApp

log = logging.getLogger("gradewatch.engine")

LOOK_SECONDS: Final = 2.0
"""How often Kafka is asked for the end of every log, and how long it may take to answer."""

AWAY_SECONDS: Final = 6.0
"""Without an answer for this long, Kafka is away."""

STALL_SECONDS: Final = 60.0
"""A partition with lag, restored, whose committed offset does not move for this long is stalled."""


class _Stand(NamedTuple):
    """Where a partition stands, and since when."""

    offset: int
    since: float


class Watch(Service):
    """Looks at one worker every few seconds.

    Attributes:
        stalled: Partitions with lag and no progress.
    """

    def __init__(self, app: BatchApp) -> None:
        """Prepare; it begins when the app starts."""
        super().__init__()
        self._app = app
        self._ends: dict[TP, int] = {}
        self._stands: dict[TP, _Stand] = {}
        self._answered = time.monotonic()
        self.stalled: set[TP] = set()

    @property
    def away_seconds(self) -> float:
        """Seconds since Kafka answered last; 0 while it answers."""
        silent = time.monotonic() - self._answered
        return silent if silent > AWAY_SECONDS else 0.0

    def lags(self) -> dict[TP, int]:
        """Return, by source partition, how many offsets lie after the one worked up to."""
        consumer = self._app.consumer
        return {
            tp: max(0, self._ends.get(tp, 0) - done, (consumer.highwater(tp) or 0) - done)
            for tp, done in list(consumer.done.items())
        }

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_SECONDS)
            consumer = self._app.consumer
            if not consumer.started or self.should_stop:
                continue
            self._require_coordinator()
            try:
                ends = await asyncio.wait_for(consumer.ends(list(consumer.done)), LOOK_SECONDS)
            except (KafkaError, TimeoutError, CancelledError):
                continue
            self._ends, self._answered = ends, time.monotonic()
            await self._fetch_again(self._compare(self._answered))

    def _require_coordinator(self) -> None:
        """The task that keeps us in the group lives.

        Raises:
            GradewatchError: It does not; only a new process joins again.
        """
        task = self._app.consumer.coordinator._coordination_task  # noqa: SLF001 - no public way
        if task.done() and not self.should_stop:
            error = None if task.cancelled() else task.exception()
            why = "cancelled" if error is None else place(error)
            raise GradewatchError(
                f"the worker has fallen out of its consumer group for good ({why})",
                "start it again; does another worker have the same GRADEWATCH_WORKER_ID?",
            )

    async def _fetch_again(self, stalled: set[TP]) -> None:
        """Have records come again that got lost on their way to an agent.

        None of a partition that something is being committed of: what becomes of it is for the
        committer to ask.
        """
        consumer, committers = self._app.consumer, self._app.committers
        lost = {
            tp: consumer.done[tp]
            for tp in stalled
            if consumer.positions[tp] > consumer.done[tp]
            and not any(committer.holds(tp) for committer in committers)
        }
        await consumer.rewind(lost)

    def _compare(self, now: float) -> set[TP]:
        """Note which partitions stand still though there is work; return those that are new."""
        consumer, lags = self._app.consumer, self.lags()
        for tp in self._stands.keys() - lags.keys():
            del self._stands[tp]
        stalled = set()
        for tp, lag in lags.items():
            done, stood = consumer.done.get(tp, 0), self._stands.get(tp)
            if not lag or tp in consumer.held_back or stood is None or stood.offset != done:
                self._stands[tp] = _Stand(done, now)
            elif now - stood.since > STALL_SECONDS:
                stalled.add(tp)
        new = stalled - self.stalled
        for tp in sorted(new):
            log.error(
                "%s[%d] stands at offset %d with %d to go, for %.0f s",
                *tp, consumer.done.get(tp, 0), lags[tp], STALL_SECONDS,
            )  # fmt: skip
        for tp in sorted(self.stalled - stalled):
            log.warning("%s[%d] goes on", *tp)
        self.stalled = stalled
        return new
