"""Plays a log of raw records through ``streams.core`` on plain dicts: no Kafka, no Faust.

The rows it returns are as the web shows them, so that they compare with the oracle's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.core import alerts, events, flow, rules
from streams.core.canvas import Refusal
from streams.core.intake import Reader
from streams.core.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.rows import Row

ROOT: Final = Path(__file__).parent.parent

FOUR_RULES: Final = rules.load((ROOT / "rules.yaml").read_text(), "rules.yaml")
"""One rule without a life of each of four kinds."""

ID_KEY: Final = b"a key of the tests alone"

Key = tuple[str, str, str]
"""Tenant, student, course."""

Raw = tuple[bytes | None, int | None, tuple[str, int, int]]
"""Value, Kafka timestamp in milliseconds, and topic, partition and offset of a raw record."""


@dataclass
class Play:
    """A log played so far.

    Attributes:
        replay: What plays it.
        reader: What takes raw records in.
        alerts: What was written to ``grade-alerts``, in order.
        posted: What was written to ``grade-alerts-posted``, in order.
        events: What was written to ``grade-events``; None for a record that was not.
        journeys: Every record's fate: ``refused/<reason>``, ``ignored`` or ``passed/<fate>``.
    """

    replay: Replay = field(default_factory=lambda: Replay(FOUR_RULES, ID_KEY))
    reader: Reader = field(default_factory=Reader)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any] | None] = field(default_factory=list)
    journeys: list[str] = field(default_factory=list)

    def take(self, records: Iterable[Raw], first_offset: int | None = None) -> Play:
        """Play records, and return this play.

        Args:
            records: In the order in which they stand on the raw topic, and on ``grade-events``.
            first_offset: Of ``grade-events``; by default they follow those played before.
        """
        offset = len(self.journeys) if first_offset is None else first_offset
        for at, (value, timestamp, _) in enumerate(records, offset):
            taken = flow.take_in(self.reader, value, timestamp)
            if taken is None or isinstance(taken, Refusal):
                fate = "ignored" if taken is None else f"refused/{taken.reason}"
                self.journeys.append(fate)
                self.events.append(None)
                continue
            self.events.append(msgspec.json.decode(taken.value))
            outcome = self.replay.step(taken.value, at)
            for told in outcome.told:
                heard = self.posted if told.alert.audience == alerts.POSTED else self.alerts
                heard.append(msgspec.json.decode(alerts.encode(told.alert)))
            self.journeys.append(f"passed/{outcome.fate}")
        return self

    @property
    def held(self) -> dict[Key, Row]:
        """The rows as the worker holds them."""
        return {_key(owner, item): row for (owner, item), row in self.replay.rows.items()}

    @property
    def rows(self) -> dict[Key, dict[str, Any]]:
        """The rows that the web shows."""
        return {key: shown(row) for key, row in self.held.items() if row.known}


def shown(row: Row) -> dict[str, Any]:
    """Return a row's fields as the web names them."""
    scores = row.scores[0] if row.scores else None
    periods = [held[0] for held in row.period_overrides.values()]
    override = row.override[0] if row.override else None
    if override is None and periods:
        override = max(periods, key=lambda one: (one.event_time, one.updated_at or ""))
    statement = scores or override
    return {
        **dict(zip(events.SCORES, scores.new if scores else [None] * 4, strict=True)),
        "override_score": row.override_score,
        "effective_final_score": row.effective_final_score,
        "workflow_state": scores.workflow_state if scores else None,
        "event_time": statement and statement.event_time,
        "updated_at": statement and statement.updated_at,
        "account_id": row.account_id,
        "period_overrides": {
            period: held[0].new
            for period, held in row.period_overrides.items()
            if held[0].new is not None
        },
    }


def _key(owner: bytes, item: bytes) -> Key:
    tenant, _, student = owner.decode().rpartition(":")
    return tenant, student, item.decode()
