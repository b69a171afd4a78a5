"""``grade-events`` as intake leaves it, for runs that begin there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Producer

from benchmarks import feed
from streams.core import events
from streams.core.instants import instant
from streams.core.replay import announcement
from streams.engine.routing import partition_of

if TYPE_CHECKING:
    from streams.core import flow
    from streams.core.rules import Rules


class Log:
    """``grade-events`` being filled as intake would: rules first, watermarks now and then."""

    def __init__(self, servers: str, topic: str, raw_topic: str, rules: Rules = feed.RULES) -> None:
        """Write the rules."""
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 50})
        self._topic, self._raw_topic = topic, raw_topic
        self._written, self._latest = 0, ""
        self._everywhere(events.encode(announcement(rules, instant(0))), 0)

    def write(self, taken: flow.Passed, timestamp: int, offset: int) -> None:
        """Write an event; timestamp in milliseconds since 1970, offset of its raw record."""
        headers = [
            ("gradewatch.topic", self._raw_topic.encode()),
            ("gradewatch.partition", b"0"),
            ("gradewatch.offset", str(offset).encode()),
        ]
        place = partition_of(taken.key, feed.PARTITIONS)
        self._producer.produce(
            self._topic, taken.value, taken.key, place, timestamp=timestamp, headers=headers
        )
        self._latest = max(self._latest, min(taken.event_time, instant(timestamp)))
        self._written += 1
        if self._written % feed.EVERY == 0:
            self._everywhere(feed.watermark(self._latest), timestamp)
            self._producer.flush()

    def close(self) -> None:
        """All is written, a last watermark with it."""
        if self._latest:
            self._everywhere(feed.watermark(self._latest), 0)
        self._producer.flush()

    def _everywhere(self, value: bytes, timestamp: int) -> None:
        for place in range(feed.PARTITIONS):
            self._producer.produce(self._topic, value, None, place, timestamp=timestamp)
