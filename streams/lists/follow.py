"""The lists follow their two topics, in a thread beside the event loop, from the beginning on.

Records are handed over by the hundred: the loop that scores is never held up for long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, KafkaException, Message, TopicPartition
from mode import Service

from streams.engine.blocking import Failed
from streams.engine.reading import is_end, look, reader
from streams.errors import GradewatchError
from streams.lists.news import News

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Consumer

    from streams.lists.store import Alerts
    from streams.metrics import Metrics
    from streams.security import Kafka

log = logging.getLogger("gradewatch.lists")

CHUNK: Final = 200
"""Records taken at once: some milliseconds of the event loop."""

LOOK_SECONDS: Final = 600.0
"""How often what Kafka has deleted is forgotten."""

AGAIN_SECONDS: Final = 2.0
"""After how long it is tried again to connect."""

ANSWER_SECONDS: Final = 10.0
"""How long Kafka may take to say where a partition begins and ends."""

Place = tuple[str, int]
"""A topic and a partition."""


class Followed(NamedTuple):
    """The topics of the lists, of as many partitions each.

    Attributes:
        state: Name of ``grade-alerts-state`` in this namespace.
        actions: Name of ``grade-alert-actions``.
        partitions: How many both have.
    """

    state: str
    actions: str
    partitions: int

    def places(self) -> list[Place]:
        """Return the partitions of both."""
        return [
            (t, number) for t in (self.state, self.actions) for number in range(self.partitions)
        ]


class Follower(Service):
    """Keeps the lists as their topics say.

    Attributes:
        news: Told of every alert that changes once the lists are caught up.
        failed: Why they may be behind; empty: they are not, or only catching up.
    """

    def __init__(
        self,
        kafka: Kafka,
        group: str,
        topics: Followed,
        alerts: Alerts,
        metrics: Metrics,
    ) -> None:
        """Remember what is followed; nothing connects yet.

        Args:
            kafka: Where it is, and how to get in.
            group: The workers' consumer group; it is not joined.
            topics: What is followed.
            alerts: What is kept.
            metrics: Where it is counted.
        """
        super().__init__()
        self._kafka, self._group, self._topics = kafka, group, topics
        self._alerts, self._metrics = alerts, metrics
        self.news = News()
        self._next: dict[Place, int] = {}
        self._ahead = set(topics.places())  # whose end was not reached yet
        self._read, self._total = 0, 0
        self._stop = Event()
        self._thread: Thread | None = None
        self._began = time.monotonic()
        self.failed = ""

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there at the start is listed."""
        return not self._ahead

    def why_not(self) -> list[str]:
        """Return why lists cannot be shown yet; nothing where they can."""
        if self.caught_up:
            return []
        done = f"reading alerts: {self._read:,} of about {self._total:,} records"
        return [f"{done}; {self.failed}" if self.failed else done]

    async def on_start(self) -> None:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, args=(loop,), name="lists", daemon=True)
        self._thread.start()

    async def on_stop(self) -> None:
        """Read no more."""
        self._stop.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stop.is_set():
            try:
                self._follow(loop)
            except (Failed, GradewatchError, KafkaException) as error:
                told = str(error.args[0])
                if told != self.failed:
                    log.warning("alerts cannot be listed: %s; trying again", told)
                self.failed = told
                self._stop.wait(AGAIN_SECONDS)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        consumer = reader(self._kafka, self._group, f"{self._group}-lists")
        try:
            self._forget_deleted(consumer, loop)
            consumer.assign(
                [
                    TopicPartition(*place, self._next.get(place, OFFSET_BEGINNING))
                    for place in self._topics.places()
                ]
            )
            due = time.monotonic() + LOOK_SECONDS
            while not self._stop.is_set():
                messages = look(consumer, CHUNK)
                if messages:
                    self._hand_over(messages, loop)
                if time.monotonic() > due:
                    self._forget_deleted(consumer, loop)
                    due = time.monotonic() + LOOK_SECONDS
        finally:
            consumer.close()

    def _forget_deleted(self, consumer: Consumer, loop: asyncio.AbstractEventLoop) -> None:
        """Retention deletes from the beginning on: what stood before it is not held any longer."""
        starts, total = dict[Place, int](), 0
        for place in self._topics.places():
            found = consumer.get_watermark_offsets(TopicPartition(*place), ANSWER_SECONDS)
            if found is None:
                raise Failed("Kafka does not say where partitions begin")
            starts[place] = found[0]
            total += found[1] - found[0]
        self._total = total
        state, made = self._topics.state, self._topics.actions

        def forget() -> None:
            self._alerts.forget_before(_of(starts, state), _of(starts, made))

        self._in(loop, forget)

    def _hand_over(self, messages: Sequence[Message], loop: asyncio.AbstractEventLoop) -> None:
        records = list[Message]()
        for message in messages:
            error = message.error()
            if error is None:
                records.append(message)
            elif is_end(error):
                self._ended((str(message.topic()), int(message.partition() or 0)), records, loop)
            elif not error.retriable():
                raise KafkaException(error.str())
        if records:
            self._in(loop, lambda: self._take(records))
            self.failed = ""

    def _ended(self, place: Place, records: list[Message], loop: asyncio.AbstractEventLoop) -> None:
        """What came before a partition's end is listed before that is said to be reached."""
        self.failed = ""
        if place not in self._ahead:
            return
        taken, records[:] = list(records), []
        self._in(loop, lambda: self._take(taken))
        self._ahead.discard(place)
        if not self._ahead:
            self._metrics.lists_caught_up.set(1)
            seconds = time.monotonic() - self._began
            log.info(
                "%d alerts are listed (%d records, %.1f s)", len(self._alerts), self._read, seconds
            )

    def _in(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        """Call in the event loop, and wait for it: there is never more than one on its way."""
        done = Event()

        def run() -> None:
            try:
                call()
            finally:
                done.set()

        with suppress(RuntimeError):  # the loop has gone
            loop.call_soon_threadsafe(run)
            while not done.wait(0.5) and not self._stop.is_set():
                pass

    def _take(self, records: Sequence[Message]) -> None:
        for record in records:
            topic, partition = str(record.topic()), int(record.partition() or 0)
            offset = int(record.offset() or 0)
            key, value = record.key() or b"", record.value()
            try:
                if topic == self._topics.state:
                    held = self._alerts.take_alert(key, value, partition, offset)
                    if held is not None and self.caught_up:
                        self.news.tell(held)
                else:
                    self._alerts.take_action(key, value, partition, offset)
            except (ValueError, msgspec.MsgspecError):
                self._metrics.lists_unreadable.inc()
                log.warning("%s[%s] offset %s is not listed: unreadable", topic, partition, offset)
            self._next[topic, partition] = offset + 1
        self._read += len(records)
        self._metrics.alerts_listed.set(len(self._alerts))


def _of(starts: Mapping[Place, int], topic: str) -> dict[int, int]:
    return {number: start for (name, number), start in starts.items() if name == topic}
