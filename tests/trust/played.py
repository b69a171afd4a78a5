"""A simulated semester, played with rules of every kind."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core import events
from streams.core.events import Control
from streams.core.intake import Reader
from streams.core.replay import Replay
from streams.core.rules import load
from streams.simulator import semester
from streams.trust.ndjson import Lines

if TYPE_CHECKING:
    from streams.core.alerts import Alert

RULES: Final = load(
    (Path(__file__).parent / "rules-of-every-kind.yaml").read_text(), "rules-of-every-kind.yaml"
)
ID_KEY: Final = b"a key of the tests alone"
END: Final = datetime.fromisoformat("2026-05-15T17:00:00Z")


class Played(NamedTuple):
    """What became of a semester.

    Attributes:
        log: The records of ``grade-events``, by offset.
        told: The alerts, in their order.
    """

    log: list[bytes]
    told: list[Alert]


def lines(count: int, students: int, seed: int = 7) -> list[bytes]:
    """Return the lines of a semester's file."""
    records = semester(seed, count, END, students=students, courses=None)
    return [(record.value or b"") + b"\n" for record in records]


@lru_cache(maxsize=1)
def played() -> Played:
    """Play a semester."""
    reader = Lines(Reader())
    found = [one for line in lines(8_000, 120) for one in reader.read(line)]
    replay, log, told = Replay(RULES, ID_KEY), [], []
    for one in [*found, *reader.rest()]:
        clock = Control(kind="watermark", topic="raw", partitions=1, at=one.event_time)
        for value in (events.encode(clock), one.value):
            log.append(value)
            told += [each.alert for each in replay.step(value).told]
    return Played(log, told)
