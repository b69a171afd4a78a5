"""The whole flow, raw topic to alerts, beside a plain Faust app on the same broker in the same run.

Both get the same simulated semester and decide with the same core. Events per second count from the
first committed source offset to the last, of both hops, so that start-up is left out.

    make bench ARGS="--events 100000 --plain-events 15000"
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from streams import admin, broker
from streams.cli.process import WorkerProcess
from streams.player import play
from streams.settings import Settings, load
from streams.simulator import semester

if TYPE_CHECKING:
    from collections.abc import Iterator

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
PATIENCE_SECONDS = 300


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=100_000, help="for our worker")
    arguments.add_argument("--plain-events", type=int, default=15_000, help="for the plain app")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch, kafka(Path(scratch)) as servers:
        plain = measure(servers, Path(scratch), chosen.plain_events, ours=False)
        ours = measure(servers, Path(scratch), chosen.events, ours=True)
    print(f"plain Faust app  {plain:>9,.0f} events/s   ({chosen.plain_events} events)")
    print(f"gradewatch       {ours:>9,.0f} events/s   ({chosen.events} events)")
    print(f"ratio            {ours / plain:>9.1f}")


@contextmanager
def kafka(scratch: Path) -> Iterator[str]:
    settings = load()
    if settings.kafka_bootstrap_servers:
        yield settings.kafka_bootstrap_servers
        return
    jars = broker.jar_directory(settings.data_dir)
    with broker.running(scratch / "kafka", 0, jar_dir=jars) as running:
        yield running.bootstrap_servers


def measure(servers: str, scratch: Path, events: int, *, ours: bool) -> float:
    """Return raw events per second through both hops."""
    settings = load(
        kafka_bootstrap_servers=servers,
        namespace=f"bench-{secrets.token_hex(3)}",
        data_dir=scratch,
        web_port=0,
    )
    admin.carry_out(servers, admin.make_plan(settings, create_external=True))
    raw = settings.topic(settings.raw_topic)
    asyncio.run(play(semester(1, events, END), servers, raw))
    with _running(settings, scratch, ours=ours):
        return _rate(settings, servers, events)


@contextmanager
def _running(settings: Settings, scratch: Path, *, ours: bool) -> Iterator[None]:
    if ours:
        worker = WorkerProcess(settings, scratch / "ours.log")
        worker.start()
        try:
            yield
        finally:
            worker.stop()
        return
    where = [str(settings.kafka_bootstrap_servers), settings.namespace, str(scratch / "plain")]
    command = [sys.executable, "-m", "benchmarks.plain_faust", *where]
    with (
        (scratch / "plain.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[1]) as plain,
    ):
        try:
            yield
        finally:
            plain.kill()


def _rate(settings: Settings, servers: str, events: int) -> float:
    """Watch the group's committed offsets from the first to the last."""
    raw, canonical = settings.topic(settings.raw_topic), settings.topic("grade-events")
    client = KafkaAdminClient(bootstrap_servers=servers)
    begun, at_first, deadline = 0.0, 0, time.monotonic() + PATIENCE_SECONDS
    try:
        while time.monotonic() < deadline:
            now = time.monotonic()
            done = {raw: 0, canonical: 0}
            for place, offset in _committed(client, settings.group).items():
                if place.topic in done:
                    done[place.topic] += max(0, offset)
            if not begun and done[raw]:
                begun, at_first = now, done[raw]
            # The raw topic holds exactly `events`; the other is whatever intake passed.
            if done[raw] >= events and done[canonical] >= admin.record_count(servers, canonical):
                return (events - at_first) / (now - begun)
            time.sleep(0.05)
    finally:
        client.close()
    raise SystemExit(f"not done within {PATIENCE_SECONDS} s: {json.dumps(done)}")


def _committed(client: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    try:
        offsets = client.list_group_offsets(group)[group]
    except KafkaError:  # the group is not there yet
        return {}
    return {place: found.offset for place, found in offsets.items()}


if __name__ == "__main__":
    main()
