"""The access audit: who looked at what goes to its own topic, and no request waits for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Final

from mode import Service

from streams.access.entries import encode
from streams.engine.blocking import Failed
from streams.engine.outputs import Outputs, Produced
from streams.engine.transactions import Writer
from streams.errors import GradewatchError

if TYPE_CHECKING:
    from streams.access.entries import Entry
    from streams.metrics import Metrics
    from streams.security import Kafka

log = logging.getLogger("gradewatch.access")

WAITING: Final = 10_000
"""Entries that wait for Kafka, at most; then the newest are lost, counted and warned of."""

TOGETHER: Final = 500
"""Entries that are written at once, at most."""

ANY_PARTITION: Final = -1
"""librdkafka's word for the one that the key falls to."""

STOP_SECONDS: Final = 4.0
"""How long the last ones may take."""

AGAIN_SECONDS: Final = 1.0


class Audit(Service):
    """Writes entries to ``grade-access-audit``, in a thread of its own."""

    def __init__(self, kafka: Kafka, group: str, topic: str, metrics: Metrics) -> None:
        """Remember where; nothing connects before the first.

        Args:
            kafka: Where it is, and how to get in.
            group: The workers' consumer group: names the client.
            topic: Name of ``grade-access-audit`` in this namespace.
            metrics: Where losses are counted.
        """
        super().__init__()
        self._writer = Writer(kafka, f"{group}-audit", None)
        self._topic, self._metrics = topic, metrics
        self._waiting: queue.Queue[Entry] = queue.Queue(WAITING)
        self._lost = 0
        self._failed = ""
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, entry: Entry) -> None:
        """An entry is on its way; it never waits, and never fails."""
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self._lost += 1
            self._metrics.audit_lost.inc()

    def warnings(self) -> list[str]:
        """Return what is wrong with the audit."""
        found = [f"{self._lost} entries of the access audit are lost"] if self._lost else []
        if self._failed:
            found.append(f"the access audit waits, {self._waiting.qsize()} entries: {self._failed}")
        return found

    async def on_start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    async def on_stop(self) -> None:
        """What was noted is written, where Kafka takes it."""
        self._ending.set()
        deadline = time.monotonic() + STOP_SECONDS
        while self._thread is not None and self._thread.is_alive() and time.monotonic() < deadline:
            await self.sleep(0.02)
        if not self._waiting.empty():
            log.warning("%d entries of the access audit are lost", self._waiting.qsize())

    def _run(self) -> None:
        while not (self._ending.is_set() and (self._waiting.empty() or self._failed)):
            try:
                entries = [self._waiting.get(timeout=0.1)]
            except queue.Empty:
                continue
            while len(entries) < TOGETHER and not self._waiting.empty():
                entries.append(self._waiting.get_nowait())
            self._write(entries)

    def _write(self, entries: list[Entry]) -> None:
        """Write until it is taken: an audit that skips what Kafka did not take is none."""
        outputs = Outputs()
        for entry in entries:
            value = encode(entry)
            outputs.add(self._topic, ANY_PARTITION, Produced(entry.who.encode(), value, 0, []))
        while True:
            try:
                self._writer.produce(outputs)
            except (Failed, GradewatchError) as error:
                self._writer.forget()
                if not self._failed:
                    log.warning("the access audit is not written: %s; trying again", error.args[0])
                self._failed = str(error.args[0])
                if self._ending.wait(AGAIN_SECONDS):
                    return
            else:
                self._failed = ""
                return
