"""The same job written as Faust's documentation shows it: one event at a time, stock everything.

It decides with the same core as our worker, so that what differs is the way records travel.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import faust

from benchmarks import feed
from streams.core import alerts, flow
from streams.core.instants import instant
from streams.core.intake import Reader
from streams.settings import load

if TYPE_CHECKING:
    from streams.core.flow import Partition

BOOTSTRAP, NAMESPACE, DATA_DIR, STAGE, GUARANTEE = sys.argv[1:6]
settings = load(namespace=NAMESPACE)
app = faust.App(
    settings.group,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    datadir=DATA_DIR,
    topic_partitions=4,
    web_enabled=False,
    topic_disable_leader=True,
    broker_session_timeout=10.0,  # as the others: a killed app is missed for so long
    broker_heartbeat_interval=2.0,
    processing_guarantee=GUARANTEE,
)


def topic(name: str) -> faust.TopicT:
    return app.topic(settings.topic(name), key_serializer="raw", value_serializer="raw")


raw, events = topic(settings.raw_topic), topic("grade-events")
sent = {alerts.STAFF: topic("grade-alerts"), alerts.POSTED: topic("grade-alerts-posted")}
refused = topic("grade-events-refused")
table = app.Table("scores", partitions=4, key_type=bytes, value_type=bytes)
reader = Reader()


async def intake(stream: faust.StreamT) -> None:
    taken_in, latest = 0, ""
    async for event in stream.events():
        timestamp = int(event.message.timestamp * 1000)
        taken = flow.take_in(reader, event.value, timestamp)
        if isinstance(taken, flow.Passed):
            await events.send(key=taken.key, value=taken.value)
            latest = max(latest, min(taken.event_time, instant(timestamp)))
            taken_in += 1
            if taken_in % feed.EVERY == 0:
                for number in range(feed.PARTITIONS):
                    await events.send(value=feed.watermark(latest), partition=number)
        elif taken is not None and event.value is not None:  # Faust cannot send nothing at all
            await refused.send(key=event.key, value=event.value)


if STAGE == "whole":
    app.agent(raw)(intake)


@app.agent(events)
async def scoring(stream: faust.StreamT) -> None:
    def get(owner: bytes, item: bytes) -> bytes | None:
        held: bytes | None = table.get(owner + b":" + item)
        return held

    def put(owner: bytes, item: bytes, row: bytes) -> None:
        table[owner + b":" + item] = row

    partitions: dict[int, Partition] = {}
    async for event in stream.events():
        number = event.message.partition
        if number not in partitions:
            partitions[number] = feed.a_partition(number, feed.Rows(get, put))
        outcome = partitions[number].step(event.value, event.message.offset, None)
        for key, alert in outcome.told:
            await sent[alert.audience].send(key=key, value=alerts.encode(alert))


if __name__ == "__main__":
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()
