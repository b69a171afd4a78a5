"""What kill -9 does to four ways of doing the job: a plain Faust app, the same with its own
``exactly_once``, a Kafka Streams app, and ours.

Each gets the same semester at a steady rate and is killed again and again in the middle of it,
started again at once, and left to finish. What stands in the end is compared with what the same
program makes of the same input without kills, so that nobody is judged by another's rules. Readers
are read_committed.

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
from benchmarks.peers import HEADLINE, Job, Peer, Running
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

PATIENCE_SECONDS = 120
STUCK_SECONDS = 30
RATE = 400
"""Events a second, which a plain Faust app just keeps up with."""

KILL_AFTER_SECONDS = (0.5, 3.0)
"""Between which moments of a burst, after its first commit, the kill falls at the earliest."""

FREEZE_AGAIN_SECONDS = 0.013
"""How long a program goes on where the kill would have met nothing uncommitted."""


class Run(NamedTuple):
    """One run of one program.

    Attributes:
        outcome: What stood in the end.
        hits: Kills that met something uncommitted.
        recoveries: Seconds from each start after a kill to the next committed offset.
    """

    outcome: Outcome
    hits: int
    recoveries: list[float]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=6)
    arguments.add_argument("--burst", type=int, default=2_000, help="events for each kill")
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
    admin.carry_out(admin.bootstrap(settings), admin.make_plan(settings, create_external=True))
    client = KafkaAdminClient(bootstrap_servers=servers)
    try:
        watched = Watched(client, peer, job)
        if kill:
            hits, recoveries = killed(watched, bursts)
        else:
            hits, recoveries = 0, []
            for burst in bursts:
                produce(servers, job.source, burst)
        with peer.running(job):
            if kill and watched.lag():
                recoveries.append(watched.progresses())
            watched.settles()
        return Run(outcome(job, peer), hits, recoveries)
    finally:
        client.close()


def killed(watched: Watched, bursts: Sequence[list[RawRecord]]) -> tuple[int, list[float]]:
    """Play every burst and kill in the middle of each; return how many hit, and the recoveries."""
    peer, job = watched.peer, watched.job
    chance, hits, recoveries = Random(7), 0, list[float]()  # noqa: S311 - to be had again
    for number, burst in enumerate(bursts, 1):
        with peer.running(job) as program:
            whither = job.settings.kafka_bootstrap_servers, job.source
            player = Thread(target=produce, args=(*whither, burst, RATE))
            player.start()
            seconds = watched.progresses()
            if number > 1:
                recoveries.append(seconds)
            time.sleep(chance.uniform(*KILL_AFTER_SECONDS))
            hits += watched.freezes(program, player)
            program.kill()
            player.join()
        print(f"{peer.name}: kill {number} of {len(bursts)}", file=sys.stderr)
    return hits, recoveries


class Watched:
    """How far a program is, by its committed offsets."""

    def __init__(self, client: KafkaAdminClient, peer: Peer, job: Job) -> None:
        """Remember whose."""
        self.peer, self.job = peer, job
        self._client = client
        self._hops = [job.source, peer.between(job)]

    def _done(self) -> dict[str, int]:
        return committed(self._client, self.job.settings.group, self._hops)

    def lag(self) -> int:
        """Return the records after the committed offsets; a last transaction's markers are none."""
        done = self._done()
        raw, between = (ends(self._client, hop) for hop in self._hops)
        left = sum(between) - len(between) - done[self._hops[1]]
        return max(0, sum(raw) - done[self._hops[0]]) + max(0, left)

    def freezes(self, program: Running, player: Thread) -> bool:
        """Stop a program at a moment that leaves something uncommitted; tell whether one came.

        With transactions, one of its own is open; without, records are read and not committed.
        """
        while player.is_alive() or self.lag():
            program.freeze()
            if self.lag() and (self._open_transactions() or not self.peer.transactional):
                return True
            program.thaw()
            time.sleep(FREEZE_AGAIN_SECONDS)
        return False

    def _open_transactions(self) -> bool:
        found = self._client.list_transactions(
            state_filters=["Ongoing"],
            transactional_id_pattern=f".*{self.job.settings.namespace}.*",
        )
        return any(found.values())

    def progresses(self) -> float:
        """Return after how many seconds more is committed than now."""
        began, before = time.monotonic(), sum(self._done().values())
        while sum(self._done().values()) <= before:
            if time.monotonic() > began + PATIENCE_SECONDS:
                raise SystemExit(f"{self.peer.name}: nothing committed in {PATIENCE_SECONDS} s")
            time.sleep(0.05)
        return time.monotonic() - began

    def settles(self) -> None:
        """Return once all is committed, or nothing has been for half a minute: lost, or stuck."""
        done, since = self._done(), time.monotonic()
        while self.lag() and time.monotonic() < since + STUCK_SECONDS:
            time.sleep(0.2)
            now = self._done()
            if now != done:
                done, since = now, time.monotonic()
        time.sleep(5)  # a plain app flushes its outputs when it likes


def produce(servers: str, topic: str, records: list[RawRecord], rate: float | None = None) -> None:
    """A student's records stand on one partition, in order: every run is given the same."""
    producer, reader = Producer({"bootstrap.servers": servers, "linger.ms": 5}), Reader()
    began = time.monotonic()
    for number, record in enumerate(records):
        if rate and number % 20 == 0:
            producer.poll(0)
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        taken = flow.take_in(reader, record.value, record.timestamp_ms)
        if not isinstance(taken, flow.Passed):
            continue  # what is refused is no matter of kills, and each program's own
        place = partition_of(taken.key, 4)
        producer.produce(topic, record.value, None, place, timestamp=record.timestamp_ms)
    producer.flush()


if __name__ == "__main__":
    main()
