"""The second opinion on living alerts: a partition of ``grade-events`` → what must be told of them.

Written from docs/alerts.md alone, and nothing of ``streams`` is imported. Both audiences are played
on their own from the log: what is posted cannot depend on what only staff may know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.oracle.living_row import Row
from tests.oracle.living_rules import grace, living_rules, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.oracle.living_rules import Rule

Fields = dict[str, Any]

AUDIENCES: Final = ("staff", "posted")


class Record(NamedTuple):
    """A record of one partition of ``grade-events``; control records have any key."""

    offset: int
    key: str
    value: Fields


class Told(NamedTuple):
    """A transition that must be told.

    Attributes:
        offset: Of the record that brought it about.
        alert: Its fields; instants as text, what is unknown is left out.
    """

    audience: str
    offset: int
    alert: Fields


@dataclass
class Clock:
    """How far the raw topic has come, as its watermarks say."""

    topic: str = ""
    partitions: int = 0
    sources: dict[int, datetime] = field(default_factory=dict)
    now: datetime | None = None

    def hear(self, watermark: Fields) -> None:
        """Take a watermark in; the clock never goes back, unless it is told to."""
        if watermark["kind"] == "clock":
            self._set_back(moment(watermark["at"]))
            return
        if not watermark["at"]:
            return
        if watermark.get("topic", "") != self.topic:
            self.topic, self.sources = watermark.get("topic", ""), {}
        self.partitions = watermark.get("partitions", 0)
        source, at = watermark.get("partition", 0), moment(watermark["at"])
        self.sources[source] = max(at, self.sources.get(source, at))
        if self.partitions and self.sources.keys() >= set(range(self.partitions)):
            least = min(self.sources[each] for each in range(self.partitions))
            self.now = least if self.now is None else max(self.now, least)

    def _set_back(self, at: datetime) -> None:
        self.sources = {source: time for source, time in self.sources.items() if time <= at}
        if self.now is not None and self.now > at:
            self.now = None


@dataclass
class Partition:
    """A partition of ``grade-events`` as one audience sees it."""

    audience: str
    clock: Clock = field(default_factory=Clock)
    horizon: datetime | None = None
    stated: Fields = field(default_factory=dict)  # the set in force
    rules: list[Rule] = field(default_factory=list)
    rows: dict[tuple[bytes, bytes], Row] = field(default_factory=dict)

    def step(self, record: Record) -> list[Fields]:
        """Return what a record brings about."""
        value = record.value
        if value["type"] != "control":
            return self._hear(value)
        if value["kind"] == "watermark":
            self.clock.hear(value)
            return self._settle()
        if value["kind"] == "clock":
            self.clock.hear(value)
            if self.clock.now is None:
                self.horizon = None
                for row in self.rows.values():
                    row.end_cooldowns(self.rules, moment(value["at"]))
            return []
        return self._switch(value) if value["kind"] == "rules" else []

    def _hear(self, event: Fields) -> list[Fields]:
        key = f"{event['tenant']}:{event['student_id']}".encode(), event["course_id"].encode()
        row = self.rows.setdefault(key, Row(self.audience))
        wanted = any(rule.kind == "assignment_drop" for rule in living_rules(self.stated))
        if wanted or event["type"] != "grade_change":
            row.hear(event, self.horizon)
        if self.horizon is not None:
            row.work(self.horizon, self.rules)
        return self._told([key])

    def _settle(self) -> list[Fields]:
        """Move the horizon, and work on every row that has something before it."""
        if self.clock.now is None:
            return []
        reached = self.clock.now - grace(self.stated)
        self.horizon = horizon = max(reached, self.horizon or reached)
        dues = sorted(
            (due, key)
            for key, row in self.rows.items()
            if (due := row.due) is not None and due < horizon
        )
        for _, key in dues:
            self.rows[key].work(horizon, self.rules)
        return self._told([key for _, key in dues])

    def _switch(self, control: Fields) -> list[Fields]:
        before, self.stated = self.rules, control["rules"]
        self.rules = [rule for rule in living_rules(self.stated) if rule.is_for(self.audience)]
        for row in self.rows.values():
            row.switch(before, self.rules, moment(control["at"]))
        return self._told(sorted(self.rows))

    def _told(self, keys: list[tuple[bytes, bytes]]) -> list[Fields]:
        """Return what rows have told since they were last asked, with whom it is about."""
        told: list[Fields] = []
        for owner, course in keys:
            row = self.rows[owner, course]
            tenant, _, student = owner.decode().rpartition(":")
            who = {"tenant": tenant, "student_id": student, "course_id": course.decode()}
            told += [who | alert for alert in row.told]
            row.told.clear()
        return told


def living(records: Iterable[Record]) -> list[Told]:
    """Return all that must be told of living alerts, in order; first to staff, then posted."""
    log = list(records)
    return [
        Told(audience, record.offset, alert)
        for audience in AUDIENCES
        for partition in [Partition(audience)]
        for record in log
        for alert in partition.step(record)
    ]
