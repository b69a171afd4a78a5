"""A clock that is ahead, and a raw partition that holds the clock, are named with what to do."""

from __future__ import annotations

import pytest

from streams.clock_watch import HELD_SECONDS, ClockWatch
from streams.core.clock import ITEM, OWNER, State, encode_state
from streams.core.instants import instant
from streams.doctor import Patient, workers
from streams.doctor.finding import State as Health
from streams.metrics import Metrics
from streams.settings import load
from tests.scenarios import START, milliseconds
from tests.tables import a_store

NOW = milliseconds(START)


class Watched:
    """A watch of one partition, whose time the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.store, self.metrics = a_store(1), Metrics()
        self.watch = ClockWatch(
            self.store, "raw", self.metrics, lambda: NOW / 1000, lambda: self.seconds
        )

    def found(self, state: State, after: float = 0) -> list[str]:
        self.seconds += after
        self.store.publish(0, [(OWNER, ITEM, encode_state(state))])
        self.watch.look()
        return self.watch.warnings

    def samples(self, name: str) -> dict[str, float]:
        return {
            sample.labels["partition"]: sample.value
            for metric in self.metrics.registry.collect()
            if metric.name == name
            for sample in metric.samples
        }


def a_state(*reached: int | None, clock: int = 0) -> State:
    known = {number: instant(NOW + at) for number, at in enumerate(reached) if at is not None}
    return State(topic="raw", partitions=len(reached), watermarks=known, clock=instant(NOW + clock))


@pytest.mark.parametrize(
    ("ahead", "named"), [(-9_000, False), (3_600_000, False), (3_600_001, True)]
)
def test_a_clock_over_an_hour_ahead(ahead: int, *, named: bool) -> None:
    watched = Watched()
    found = watched.found(a_state(ahead, clock=ahead))

    assert len(found) == named
    for one in found:
        assert "the clock of partition 0 is ahead of Kafka's time by 1 h" in one
        assert one.endswith("gradewatch clock reset")
    assert watched.samples("gradewatch_clock_timestamp_seconds") == {"0": (NOW + ahead) / 1000}


@pytest.mark.parametrize("reached", [(0, -60_000, 0), (0, None, 0)])
def test_the_raw_partition_that_holds_the_clock(reached: tuple[int | None, ...]) -> None:
    watched = Watched()
    assert watched.found(a_state(*reached)) == []
    assert watched.found(a_state(9_000, *reached[1:]), HELD_SECONDS - 1) == []
    [one] = watched.found(a_state(99_000, *reached[1:]), 1)
    assert one.startswith("raw[1] ")
    assert "5 min" in one
    assert watched.samples("gradewatch_clock_held_seconds") == {"1": HELD_SECONDS}

    assert watched.found(a_state(99_000, -1_000, 99_000)) == []
    assert watched.samples("gradewatch_clock_held_seconds") == {}


def test_partitions_that_move_and_a_partition_without_a_state_hold_nothing() -> None:
    watched = Watched()
    watched.watch.look()
    for number in range(20):
        assert watched.found(a_state(number * 30_000, 0 + number * 30_000), 100) == []
    assert watched.found(State(), HELD_SECONDS) == []
    assert watched.found(State(), HELD_SECONDS) == []


def test_the_doctor_names_what_holds_the_clock_once_however_many_workers_say_so() -> None:
    patient = Patient(load(kafka_bootstrap_servers="127.0.0.1:9"))
    told = [
        workers._Told(name, "1", "rules", "key", held)
        for name, held in (("a", {}), ("b", {"1": 300.0}), ("c", {"1": 720.0, "2": 300.0}))
    ]
    found = list(workers._held(patient, told))

    assert [(one.state, one.evidence.split(" ")[0]) for one in found] == [
        (Health.WARN, "canvas-live-events[1]"), (Health.WARN, "canvas-live-events[2]"),
    ]  # fmt: skip
    assert "12 min" in found[0].evidence
    assert all(one.remedy for one in found)
