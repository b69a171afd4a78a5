"""What kill -9 does to four ways of doing the job: a plain Faust app, the same with its own
``exactly_once``, a Kafka Streams app, and ours.

Each gets the same semester in bursts and is killed in the middle of every one, started again at
once, and left to finish. What stands in the end is compared with what the same program makes of the
same input without kills, so that nobody is judged by another's rules. Readers are read_committed.

    make bench WHAT=headline ARGS="--kills 6 --burst 3000"
"""  # noqa: D205 - one sentence

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer
from kafka import KafkaAdminClient

from benchmarks.flow import END, committed, ends, kafka
from benchmarks.headline_judge import Outcome, outcome
from benchmarks.peers import HEADLINE, Job, Peer
from streams import admin
from streams.broker import ports
from streams.core import flow
from streams.core.intake import Reader
from streams.engine.routing import partition_of
from streams.settings import load
from streams.simulator import semester

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.simulator import RawRecord

PATIENCE_SECONDS = 300
KILL_AFTER_SECONDS = (0.1, 0.6)
"""Between which moments of a burst the kill falls."""


class Run(NamedTuple):
    """One run of one program.

    Attributes:
        outcome: What stood in the end.
        hits: Kills that met records read and not committed.
        recoveries: Seconds from each start after a kill to the next committed offset.
    """

    outcome: Outcome
    hits: int
    recoveries: list[float]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=6)
    arguments.add_argument("--burst", type=int, default=3_000, help="events for each kill")
    arguments.add_argument("--only", nargs="+", choices=HEADLINE, default=list(HEADLINE))
    chosen = arguments.parse_args()
    semesters = list(semester(70, chosen.kills * chosen.burst, END))
    bursts = [semesters[first :: chosen.kills] for first in range(chosen.kills)]
    bursts = [sorted(burst, key=lambda record: record.timestamp_ms) for burst in bursts]
    number = f"{len(semesters):,} events, {chosen.kills} kills"
    print(f"| {number} | records lost | alerts lost | alerts doubled | wrong rows | back after |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        for name in chosen.only:
            peer = HEADLINE[name]
            if why := peer.missing():
                print(f"| {peer.name} | left out: {why} | | | | |")
                continue
            wanted = run(servers, Path(scratch), peer, bursts, kill=False).outcome
            found = run(servers, Path(scratch), peer, bursts, kill=True)
            print(f"| {peer.name} | {told(wanted, found, chosen.kills)} |", flush=True)


def told(wanted: Outcome, found: Run, kills: int) -> str:
    """Return the cells of one program."""
    lost = sum((wanted.events - found.outcome.events).values())
    alerts_lost = sum((wanted.alerts - found.outcome.alerts).values())
    doubled = sum((found.outcome.alerts - wanted.alerts).values())
    wrong = sum(found.outcome.rows.get(key) != row for key, row in wanted.rows.items())
    wrong += len(found.outcome.rows.keys() - wanted.rows.keys())
    back = f"{median(found.recoveries):.1f} s (most {max(found.recoveries):.1f} s)"
    note = "" if found.hits == kills else f", {found.hits} kills hit"
    return (
        f"{lost} | {alerts_lost} of {wanted.alerts.total()} | {doubled} "
        f"| {wrong} of {len(wanted.rows)} | {back}{note}"
    )


def run(
    servers: str, scratch: Path, peer: Peer, bursts: Sequence[list[RawRecord]], *, kill: bool
) -> Run:
    """Return what comes of all bursts."""
    settings = load(
        kafka_bootstrap_servers=servers,
        namespace=f"headline-{secrets.token_hex(3)}",
        data_dir=scratch,
        web_port=ports.choose(0),  # the same at each start: a static member comes back at once
    )
    home = scratch / settings.namespace
    home.mkdir()
    job = Job(settings, "whole", home)
    admin.carry_out(servers, admin.make_plan(settings, create_external=True))
    chance, hits, recoveries = Random(7), 0, list[float]()  # noqa: S311 - to be had again
    client = KafkaAdminClient(bootstrap_servers=servers)
    say = f"{peer.name}{', killed' if kill else ''}"
    try:
        for number, burst in enumerate(bursts):
            with peer.running(job) as program:
                started, before = time.monotonic(), progress(client, peer, job)
                if kill and number == 0:
                    await_joined(client, job)
                player = Thread(target=produce, args=(servers, job.source, burst))
                player.start()
                until(lambda: progress(client, peer, job) > before, say)  # noqa: B023
                if kill and number:
                    recoveries.append(time.monotonic() - started)
                if kill:
                    time.sleep(chance.uniform(*KILL_AFTER_SECONDS))
                    program.kill()
                    hits += lag(client, peer, job) > 0
                player.join()
                if not kill:
                    until(lambda: lag(client, peer, job) == 0, say)
            print(f"{say}: {number + 1} of {len(bursts)}", file=sys.stderr)
        with peer.running(job):
            started, before = time.monotonic(), progress(client, peer, job)
            if kill and lag(client, peer, job):
                until(lambda: progress(client, peer, job) > before, say)
                recoveries.append(time.monotonic() - started)
            until(lambda: lag(client, peer, job) == 0, say)
            time.sleep(5)  # a plain app flushes its outputs when it likes
        return Run(outcome(job, peer), hits, recoveries)
    finally:
        client.close()


def produce(servers: str, topic: str, records: list[RawRecord]) -> None:
    """A student's records stand on one partition, in order: every run is given the same."""
    producer, reader = Producer({"bootstrap.servers": servers, "linger.ms": 5}), Reader()
    for record in records:
        taken = flow.take_in(reader, record.value, record.timestamp_ms)
        key = taken.key if isinstance(taken, flow.Passed) else b""
        place = partition_of(key, 4)
        producer.produce(topic, record.value, None, place, timestamp=record.timestamp_ms)
    producer.flush()


def await_joined(client: KafkaAdminClient, job: Job) -> None:
    """The first kill shall meet a program that works."""
    group = job.settings.group

    def stable() -> bool:
        found = client.describe_groups([group])
        return "Stable" in str(found)

    until(stable, "joining")


def progress(client: KafkaAdminClient, peer: Peer, job: Job) -> int:
    hops = [job.source, peer.between(job)]
    return sum(committed(client, job.settings.group, hops).values())


def lag(client: KafkaAdminClient, peer: Peer, job: Job) -> int:
    """Return the records after the committed offsets, markers of a last transaction left out."""
    hops = [job.source, peer.between(job)]
    done = committed(client, job.settings.group, hops)
    raw, between = (ends(client, hop) for hop in hops)
    return max(0, sum(raw) - done[hops[0]]) + max(0, sum(between) - len(between) - done[hops[1]])


def until(condition: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {PATIENCE_SECONDS} s")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
