"""The same job as Quix Streams' documentation shows it: dataframes, state by key, exactly once.

It decides with the same core as our worker, so that what differs is the way records travel.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from quixstreams import Application, message_context
from quixstreams.models import Serializer

from streams.core import alerts, flow, rules
from streams.core.alerts import Judge
from streams.core.intake import Reader
from streams.core.rows import Position, Row, Source, decode_row, encode_row
from streams.settings import load, shipped

if TYPE_CHECKING:
    from quixstreams import State
    from quixstreams.models import Topic

    from streams.core.events import GradeEvent

BOOTSTRAP, NAMESPACE, STATE_DIR, STAGE = sys.argv[1:5]
settings = load(namespace=NAMESPACE)
app = Application(
    BOOTSTRAP,
    consumer_group=settings.group,
    auto_offset_reset="earliest",
    commit_interval=0.1,  # as Kafka Streams with EOS; 5 s is the default
    processing_guarantee="exactly-once",
    state_dir=STATE_DIR,
    loglevel="ERROR",
    consumer_extra_config={
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 5_000,
    },
    producer_extra_config={"linger.ms": 20, "transaction.timeout.ms": 10_000},
)
reader = Reader()
judge = Judge(rules.load(shipped("rules.yaml").read_text(), "rules.yaml"), b"sixteen bytes or more")


class PassedValue(Serializer):
    """Writes what intake passed."""

    def __call__(self, passed: flow.Passed, **_: object) -> bytes:
        """Return its value; the key is given to ``to_topic``."""
        return passed.value


def topic(name: str, serializer: str | Serializer = "bytes") -> Topic:
    return app.topic(settings.topic(name), "bytes", "bytes", serializer, "bytes")


events = topic("grade-events", PassedValue())


def taken_in(value: bytes, _key: object, timestamp: int, _headers: object) -> flow.Passed | None:
    taken = flow.take_in(reader, value, timestamp)
    return taken if isinstance(taken, flow.Passed) else None


def scored(
    value: bytes, _key: object, _timestamp: int, _headers: object, state: State
) -> list[bytes]:
    def row_of(event: GradeEvent) -> Row | None:
        held: Any = state.get_bytes(event.course_id)
        return None if held is None else decode_row(held)

    at, source = Position("topic", message_context().offset), Source("raw", 0, 0)
    outcome = flow.score(judge, row_of, value, at, source)
    if outcome.event is not None and outcome.row is not None:
        state.set_bytes(outcome.event.course_id, encode_row(outcome.row))
    return [alerts.encode(alert) for alert in outcome.alerts]


if STAGE == "whole":
    intake = app.dataframe(topic(settings.raw_topic)).apply(taken_in, metadata=True)
    intake.filter(lambda passed: passed is not None).to_topic(events, key=lambda told: told.key)

scoring = app.dataframe(events).apply(scored, stateful=True, metadata=True, expand=True)
scoring.to_topic(topic("grade-alerts"))

if __name__ == "__main__":
    app.run()
