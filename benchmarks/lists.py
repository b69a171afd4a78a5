"""How long a list of 500 alerts takes while the worker is under load, and what it costs the load.

make bench WHAT=lists ARGS="--rate 5000 --seconds 30"
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread
from typing import TYPE_CHECKING

from benchmarks.flow import kafka, prepared, rate_of
from benchmarks.latency import play
from benchmarks.peers import OURS, UNIVERSITY
from streams.broker import ports
from streams.cli.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.peers import Job

HELD = 60_000
"""Events worked on before anybody asks: some 2,000 alerts."""

ASKED = {
    "JSON": "/api/v1/alerts?limit=500",
    "JSON, with score histories": "/api/v1/alerts?limit=500&include=points",
    "page": "/alerts?limit=500",
    "page of 50, as it opens": "/alerts",
}

PAUSE_SECONDS = 0.9
"""Between an answer and the next question: about one list a second, as one who reloads it does."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, default=5_000)
    arguments.add_argument("--seconds", type=int, default=30)
    arguments.add_argument("--events", type=int, default=120_000)
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        where = Path(scratch)
        job = with_port(prepared(servers, where, "whole", HELD, UNIVERSITY))
        with worker(job) as running:
            running.await_ready()
            rate_of(job, OURS)
            listed = json.loads(running.get("/api/v1/alerts?limit=500"))
            print(f"{listed['total']:,} alerts, {len(listed['alerts'])} of them a list", flush=True)
            for name, path in ASKED.items():
                print(f"{name}, idle: {told(times(running.url + path, seconds=10))}", flush=True)
            for name, path in ASKED.items():
                load = Thread(target=play, args=(job, chosen.rate, chosen.seconds + 5, {}))
                load.start()
                time.sleep(5)
                found = times(running.url + path, seconds=chosen.seconds - 5)
                load.join()
                print(f"{name}, {chosen.rate:,} events/s: {told(found)}", flush=True)
        if not chosen.runs:
            return
        rates: dict[str, list[float]] = {"nobody asks": [], "a list a second": []}
        for _ in range(chosen.runs + 1):
            for name, done in rates.items():
                done.append(throughput(servers, where, chosen.events, asks=name != "nobody asks"))
        middle = {name: median(done[1:]) for name, done in rates.items()}  # the first warms up
        alone, beside = middle.values()
        print(f"throughput: {alone:,.0f} events/s, asked for a list a second {beside:,.0f}: "
              f"{beside / alone:.2f}")  # fmt: skip


def with_port(job: Job) -> Job:
    """Return a job whose worker has a port that is known beforehand."""
    told = {"web_port": ports.choose(0), "web_rate": 10_000}
    return replace(job, settings=job.settings.model_copy(update=told))


@contextmanager
def worker(job: Job) -> Iterator[WorkerProcess]:
    running = WorkerProcess(job.settings, job.scratch / "ours.log")
    running.start()
    try:
        yield running
    finally:
        running.stop()


def throughput(servers: str, scratch: Path, events: int, *, asks: bool) -> float:
    """Return events a second of a worker that catches up, asked for lists meanwhile or not."""
    job = with_port(prepared(servers, scratch, "whole", events, UNIVERSITY))
    with worker(job) as running:
        over = Event()
        asking = Thread(target=ask, args=(running.url + ASKED["JSON, with score histories"], over))
        if asks:
            asking.start()
        rate = rate_of(job, OURS)
        over.set()
        if asks:
            asking.join()
    return rate


def ask(url: str, over: Event) -> None:
    while not over.wait(PAUSE_SECONDS):
        try:
            urllib.request.urlopen(url, timeout=10).read()  # noqa: S310 - our own worker
        except OSError:
            continue  # not ready yet


def times(url: str, seconds: float) -> list[float]:
    """Return how long each answer took, in seconds."""
    found, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        urllib.request.urlopen(url, timeout=10).read()  # noqa: S310 - our own worker
        found.append(time.monotonic() - began)
        time.sleep(0.1)
    return found


def told(found: list[float]) -> str:
    cuts = [1000 * cut for cut in quantiles(found, n=20)]
    return (
        f"p50 {cuts[9]:.0f} ms, p95 {cuts[18]:.0f} ms, most {1000 * max(found):.0f} ms "
        f"({len(found)} answers)"
    )


if __name__ == "__main__":
    main()
