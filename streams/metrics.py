"""Every number: its name, unit, labels and meaning. Labels are closed lists, never people."""

from __future__ import annotations

from collections import Counter as Tallied
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from streams.core.events import Instant, Reason
    from streams.core.fates import Fate
    from streams.core.rules import Kind

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Tally:
    """What one batch adds to the numbers once it is committed."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.fates: Tallied[Fate] = Tallied()
        self.refused: Tallied[Reason] = Tallied()
        self.alerts: Tallied[tuple[str, Kind, str, str]] = Tallied()  # in the labels' order
        self.without_baseline = 0
        self.gaps = 0
        self.failures = 0
        self.clock: Instant = ""  # of the partition, as of the batch's end


class Metrics:
    """The numbers of one worker, in a registry of its own."""

    def __init__(self) -> None:
        """Start every number at zero."""
        registry = self.registry = CollectorRegistry()
        self.info = Gauge(
            "gradewatch_info",
            "Always 1; version, hash of the rules and four digits of the id key's, "
            "which all workers must share",
            ["version", "rules", "id_key"],
            registry=registry,
        )
        self.records = Counter(
            "gradewatch_records",
            "Records consumed and committed, by agent and fate; every record has exactly one fate",
            ["agent", "fate"],
            registry=registry,
        )
        self.refused = Counter(
            "gradewatch_refused",
            "Records written to grade-events-refused, by agent and reason",
            ["agent", "reason"],
            registry=registry,
        )
        self.alerts = Counter(
            "gradewatch_alerts",
            "Steps of alerts written, by audience, kind, transition and severity",
            ["audience", "kind", "transition", "severity"],
            registry=registry,
        )
        self.overrides_without_baseline = Counter(
            "gradewatch_overrides_without_baseline",
            "Overrides not judged for want of a score to measure them against",
            registry=registry,
        )
        self.gaps = Counter(
            "gradewatch_gaps",
            "Events whose old values are not what was known: something before them was lost",
            registry=registry,
        )
        self.failures = Counter(
            "gradewatch_row_failures",
            "Rows that could not be looked at when their time came, for a bug of ours",
            registry=registry,
        )
        self.feed_silent = Gauge(
            "gradewatch_feed_silent",
            "Open alerts about silent feeds, at the worker that has the first partition; else 0",
            registry=registry,
        )
        self.clock = Gauge(
            "gradewatch_clock_timestamp_seconds",
            "Clock of a partition of grade-events that is served here, in seconds since 1970",
            ["partition"],
            registry=registry,
        )
        self.clock_held = Gauge(
            "gradewatch_clock_held_seconds",
            "How long a partition of the raw topic has held every clock, in seconds; from 300 on",
            ["partition"],
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "gradewatch_batch_seconds",
            "Time from taking up a batch to its commit, by agent, in seconds",
            ["agent"],
            buckets=SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "gradewatch_lag_records",
            "Records on the partition after the position worked up to",
            ["topic", "partition"],
            registry=registry,
        )
        self.rows = Gauge(
            "gradewatch_rows",
            "Rows held here (a row is one student in one course): serving, or being read for later",
            ["state"],
            registry=registry,
        )
        self.restore_records = Gauge(
            "gradewatch_restore_records",
            "Changelog records read at the last assignment, and how many there were; 0: none",
            ["of"],
            registry=registry,
        )
        self.restore_seconds = Gauge(
            "gradewatch_restore_seconds",
            "Duration of the last restore so far, in seconds",
            registry=registry,
        )
        self.restoring = Gauge(
            "gradewatch_restoring_partitions",
            "Partitions of the rows that are ours and not restored yet",
            registry=registry,
        )
        self.stalled = Gauge(
            "gradewatch_stalled_partitions",
            "Partitions with lag whose committed offset has not moved for 60 s",
            registry=registry,
        )
        self.unowned = Gauge(
            "gradewatch_unowned_partitions",
            "Source partitions that no worker of the group has had for 20 s; every worker tells",
            registry=registry,
        )
        self.ready = Gauge(
            "gradewatch_ready",
            "1 while /readyz says ready, else 0",
            registry=registry,
        )
        self.alerts_listed = Gauge(
            "gradewatch_alerts_listed",
            "Alerts held here to be listed, of all audiences, open or resolved",
            registry=registry,
        )
        self.lists_caught_up = Gauge(
            "gradewatch_lists_caught_up",
            "1 once all alerts that were there at the start are listed here, else 0",
            registry=registry,
        )
        self.lists_unreadable = Counter(
            "gradewatch_lists_unreadable",
            "Records of grade-alerts-state and grade-alert-actions that could not be listed",
            registry=registry,
        )
        self.audit_lost = Counter(
            "gradewatch_access_audit_lost",
            "Entries of the access audit that were lost because Kafka did not take them for long",
            registry=registry,
        )
        self.reload_failed = Gauge(
            "gradewatch_rules_reload_failed",
            "1 while the rules file as it is now is wrong or not announced, else 0",
            registry=registry,
        )
        self.reload_success = Gauge(
            "gradewatch_rules_reload_success_timestamp_seconds",
            "When the rules file was last found good and announced, in seconds since 1970",
            registry=registry,
        )

    def identify(self, version: str, rules: str, id_key: str) -> None:
        """Say what this worker is; what it was before is forgotten.

        Args:
            version: Of gradewatch.
            rules: Hash of the rules.
            id_key: The id key's mark.
        """
        self.info.clear()
        self.info.labels(version, rules, id_key).set(1)

    def count(self, agent: str, tally: Tally, seconds: float) -> None:
        """Count a committed batch. One that was dropped is counted when it comes again.

        Args:
            agent: ``intake`` or ``scoring``.
            tally: What became of its records.
            seconds: From taking it up to its commit.
        """
        for fate, number in tally.fates.items():
            self.records.labels(agent, fate).inc(number)
        for reason, number in tally.refused.items():
            self.refused.labels(agent, reason).inc(number)
        for labels, number in tally.alerts.items():
            self.alerts.labels(*labels).inc(number)
        self.gaps.inc(tally.gaps)
        self.failures.inc(tally.failures)
        self.overrides_without_baseline.inc(tally.without_baseline)
        self.batch_seconds.labels(agent).observe(seconds)
