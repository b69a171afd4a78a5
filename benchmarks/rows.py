"""Events per second of the keyed stage with more and more rows held: the cost shall not grow.

make bench WHAT=rows ARGS="--rows 1000 10000 100000 1000000"
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.filling import Log
from benchmarks.flow import END, kafka, prepared, rate_of
from benchmarks.peers import OURS
from benchmarks.restore import COURSES, fill_changelog
from streams.core import flow
from streams.core.events import student_key
from streams.core.intake import Reader
from streams.simulator import semester


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000]
    )
    arguments.add_argument("--events", type=int, default=100_000)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        for rows in chosen.rows:
            job = prepared(servers, Path(scratch), "whole", 1)
            fill_changelog(job, rows)
            students = max(1, rows // COURSES)
            topic = job.settings.topic("grade-events")
            fill_events(servers, topic, chosen.events, students)
            job = replace(job, stage="keyed")
            with OURS.running(job):
                rate = rate_of(job, OURS)
            print(
                f"{rows:>9,} rows held: {rate:>9,.0f} events/s, {1e6 / rate:.0f} us each",
                flush=True,
            )


def fill_events(servers: str, topic: str, events: int, students: int) -> None:
    """``grade-events`` holds a semester's events, dealt out to the students whose rows are held."""
    reader, log = Reader(), Log(servers, topic, "raw")
    for number, raw in enumerate(semester(1, events, END)):
        taken = flow.take_in(reader, raw.value, raw.timestamp_ms)
        if not isinstance(taken, flow.Passed):
            continue
        tenant, _, student = taken.key.decode().rpartition(":")
        # A stride that meets all of them, far apart.
        dealt = str(number * 7919 % students)
        value = taken.value.replace(
            f'"student_id":"{student}"'.encode(), f'"student_id":"{dealt}"'.encode()
        ).replace(f'"tenant":"{tenant}"'.encode(), b'"tenant":"bench"')
        passed = flow.Passed(student_key("bench", dealt), value, taken.event_time)
        log.write(passed, raw.timestamp_ms, number)
    log.close()


if __name__ == "__main__":
    main()
