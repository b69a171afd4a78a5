"""From a raw record's produce to a reader's receipt of its alert, read_committed, at a steady rate.

make bench WHAT=latency ARGS="--rate 5000 --seconds 30"
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.flow import END, kafka, prepared
from benchmarks.peers import OURS
from benchmarks.reading import committed_records
from streams.simulator import semester

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from benchmarks.peers import Job

WARM_SECONDS = 60
"""A broker just started spends a core on compiling itself for about so long."""

TICK_SECONDS = 0.005
SETTLE_SECONDS = 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, default=5_000)
    arguments.add_argument("--seconds", type=int, default=30)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        job = prepared(servers, Path(scratch), "whole", 1)
        with OURS.running(job):
            waited, alerts = measure(job, chosen.rate, chosen.seconds)
    cuts = [1000 * cut for cut in quantiles(waited, n=100)]
    print(
        f"{chosen.rate:,} events/s for {chosen.seconds} s, {alerts} alerts: "
        f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, most {1000 * max(waited):.0f} ms"
    )


def measure(job: Job, rate: int, seconds: int) -> tuple[list[float], int]:
    """Return how long each alert took, the first seconds left out; and how many there were."""
    sent: dict[tuple[int, int], float] = {}
    received: dict[tuple[int, int], float] = {}
    over = Event()
    reader = Thread(target=read, args=(job, received, over))
    reader.start()
    play(job, rate, WARM_SECONDS + seconds, sent)
    time.sleep(SETTLE_SECONDS)
    over.set()
    reader.join()
    warm = min(sent.values()) + WARM_SECONDS
    began = {place: sent.get(raw, 0) for place, raw in sources(job).items()}
    waited = [came - began[place] for place, came in received.items() if began[place] > warm]
    return waited, len(waited)


def sources(job: Job) -> dict[tuple[int, int], tuple[int, int]]:
    """Return of each event on ``grade-events``, by where it stands, where its raw record stands."""
    found = {}
    servers = str(job.settings.kafka_bootstrap_servers)
    for record in committed_records(servers, job.settings.topic("grade-events")):
        headers = dict(record.headers() or ())
        if headers:  # an event: what steers the flow has none
            raw = int(headers["gradewatch.partition"]), int(headers["gradewatch.offset"])
            found[record.partition(), record.offset()] = raw
    return found


def play(job: Job, rate: int, seconds: int, sent: dict[tuple[int, int], float]) -> None:
    """Send at a rate; note when each record was given to the producer, by where it stands."""
    producer = Producer(
        {"bootstrap.servers": str(job.settings.kafka_bootstrap_servers), "linger.ms": 5}
    )
    records = list(semester(9, rate * seconds, END))  # made beforehand: the cores are shared
    gc.freeze()  # nor shall their number make the load stutter
    began = time.monotonic()

    def noting(at: float) -> object:
        def note(error: KafkaError | None, message: Message) -> None:
            if error is None:
                sent[message.partition(), message.offset()] = at

        return note

    for number, record in enumerate(records, 1):
        if number % max(1, int(rate * TICK_SECONDS)) == 0:
            producer.poll(0)
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        now = time.monotonic()
        producer.produce(
            job.source, record.value, None, number % 4,
            timestamp=record.timestamp_ms, on_delivery=noting(now),
        )  # fmt: skip
    producer.flush()


def read(job: Job, received: dict[tuple[int, int], float], over: Event) -> None:
    """Note when each alert came, by the record of ``grade-events`` it rests on."""
    topic = job.settings.topic("grade-alerts")
    consumer = Consumer(
        {
            "bootstrap.servers": str(job.settings.kafka_bootstrap_servers),
            "group.id": "latency",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 5,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(4)])
    while not over.is_set():
        for message in consumer.consume(100, 0.02):
            if message.error() is None:
                first = json.loads(message.value())["evidence"][0]
                received.setdefault((first["partition"], first["offset"]), time.monotonic())
    consumer.close()


if __name__ == "__main__":
    main()
