"""What goes in and what comes out: Canvas events written, alerts waited for.

All through librdkafka, whose calls block: they work in a test that runs in an event loop, too.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from streams.cli import alerts as shown
from streams.core.topic_file import RAW
from streams.errors import BrokerError, GradewatchError

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.cli.process import WorkerProcess
    from streams.testing.stage import Stage

    Event = Mapping[str, Any] | bytes | str

log = logging.getLogger("librdkafka")

ANSWER_SECONDS: Final = 10.0
"""What Kafka may take for one answer."""

WAIT_SECONDS: Final = 30.0
"""How long alerts are waited for, unless said otherwise."""

_POLL_SECONDS: Final = 0.1


class Send:
    """Writes Canvas events to the raw topic, in order: all to one partition."""

    def __init__(self, stage: Stage) -> None:
        """Connect at the first call."""
        self._stage = stage
        self._producer: Producer | None = None

    def __call__(self, events: Event | Iterable[Event]) -> int:
        """Return how many records Kafka has acknowledged: all of them.

        Args:
            events: One or several. A mapping is written as JSON; bytes and text as they are.

        Raises:
            BrokerError: Kafka does not answer in time, or refuses.
        """
        some = [events] if isinstance(events, Mapping | bytes | str) else events
        values = [_value(event) for event in some]
        failures: list[object] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        topic = self._stage.topics[RAW]
        if self._producer is None:
            told = {"enable.idempotence": True, "message.max.bytes": 4 << 20}
            self._producer = Producer({**self._stage.kafka.librdkafka(), **told}, logger=log)
        try:
            for value in values:
                self._producer.produce(topic, value, partition=0, on_delivery=delivered)
            if left := self._producer.flush(ANSWER_SECONDS):
                failures.append(f"{left} not acknowledged within {ANSWER_SECONDS:.0f} s")
        except (KafkaException, BufferError) as error:
            failures.append(error)
        if failures:
            raise BrokerError(
                f"Kafka at {self._stage.kafka} did not take events for {topic}: {failures[0]}",
                "look at the log of your Kafka",
            )
        return len(values)


class Alerts:
    """Waits for alerts, committed ones only, each once, as the JSON objects that the topic holds.

    Attributes:
        worker: Whose alerts they are.
    """

    def __init__(self, stage: Stage, worker: WorkerProcess) -> None:
        """Start to read."""
        self.worker = worker
        self._stage = stage
        self._came: list[dict[str, Any]] = []
        self._given = 0
        self._ends: dict[int, int] = {}  # how far each partition was read
        told = stage.kafka.librdkafka() | {
            "group.id": stage.settings.group,  # to ask what it has committed; nobody joins it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
        self._reader = Consumer({**told, "isolation.level": "read_committed"}, logger=log)
        self._watcher = Consumer({**told, "isolation.level": "read_uncommitted"}, logger=log)
        places = self._places("grade-alerts")
        self._reader.assign(
            [TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in places]
        )

    def __call__(
        self, count: int | None = None, timeout: float = WAIT_SECONDS
    ) -> list[dict[str, Any]]:
        """Return the next alerts; those of one student in their order.

        Args:
            count: How many; more that came meanwhile are kept for the next call. None: all that
                come of what was sent so far, which may be none: the worker has worked on all of it.
            timeout: Seconds in which they must come, or the test fails; it is told what came, what
                became of the events, and what the worker's log says.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        wanted = "the end of what was sent" if count is None else f"{count} alerts"
        try:
            while not (self._has_all() if count is None else self._has(count)):
                self._fetch()
                if time.monotonic() > deadline:
                    raise self._missing(f"{wanted} did not come within {timeout:g} s")
                self._require_more()
        except (GradewatchError, KafkaException) as error:
            raise pytest.fail.Exception(str(error)) from None
        end = len(self._came) if count is None else self._given + count
        alerts, self._given = self._came[self._given : end], end
        return alerts

    def close(self) -> None:
        """Nothing is read any more."""
        self._reader.close()
        self._watcher.close()

    def _has(self, count: int) -> bool:
        return len(self._came) - self._given >= count

    def _has_all(self) -> bool:
        """Tell whether all that was sent is worked on, and its alerts are read.

        The order matters: what a topic holds is asked after the topic before it is worked through.
        """
        return self._is_worked(RAW) and self._is_worked("grade-events") and self._is_read()

    def _is_read(self) -> bool:
        """Tell whether all alerts that stand on the topic were fetched."""
        return all(
            self._ends.get(place.partition, 0) >= self._end(place)
            for place in self._places("grade-alerts")
        )

    def _require_more(self) -> None:
        """Return while alerts may still come.

        Raises:
            GradewatchError: The worker ended, and all that it wrote was read.
        """
        try:
            self.worker.require_alive()
        except GradewatchError:
            if self._is_read():
                raise

    def _is_worked(self, topic: str) -> bool:
        """Tell whether the workers have committed all that a topic holds."""
        committed = self._watcher.committed(self._places(topic), timeout=ANSWER_SECONDS)
        return all(max(place.offset, 0) >= self._end(place) for place in committed)

    def _places(self, topic: str) -> list[TopicPartition]:
        name = self._stage.topics[topic]
        return [TopicPartition(name, number) for number in range(self._stage.partitions[topic])]

    def _end(self, place: TopicPartition) -> int:
        """Return the offset after a partition's last record, whoever may see it yet."""
        there = TopicPartition(place.topic, place.partition)
        _, end = self._watcher.get_watermark_offsets(there, timeout=ANSWER_SECONDS)
        return int(end)

    def _fetch(self) -> None:
        """Take what comes within a moment."""
        for message in self._reader.consume(500, timeout=_POLL_SECONDS):
            error = message.error()
            if error is None:
                self._came.append(json.loads(message.value() or b""))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
                self._ends[message.partition() or 0] = message.offset() or 0
            else:
                raise KafkaException(error)

    def _missing(self, what: str) -> GradewatchError:
        """Return what to say of alerts that do not come."""
        numbers = self.worker.numbers()
        fates = [
            f"{agent} {fate}: {n}"
            for (agent, fate), n in sorted(numbers.fates.items())
            if n and fate != "control"
        ]
        refused = [f"refused, {reason}: {n}" for reason, n in sorted(numbers.refused.items()) if n]
        came = [shown.line(alert) for alert in self._came[self._given :]]
        return self.worker.failure(
            "\n  ".join(
                [
                    what,
                    f"alerts: {len(came)} came"
                    + (", " + str(self._given) + " before" if self._given else ""),
                    *came,
                    "events: " + ("; ".join([*fates, *refused]) or "none was worked on"),
                    "log of the worker:",
                ]
            )
        )


def _value(event: Event) -> bytes:
    if isinstance(event, Mapping):
        return json.dumps(event).encode()
    return event.encode() if isinstance(event, str) else event
