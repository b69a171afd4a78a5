"""What stands on a program's topics in the end, in words that all four programs share."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from benchmarks.reading import committed_records
from streams.core import packed
from streams.core.clock import ITEM, OWNER
from streams.core.rows import decode_row
from streams.engine import completeness
from streams.engine.table import changelog_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers import Job, Peer
    from streams.core.rows import Change, Override, Scores

ALERT = ("kind", "tenant", "student_id", "course_id", "before", "after", "event_time")

NO_ROWS = {changelog_key(OWNER, ITEM), changelog_key(completeness.OWNER, completeness.ITEM)}


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
        alerts[str([str(alert.get(name)) for name in ALERT])] += 1
    rows: dict[str, Any] = {}
    for record in committed_records(servers, peer.changelog(job)):
        if record.key() not in NO_ROWS:
            rows[record.key().decode().strip('"')] = _row(record.value())
    events = Counter(f"{key} {event}" for key, row in rows.items() for event in _events(row))
    return Outcome(alerts, rows, events)


def _row(value: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return a row without what rightly differs from run to run: offsets, and what is settled."""
    if value[:1] not in {packed.ASLEEP, packed.AWAKE}:
        row = json.loads(value)
        row.pop("applied", None)
        return row
    ours = decode_row(value)
    return {
        "account_id": ours.account_id,
        "scores": _stated(ours.scores),
        "override": _stated(ours.override),
        "period_overrides": {key: _stated(one) for key, one in ours.period_overrides.items()},
        "grade_changes": _stated(ours.grade_changes),
        "seen_scores": [ours.seen_scores.recent, ours.seen_scores.horizon],
        "seen_overrides": [ours.seen_overrides.recent, ours.seen_overrides.horizon],
    }


def _stated(statements: Sequence[Scores | Override | Change]) -> list[Any]:
    return [msgspec.to_builtins(msgspec.structs.replace(one, offset=0)) for one in statements]


def _events(row: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    for name in ("seen_scores", "seen_overrides"):
        recent = row.get(name, [b""])[0]
        yield from (recent[first : first + 17].hex() for first in range(0, len(recent), 17))
    yield from row.get("seen", [])
    for change in row.get("grade_changes", []):
        yield change[1]
    for change in row.get("changes", []):
        yield change["event_id"]
