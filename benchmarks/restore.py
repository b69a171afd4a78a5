"""Rows per second that a worker restores from its changelog before it is ready.

make bench WHAT=restore ARGS="--rows 500000"
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.feed import PARTITIONS, RULES
from benchmarks.flow import kafka, prepared
from benchmarks.memory import end_of
from streams.cli.process import WorkerProcess
from streams.core.clock import ITEM, OWNER, State, encode_state
from streams.core.events import student_key
from streams.core.rows import encode_row
from streams.engine.routing import partition_of
from streams.engine.table import changelog_key

if TYPE_CHECKING:
    from benchmarks.peers import Job

COURSES = 5
"""Rows of a student."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=500_000)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        found = [measure(servers, Path(scratch), chosen.rows) for _ in range(chosen.runs)]
    rates = [records / seconds for records, seconds, _ in found]
    ready = median(start for _, _, start in found)
    print(
        f"{chosen.rows:,} rows: {median(rates):,.0f} rows/s "
        f"({min(rates):,.0f} to {max(rates):,.0f} in {chosen.runs} runs); "
        f"ready {ready:.1f} s after the start of the process"
    )


def measure(servers: str, scratch: Path, rows: int) -> tuple[float, float, float]:
    """Restore from a changelog that no worker has written to yet."""
    job = prepared(servers, scratch, "keyed", 1)
    fill_changelog(job, rows)
    return restored(job)


def fill_changelog(job: Job, rows: int) -> None:
    """The changelog holds rows of the end of a semester, of made-up students.

    And the rules by which they were judged: a worker that finds none judges every row anew.
    """
    topic = job.settings.topic("grade-scores-changelog")
    values = cycle([encode_row(row) for row in end_of(30_000, 1).values()])
    servers = str(job.settings.kafka_bootstrap_servers)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 50})
    for number in range(rows):
        student = student_key("bench", str(number // COURSES))
        key = changelog_key(student, str(500 + number % (40 * COURSES)).encode())
        producer.produce(topic, next(values), key, partition_of(student, PARTITIONS))
        if number % 10_000 == 0:
            producer.flush()
    state = encode_state(State(rules=RULES.canonical()))
    for partition in range(PARTITIONS):
        producer.produce(topic, state, changelog_key(OWNER, ITEM), partition)
    producer.flush()


def restored(job: Job) -> tuple[float, float, float]:
    """Return how many rows were restored, in how many seconds, and when the worker was ready."""
    worker = WorkerProcess(job.settings, job.scratch / "restore.log")
    began = time.monotonic()
    with worker:
        ready = time.monotonic() - began
        numbers = {
            (sample.name, sample.labels.get("of")): sample.value
            for family in text_string_to_metric_families(worker.get("/metrics"))
            for sample in family.samples
        }
    records = numbers["gradewatch_restore_records", "done"]
    return records, numbers["gradewatch_restore_seconds", None], ready


if __name__ == "__main__":
    main()
