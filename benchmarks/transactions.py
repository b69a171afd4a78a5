"""Two ways to commit a batch exactly once, side by side on one broker (decision 0006).

aiokafka: a producer with a transactional id for each source partition, all in one event loop.
librdkafka: one producer for all partitions, which commits what has come meanwhile (KIP-447).

Events come at a rate, spread over the source partitions; each gives one record of 400 bytes on one
of four partitions. What is shown: the time from an event's coming to the end of its transaction.

    make bench WHAT=transactions ARGS="--rate 5000 --partitions 4 12"
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import aiokafka
from faust.types import TP
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from benchmarks.flow import kafka
from streams.engine.outputs import Outputs, Produced
from streams.engine.transactions import Member, Writer
from streams.security import Kafka

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TARGETS = 4
RECORD = Produced(b"key", b"x" * 400, 0, [])
IDLE_SECONDS = 0.005


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, nargs="+", default=[1_000, 5_000])
    arguments.add_argument("--partitions", type=int, nargs="+", default=[4, 12])
    arguments.add_argument("--seconds", type=float, default=10)
    chosen = arguments.parse_args()
    logging.disable()  # a new topic has no leader yet: told many times a second
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        asyncio.run(_Run(servers, 4, 2_000, 5).measure(with_librdkafka))  # the broker gets warm
        for partitions in chosen.partitions:
            for rate in chosen.rate:
                for way in (with_aiokafka, with_librdkafka):
                    run = _Run(servers, partitions, rate, chosen.seconds)
                    asyncio.run(run.measure(way))
                    print(f"{way.__name__:16} {run}", flush=True)


class _Run:
    """One measurement."""

    def __init__(self, servers: str, partitions: int, rate: int, seconds: float) -> None:
        name = f"bench-{secrets.token_hex(3)}"
        self.servers, self.partitions, self.rate, self.seconds = servers, partitions, rate, seconds
        self.source, self.target = f"{name}-source", f"{name}-target"
        self.taken = [0] * partitions
        self.waited: list[float] = []
        self.transactions = 0
        self.began = self.cpu = 0.0
        admin = KafkaAdminClient(bootstrap_servers=servers)
        admin.create_topics([NewTopic(self.source, partitions, 1), NewTopic(self.target, 4, 1)])
        admin.close()

    async def measure(self, way: Callable[[_Run], Awaitable[None]]) -> None:
        cpu = time.process_time()
        await way(self)
        self.cpu = time.process_time() - cpu

    def begin(self) -> None:
        self.began = time.perf_counter()

    @property
    def over(self) -> bool:
        return time.perf_counter() > self.began + self.seconds

    def take(self, partition: int) -> int:
        """Return how many events have come to a partition since the last time."""
        each = self.rate / self.partitions
        come = int((time.perf_counter() - self.began) * each)
        new, self.taken[partition] = come - self.taken[partition], come
        return new

    def outputs(self, events: int) -> Outputs:
        outputs = Outputs()
        for number in range(events):
            outputs.add(self.target, number % TARGETS, RECORD)
        return outputs

    def committed(self, partition: int, events: int) -> None:
        """Note how long the oldest of some events, now committed, has waited."""
        came = (self.taken[partition] - events) * self.partitions / self.rate
        self.waited.append(time.perf_counter() - self.began - came)

    def __str__(self) -> str:
        cuts = [1000 * cut for cut in quantiles(self.waited, n=100)]
        cpu = 1e6 * self.cpu / sum(self.taken)
        return (
            f"{self.partitions:3} partitions {self.rate:6,} events/s  "
            f"p50 {cuts[49]:5.0f} ms  p99 {cuts[98]:5.0f} ms  "
            f"{self.transactions / self.seconds:5.0f} transactions/s  {cpu:5.0f} us CPU/event"
        )


async def with_aiokafka(run: _Run) -> None:
    producers = [
        aiokafka.AIOKafkaProducer(
            bootstrap_servers=run.servers,
            transactional_id=f"{run.source}-{number}",
            linger_ms=0,
            retry_backoff_ms=5,
            max_batch_size=900 * 1024,
        )
        for number in range(run.partitions)
    ]
    await asyncio.gather(*(producer.start() for producer in producers))
    run.begin()

    async def lane(partition: int, producer: aiokafka.AIOKafkaProducer) -> None:
        while not run.over:
            events = run.take(partition)
            if not events:
                await asyncio.sleep(IDLE_SECONDS)
                continue
            await producer.begin_transaction()
            sent = []
            for (topic, target), records in run.outputs(events).records.items():
                batch = producer.create_batch()
                for key, value, _, _ in records:
                    batch.append(key=key, value=value, timestamp=None)
                batch.close()
                sent.append(await producer.send_batch(batch, topic, partition=target))
            await asyncio.gather(*sent)
            position = {aiokafka.TopicPartition(run.source, partition): run.taken[partition]}
            await producer.send_offsets_to_transaction(position, run.source)
            await producer.commit_transaction()
            run.committed(partition, events)
            run.transactions += 1

    await asyncio.gather(*(lane(number, producer) for number, producer in enumerate(producers)))
    for producer in producers:
        await producer.stop()


async def with_librdkafka(run: _Run) -> None:
    writer = Writer(Kafka(run.servers), "bench", run.source)
    writer.start()
    run.begin()
    while not run.over:
        came = {number: run.take(number) for number in range(run.partitions)}
        came = {number: events for number, events in came.items() if events}
        if not came:
            await asyncio.sleep(IDLE_SECONDS)
            continue
        ends = {TP(run.source, number): run.taken[number] for number in came}
        member = Member(run.source, -1, "", None)
        steps = [run.outputs(events) for events in came.values()]
        await asyncio.to_thread(writer.transact, steps, ends, member)
        for number, events in came.items():
            run.committed(number, events)
        run.transactions += 1
    writer.abandon()


if __name__ == "__main__":
    main()
