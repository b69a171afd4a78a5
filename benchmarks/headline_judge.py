"""What stands on a program's topics in the end, in words that all four programs share."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from benchmarks.reading import committed_records
from streams.core import packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.peers import Job, Peer

ALERT = ("kind", "tenant", "student_id", "course_id", "before", "after", "event_time")


class Outcome(NamedTuple):
    """What stood in the end.

    Attributes:
        alerts: Each with how often it is there.
        rows: The last value under each key of the changelog.
        events: The events that rows remember: their last eight, their last three grade changes.
    """

    alerts: Counter[str]
    rows: dict[str, Any]
    events: Counter[str]


def outcome(job: Job, peer: Peer) -> Outcome:
    """Return what committed records say."""
    servers = str(job.settings.kafka_bootstrap_servers)
    alerts = Counter[str]()
    for record in committed_records(servers, job.settings.topic("grade-alerts")):
        alert = json.loads(record.value())
        alerts[str([str(alert[name]) for name in ALERT])] += 1
    rows: dict[str, Any] = {}
    for record in committed_records(servers, peer.changelog(job)):
        rows[record.key().decode().strip('"')] = _row(record.value(), job.settings.raw_topic)
    events = Counter(f"{key} {event}" for key, row in rows.items() for event in _events(row))
    return Outcome(alerts, rows, events)


def _row(value: bytes, raw_topic: str) -> Any:  # noqa: ANN401 - JSON
    """Return a row without what rightly differs from run to run.

    That is the offset on ``grade-events``, and the run's own prefix of the raw topic's name.
    """
    ours = value[:1] == packed.VERSION
    row = msgspec.msgpack.decode(packed.unpack(value)) if ours else json.loads(value)
    row.pop("applied", None)
    if ours and "changes" in row:
        for change in row["changes"]:
            change[6][0] = raw_topic
        row["grade_changes"] = row.pop("changes")
    return row


def _events(row: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    for name in ("seen_scores", "seen_overrides"):
        recent = row.get(name, [b""])[0]
        yield from (recent[first : first + 17].hex() for first in range(0, len(recent), 17))
    yield from row.get("seen", [])
    for change in row.get("grade_changes", []):
        yield change[1]
    for change in row.get("changes", []):
        yield change["event_id"]
