"""Compares Kafka with what it was when the worker started, every few seconds.

A worker reads offsets, and offsets mean something within one topic only. When a topic was deleted,
made anew, given more partitions or set back to an older state, the worker stops with an error that
names the topic and the next step: going on would lose records or repeat alerts without a word.
Partitions that no worker of the group has, and a second worker of our name, are told of.

Called by `streams.worker`; the event loop never waits for Kafka here.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from mode import Service

from streams.connection import DEADLINE
from streams.engine.blocking import Failed, beside
from streams.engine.cluster_faults import faults
from streams.errors import GradewatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from faust.types import TP

    from streams.engine.census import Census, CensusTaker
    from streams.engine.cluster_faults import Expected, Group

log = logging.getLogger("gradewatch.engine")

LOOK_SECONDS: Final = 3.0
"""Seconds between two looks."""

HANG_SECONDS: Final = 2 * DEADLINE
"""How long a look may take: Kafka is away, or slow, if it takes longer."""

CLOSE_SECONDS: Final = 2.0

SETTLE_SECONDS: Final = 20.0
"""How long a partition may be without a worker, or a crashed worker's membership may last, before
it is told of: two session timeouts."""

BLIND_SECONDS: Final = 60.0
"""How long the looks may fail before it is warned of."""

REBALANCE_SECONDS: Final = 60.0
"""How long the group may rebalance before it is told of."""


class ClusterWatch(Service):
    """Looks at Kafka for one worker.

    Attributes:
        unowned: Source partitions that no member of the group has, and the records that wait there.
    """

    def __init__(self, taker: CensusTaker, expected: Mapping[str, Expected], group: Group) -> None:
        """Prepare; the looks begin when the service starts.

        Args:
            taker: Asks Kafka.
            expected: The topics as they were when the worker asked for them, by name.
            group: The consumer group.
        """
        super().__init__()
        self._taker, self._expected, self._group = taker, expected, group
        self._ends: dict[TP, int] = {}
        self._found: dict[str, int] = {}
        self._since: dict[object, float] = {}
        self._reasons: list[str] = []
        self._warnings: list[str] = []
        self._looked: float | None = None
        self._blind: list[str] = []
        self.unowned: dict[TP, int] = {}

    def fault(self) -> GradewatchError | None:
        """Return what of the cluster has changed, whatever else failed; None: nothing. Blocks.

        A topic that is deleted makes Faust fail in many ways before the next look finds the cause.
        """
        try:
            census = self._taker.take()
        except (Failed, GradewatchError):
            return None
        found = faults(self._expected, self._group, self._ends, census)
        return next((fault.error for fault in found), None)

    def reasons(self) -> list[str]:
        """Return why this worker is not ready: records that no worker of the group works on."""
        return self._reasons

    def warnings(self) -> list[str]:
        """Return what an operator should look at, though this worker works."""
        return self._warnings + self._blind

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_SECONDS)
            if self.should_stop:
                return
            await self.look(time.monotonic())

    async def look(self, now: float) -> None:
        """Look once; a look that fails is a warning once that lasts.

        Args:
            now: Seconds of a clock that never goes back.

        Raises:
            GradewatchError: The worker cannot go on with this cluster.
        """
        try:
            census = await beside(self._taker.take, HANG_SECONDS)
            waiting = await self._waiting(census)
        except Failed as failed:
            self._looked = now if self._looked is None else self._looked
            if now - self._looked >= BLIND_SECONDS:
                self._blind = [f"topics and group cannot be looked at, for a minute now: {failed}"]
            return
        self._looked, self._blind = now, []
        self.judge(census, waiting, now)

    async def require_unchanged(self) -> None:
        """Raise what ends the worker at the first look, before it works on what it was assigned.

        A worker that works on a topic made anew until the next look leaves rows of two topics.

        Raises:
            Failed: Kafka does not answer.
            GradewatchError: The worker cannot go on with this cluster.
        """
        census = await beside(self._taker.take, HANG_SECONDS)
        for fault in faults(self._expected, self._group, self._ends, census):
            if fault.looks == 1:
                raise fault.error

    async def on_stop(self) -> None:
        """Leave Kafka."""
        with suppress(Failed):
            await beside(self._taker.close, CLOSE_SECONDS)

    async def _waiting(self, census: Census) -> dict[TP, int]:
        """Return the source partitions without a worker, and how many records wait there."""
        unowned = _unowned(self._group.sources, census)
        if not unowned:
            return {}
        done = await beside(lambda: self._taker.committed(unowned), HANG_SECONDS)
        return {tp: max(0, census.ends.get(tp, 0) - done.get(tp, 0)) for tp in unowned}

    def judge(self, census: Census, waiting: Mapping[TP, int], now: float) -> None:
        """Take note of a look.

        Args:
            census: What Kafka has.
            waiting: Source partitions that no member has, and the records that wait there.
            now: Seconds of a clock that never goes back.

        Raises:
            GradewatchError: The worker cannot go on with this cluster.
        """
        found = list(faults(self._expected, self._group, self._ends, census))
        counts = {fault.about: self._found.get(fault.about, 0) + 1 for fault in found}
        for fault in found:
            if counts[fault.about] >= fault.looks:
                raise fault.error
        self._found = counts
        self._ends = {tp: max(end, self._ends.get(tp, 0)) for tp, end in census.ends.items()}
        self._tell(census, waiting, now)

    def _tell(self, census: Census, waiting: Mapping[TP, int], now: float) -> None:
        twin, rebalancing = "twin", "rebalancing"
        current: dict[object, float] = dict.fromkeys(waiting, SETTLE_SECONDS)
        if census.clients.count(self._group.client_id) > 1:
            current[twin] = SETTLE_SECONDS
        if census.clients and not census.stable:
            current[rebalancing] = REBALANCE_SECONDS
        self._since = {what: self._since.get(what, now) for what in current}
        lasting = {what for what, limit in current.items() if now - self._since[what] >= limit}
        self.unowned = {tp: waiting[tp] for tp in waiting if tp in lasting}
        reasons = [
            f"{tp.topic}[{tp.partition}] has no worker, {records} records wait"
            for tp, records in sorted(self.unowned.items())
        ]
        if rebalancing in lasting:
            reasons.append("the consumer group does not settle: it rebalances again and again")
        for reason in reasons:
            if reason not in self._reasons:
                log.error("%s", reason)
        self._reasons = reasons
        self._warnings = []
        if twin in lasting:
            worker = self._group.client_id.removeprefix(f"{self._group.name}-")
            self._warnings.append(
                f"another worker has our GRADEWATCH_WORKER_ID, {worker}: give each its own"
            )


def _unowned(sources: Collection[str], census: Census) -> set[TP]:
    if not census.stable:
        return set()
    places = {tp for tp in census.ends if tp.topic in sources}
    return places - census.owned
