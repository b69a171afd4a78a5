"""A partition is idle once it is known to have had nothing for a while, and not before."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from faust.types import TP

from streams.engine.idle import Idle

RAW = TP("raw", 1)
BEGAN = 1_770_000_000_000


class At(NamedTuple):
    timestamp: int | None
    position: int = 7
    highwater: int | None = 7


def told(*looks: At, tp: TP = RAW) -> list[int]:
    idle = Idle({"raw"}, 30.0)
    return [idle.look(tp, 1, look) for look in looks]


def test_it_is_told_after_half_a_minute_and_then_every_half_minute() -> None:
    looks = [At(BEGAN + 10_000 * number) for number in range(8)]

    assert told(*looks) == [0, 0, 0, BEGAN + 30_000, 0, 0, BEGAN + 60_000, 0]


@pytest.mark.parametrize(
    "behind", [At(BEGAN + 20_000, highwater=8), At(BEGAN + 20_000, highwater=None), At(None)]
)
def test_a_partition_that_is_behind_or_unknown_waits_from_the_start(behind: At) -> None:
    assert told(At(BEGAN), behind, At(BEGAN + 30_000), At(BEGAN + 60_000)) == [
        0, 0, 0, BEGAN + 60_000,
    ]  # fmt: skip


def test_while_kafka_is_silent_nobody_is_idle() -> None:
    assert told(*[At(BEGAN)] * 100) == [0] * 100


def test_a_clock_that_is_set_back_begins_the_wait_again() -> None:
    looks = At(BEGAN), At(BEGAN - 3_600_000), At(BEGAN - 3_600_000 + 30_000)

    assert told(*looks) == [0, 0, BEGAN - 3_600_000 + 30_000]


def test_other_topics_are_never_told_of() -> None:
    assert told(At(BEGAN), At(BEGAN + 90_000), tp=TP("events", 1)) == [0, 0]


def test_a_record_or_another_epoch_begins_the_wait_again() -> None:
    idle = Idle({"raw"}, 30.0)
    idle.look(RAW, 1, At(BEGAN))
    idle.heard(RAW)
    assert idle.look(RAW, 1, At(BEGAN + 30_000)) == 0
    assert idle.look(RAW, 2, At(BEGAN + 60_000)) == 0
    assert idle.look(RAW, 2, At(BEGAN + 90_000)) == BEGAN + 90_000
