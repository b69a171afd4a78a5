"""The second opinion on Kafka's time: a log as it counts, once no time is later than its record's.

Written from docs/alerts.md alone, and nothing of ``streams`` is imported.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.oracle.living import Record

Fields = dict[str, Any]

EVENT: Final = timedelta(hours=24)
WATERMARK: Final = timedelta(hours=1)


def as_it_counts(log: Iterable[tuple[Record, int]]) -> list[Record]:
    """Return the records that are not refused, with the times that count.

    Args:
        log: Records of one partition, each with Kafka's time, milliseconds since 1970.
    """
    kept: list[Record] = []
    for record, timestamp in log:
        now = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp)
        value = record.value
        if value["type"] != "control":
            if _moment(value["event_time"]) - now <= EVENT:
                kept.append(record)
            continue
        times = [value.get("at", ""), *value.get("heard", {}).values()]
        if value.get("idle"):
            value = value | {"at": _text(now)}
        elif value["kind"] == "watermark" and any(
            _moment(at) - now > WATERMARK for at in times if at
        ):
            continue
        counts = value | {"at": _least(value.get("at", ""), now)}
        if value["kind"] == "clock" and not counts["at"]:
            counts["at"] = _text(now)
        if "heard" in value:
            counts["heard"] = {who: _least(at, now) for who, at in value["heard"].items()}
        kept.append(record._replace(value=counts))
    return kept


def _least(at: str, now: datetime) -> str:
    return at and min(at, _text(now))


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _text(time: datetime) -> str:
    return f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
