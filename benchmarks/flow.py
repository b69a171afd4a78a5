"""Events per second, ours beside its peers: same input, same job, same broker, same run.

Two stages: ``whole``, from the raw topic to alerts, and ``keyed``, from canonical events keyed by
student on. Every peer parses, keeps a row per student and course with a changelog, and writes drop
and override alerts. The clock runs from a quarter of the source committed to all hops committed, so
that start-up is left out; where a peer writes transactions, its offsets are in them. A round of
every peer is run before those that count: a new broker spends a core on compiling itself. So does a
Kafka Streams application for its first 100,000 events or so: fewer say how it begins, more how it
goes on.

    make bench ARGS="--events 300000 --runs 3"
    make bench ARGS="--only ours streams --stage keyed --events 60000"
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from benchmarks.feed import RULES_FILE
from benchmarks.filling import Log
from benchmarks.peers import PEERS, Job, Peer
from benchmarks.reading import committed_records
from streams import admin, broker
from streams.core import flow, rules
from streams.core.intake import Reader
from streams.player import play
from streams.settings import Settings, load
from streams.simulator import semester

if TYPE_CHECKING:
    from collections.abc import Iterator

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
PATIENCE_SECONDS = 600
AT_MOST = {"faust": 60_000}
"""Which peers get no more events than these, or a run would take hours."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=300_000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    arguments.add_argument(
        "--stage", nargs="+", choices=["keyed", "whole"], default=["keyed", "whole"]
    )
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        for stage in chosen.stage:
            rates: dict[str, list[tuple[float, int]]] = {}
            for run in range(chosen.runs + 1):
                for name in chosen.only:
                    why = PEERS[name].missing()
                    if why:
                        print(f"{PEERS[name].name}: left out: {why}", file=sys.stderr)
                        continue
                    events = min(chosen.events, AT_MOST.get(name, chosen.events))
                    done = measure(servers, Path(scratch), PEERS[name], stage, events)
                    if run:  # the first round warms the broker, which compiles itself
                        rates.setdefault(name, []).append(done)
                    note = f"{stage} {run}/{chosen.runs} {PEERS[name].name}: {done[0]:,.0f}"
                    print(note, file=sys.stderr, flush=True)
            table(stage, chosen.events, rates)


def table(stage: str, events: int, rates: dict[str, list[tuple[float, int]]]) -> None:
    """Print medians, spread and ratios of one stage."""
    middle = {name: median(rate for rate, _ in found) for name, found in rates.items()}
    print(f"\n| {stage} stage | events/s | least to most | ours : it | alerts |")
    print("|---|---|---|---|---|")
    for name, found in rates.items():
        least, most = min(found)[0], max(found)[0]
        ratio = f"{middle['ours'] / middle[name]:.2f}" if "ours" in middle else "-"
        given = min(events, AT_MOST.get(name, events))
        print(
            f"| {PEERS[name].name} | {middle[name]:,.0f} | {least:,.0f} to {most:,.0f} | {ratio} "
            f"| {found[-1][1]} of {given:,} events |"
        )
    sys.stdout.flush()


@contextmanager
def kafka(scratch: Path) -> Iterator[str]:
    settings = load()
    if settings.kafka_bootstrap_servers:
        yield settings.kafka_bootstrap_servers
        return
    jars = broker.jar_directory(settings.data_dir)
    with broker.running(scratch / "kafka", 0, jar_dir=jars) as running:
        yield running.bootstrap_servers


def measure(servers: str, scratch: Path, peer: Peer, stage: str, events: int) -> tuple[float, int]:
    """Return events per second, and how many alerts there are in the end."""
    job = prepared(servers, scratch, stage, events, peer.rules)
    with peer.running(job):
        rate = rate_of(job, peer)
    alerts = committed_records(servers, job.settings.topic("grade-alerts"))
    return rate, sum(1 for _ in alerts)


def prepared(
    servers: str, scratch: Path, stage: str, events: int, rules_file: Path = RULES_FILE
) -> Job:
    """Return a job on topics of its own, its input on them."""
    settings = load(
        kafka_bootstrap_servers=servers,
        namespace=f"bench-{secrets.token_hex(3)}",
        data_dir=scratch,
        rules=rules_file,
        web_port=0,
    )
    home = scratch / settings.namespace
    home.mkdir()
    job = Job(settings, stage, home)
    admin.carry_out(admin.bootstrap(settings), admin.make_plan(settings, create_external=True))
    if stage == "whole":
        asyncio.run(play(semester(1, events, END), admin.bootstrap(settings), job.source))
    else:
        fill(settings, events)
    return job


def fill(settings: Settings, events: int) -> None:
    """``grade-events`` holds what intake makes of a semester."""
    reader = Reader()
    log = Log(
        str(settings.kafka_bootstrap_servers),
        settings.topic("grade-events"),
        settings.topic(settings.raw_topic),
        rules.load(settings.rules.read_text(), settings.rules.name),
    )
    for number, raw in enumerate(semester(1, events, END)):
        taken = flow.take_in(reader, raw.value, raw.timestamp_ms)
        if isinstance(taken, flow.Passed):
            log.write(taken, raw.timestamp_ms, number)
    log.close()


def rate_of(job: Job, peer: Peer) -> float:
    """Watch the group's committed offsets from a quarter of the way to the end."""
    hops = [job.source] if job.stage == "keyed" else [job.source, peer.between(job)]
    client = KafkaAdminClient(bootstrap_servers=str(job.settings.kafka_bootstrap_servers))
    events = sum(ends(client, job.source))
    begun, at_first, deadline = 0.0, 0, time.monotonic() + PATIENCE_SECONDS
    try:
        while time.monotonic() < deadline:
            now = time.monotonic()
            done = committed(client, job.settings.group, hops)
            if not begun and done[hops[0]] >= events // 4:
                begun, at_first = now, done[hops[0]]
            if done[hops[0]] >= events and _is_through(client, hops[-1], done):
                if now == begun:
                    raise SystemExit(f"{peer.name}: {events:,} events are too few: one commit")
                return (events - at_first) / (now - begun)
            time.sleep(0.05)
    finally:
        client.close()
    raise SystemExit(f"{peer.name}: not done within {PATIENCE_SECONDS} s: {done}")


def _is_through(client: KafkaAdminClient, topic: str, done: dict[str, int]) -> bool:
    """Tell whether a hop is worked to its end; each writer's last marker is no work."""
    last = ends(client, topic)
    markers = len(last) * (os.cpu_count() or 1)  # Quix Streams commits what it read, not where
    return bool(last) and done[topic] >= sum(last) - markers


def ends(client: KafkaAdminClient, topic: str) -> list[int]:
    """Return the end offset of each partition of a topic; none while there is no topic."""
    described = next(iter(client.describe_topics([topic])))
    partitions = described["partitions"] if not described["error_code"] else ()
    if not partitions:
        return []
    places = [TopicPartition(topic, number) for number in range(len(partitions))]
    found = client.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    return [found[at].offset for at in places]


def committed(client: KafkaAdminClient, group: str, topics: list[str]) -> dict[str, int]:
    """Return how far a group has committed each topic, summed over its partitions."""
    done = dict.fromkeys(topics, 0)
    try:
        offsets = client.list_group_offsets(group)[group]
    except KafkaError:  # the group is not there yet
        return done
    for place, found in offsets.items():
        if place.topic in done:
            done[place.topic] += max(0, found.offset)
    return done


if __name__ == "__main__":
    main()
