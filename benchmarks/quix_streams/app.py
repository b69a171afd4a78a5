"""The same job as Quix Streams' documentation shows it: dataframes, state by key, exactly once.

It decides with the same core as our worker, so that what differs is the way records travel.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from quixstreams import Application, message_context
from quixstreams.models import Serializer

from benchmarks import feed
from streams.core import alerts, flow
from streams.core.instants import instant
from streams.core.intake import Reader

if TYPE_CHECKING:
    from quixstreams import State
    from quixstreams.models import Topic

    from streams.core.flow import Partition

BOOTSTRAP, NAMESPACE, STATE_DIR, STAGE = sys.argv[1:5]
app = Application(
    BOOTSTRAP,
    consumer_group=f"{NAMESPACE}-gradewatch",
    auto_offset_reset="earliest",
    commit_interval=0.1,  # as Kafka Streams with EOS; 5 s is the default
    processing_guarantee="exactly-once",
    state_dir=STATE_DIR,
    loglevel="ERROR",
    consumer_extra_config={
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 5_000,
    },
    producer_extra_config={"linger.ms": 20, "transaction.timeout.ms": 10_000},
)
reader = Reader()


class PassedValue(Serializer):
    """Writes what intake passed."""

    def __call__(self, passed: flow.Passed, **_: object) -> bytes:
        """Return its value; the key is given to ``to_topic``."""
        return passed.value


def topic(name: str, serializer: str | Serializer = "bytes") -> Topic:
    return app.topic(f"{NAMESPACE}-{name}", "bytes", "bytes", serializer, "bytes")


events = topic("grade-events", PassedValue())


def taken_in(value: bytes, _key: object, timestamp: int, _headers: object) -> flow.Passed | None:
    taken = flow.take_in(reader, value, timestamp)
    return taken if isinstance(taken, flow.Passed) else None


class Stage:
    """Partitions of ``grade-events``, each with a clock that goes by the records it is given.

    Quix Streams keeps state by key, and gives none to a record without one: what steers the flow
    does not come here.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._partitions: dict[int, Partition] = {}
        self._worked: Counter[int] = Counter()
        self._state: State | None = None

    def scored(
        self, value: bytes, _key: object, timestamp: int, _headers: object, state: State
    ) -> list[bytes]:
        """Return the staff's alerts of an event."""
        context = message_context()
        number, self._state = context.partition, state
        if number not in self._partitions:
            self._partitions[number] = feed.a_partition(number, feed.Rows(self._get, self._put))
        partition = self._partitions[number]
        told = partition.step(value, context.offset, None).told
        self._worked[number] += 1
        if self._worked[number] % (feed.EVERY // feed.PARTITIONS) == 0:
            partition.step(feed.watermark(instant(timestamp)), context.offset, None)
        return [alerts.encode(alert) for _, alert in told if alert.audience == alerts.STAFF]

    def _get(self, _owner: bytes, item: bytes) -> bytes | None:
        assert self._state is not None  # noqa: S101 - within scored
        held: Any = self._state.get_bytes(item.decode())
        return None if held is None else bytes(held)

    def _put(self, _owner: bytes, item: bytes, row: bytes) -> None:
        assert self._state is not None  # noqa: S101 - within scored
        self._state.set_bytes(item.decode(), row)


def is_event(_value: bytes, key: bytes | None, _timestamp: int, _headers: object) -> bool:
    return key is not None


if STAGE == "whole":
    intake = app.dataframe(topic("canvas-live-events")).apply(taken_in, metadata=True)
    intake.filter(lambda passed: passed is not None).to_topic(events, key=lambda told: told.key)

scoring = app.dataframe(events).filter(is_event, metadata=True)
scoring = scoring.apply(Stage().scored, stateful=True, metadata=True, expand=True)
scoring.to_topic(topic("grade-alerts"))

if __name__ == "__main__":
    app.run()
