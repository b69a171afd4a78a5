"""The same job written as Faust's documentation shows it: one event at a time, stock everything.

It decides with the same core as our worker, so that what differs is the way records travel.
"""

from __future__ import annotations

import sys

import faust

from streams.core import alerts, flow, rules
from streams.core.alerts import Judge
from streams.core.events import GradeEvent, student_key
from streams.core.intake import Reader
from streams.core.rows import Position, Row, Source, decode_row, encode_row
from streams.settings import load, shipped

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


raw, events, sent_alerts = (topic(n) for n in (settings.raw_topic, "grade-events", "grade-alerts"))
refused = topic("grade-events-refused")
table = app.Table("scores", partitions=4, key_type=bytes, value_type=bytes)
reader = Reader()
judge = Judge(rules.load(shipped("rules.yaml").read_text(), "rules.yaml"), b"sixteen bytes or more")


async def intake(stream: faust.StreamT) -> None:
    async for event in stream.events():
        taken = flow.take_in(reader, event.value, int(event.message.timestamp * 1000))
        if isinstance(taken, flow.Passed):
            await events.send(key=taken.key, value=taken.value)
        elif taken is not None and event.value is not None:  # Faust cannot send nothing at all
            await refused.send(key=event.key, value=event.value)


if STAGE == "whole":
    app.agent(raw)(intake)


@app.agent(events)
async def scoring(stream: faust.StreamT) -> None:
    def key_of(event: GradeEvent) -> bytes:
        return student_key(event.tenant, event.student_id) + b":" + event.course_id.encode()

    def row_of(event: GradeEvent) -> Row | None:
        held = table.get(key_of(event))
        return None if held is None else decode_row(held)

    async for event in stream.events():
        at, source = Position("topic", event.message.offset), Source("raw", 0, 0)
        outcome = flow.score(judge, row_of, event.value, at, source)
        if outcome.event is not None and outcome.row is not None:
            table[key_of(outcome.event)] = encode_row(outcome.row)
        for alert in outcome.alerts:
            await sent_alerts.send(key=event.key, value=alerts.encode(alert))


if __name__ == "__main__":
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()
