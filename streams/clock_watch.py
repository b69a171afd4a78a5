"""Watches the clocks of a worker's partitions: one that is ahead, and one that something holds.

It changes nothing: what it finds is shown by ``/readyz`` and ``/metrics`` (decision 0013).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from mode import Service

from streams.core.clock import ITEM, OWNER, State, decode_state
from streams.core.clock_health import RESET, Holder, ahead, ahead_words, held_words, holder_of
from streams.core.instants import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.table import PartitionStore
    from streams.metrics import Metrics

LOOK_SECONDS: Final = 10.0
"""How often it looks."""

HELD_SECONDS: Final = 300.0
"""A raw partition holds the clock if it has not moved for this long: ten times as long as an idle
one takes to say so."""


class _Stood(NamedTuple):
    holder: Holder
    since: float


class ClockWatch(Service):
    """Watches the clocks of one worker.

    Attributes:
        warnings: What somebody should look at, with what to do.
        clocks: The clock of each partition that is served; empty where it has none.
    """

    def __init__(
        self,
        rows: PartitionStore,
        raw: str,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember what to watch.

        Args:
            rows: Hold each partition's state.
            raw: The raw topic's name.
            metrics: Where it is shown.
            now: The time of day, seconds since 1970.
            monotonic: A clock that nobody sets, in seconds.
        """
        super().__init__()
        self._rows, self._raw, self._metrics = rows, raw, metrics
        self._now, self._monotonic = now, monotonic
        self._stood: dict[int, _Stood] = {}
        self.warnings: list[str] = []

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            self.look()
            await self.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Look at every partition that is served, and say what is found."""
        states = {number: self._state(number) for number in sorted(self._rows.serving)}
        now = int(self._now() * 1000)
        wrong = [
            f"{ahead_words(number, latest, now)}: alerts fire too early. Check this machine's "
            f"clock; then: {RESET}"
            for number, state in states.items()
            if (latest := ahead(state, now))
        ]
        held = self._held(states)
        self.warnings = wrong + [
            f"{held_words(self._raw, Holder(number, reached), seconds)}: no alert settles, expires "
            "or finds a silent feed. See that a worker has this partition and that its lag falls: "
            "gradewatch workers list, gradewatch_lag_records"
            for (number, reached), seconds in held.items()
        ]
        self._metrics.clock.clear()
        for number, state in states.items():
            if state.clock:
                self._metrics.clock.labels(number).set(milliseconds(state.clock) / 1000)
        self._metrics.clock_held.clear()
        for holder, seconds in held.items():
            self._metrics.clock_held.labels(holder.partition).set(seconds)

    def _held(self, states: dict[int, State]) -> dict[Holder, float]:
        """Return the raw partitions that hold a clock, and for how many seconds each has."""
        now, stood = self._monotonic(), dict[int, _Stood]()
        held = dict[Holder, float]()
        for number, state in states.items():
            holder = holder_of(state)
            if holder is None:
                continue
            before = self._stood.get(number)
            one = before if before and before.holder == holder else _Stood(holder, now)
            stood[number] = one
            if now - one.since >= HELD_SECONDS:
                held[holder] = max(now - one.since, held.get(holder, 0.0))
        self._stood = stood
        return dict(sorted(held.items()))

    def _state(self, partition: int) -> State:
        kept = self._rows.row(partition, OWNER, ITEM)
        return State() if kept is None else decode_state(kept)
