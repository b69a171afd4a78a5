"""What goes out: row before, event, row after, rules → alerts, each with its reason.

A drop is judged by the event's own old and new, whatever caused it, posting included; an override
by how far it moves the effective final score. Nothing here reads a clock: every alert is a function
of the log, so a replay writes the same bytes.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from streams.core.events import (
    CourseGradeChange,
    GradeEvent,
    GradeOverride,
    Instant,
    Percent,
)
from streams.core.evidence import Evidence, decimal, likely_causes, seconds, summary
from streams.core.history import Standing
from streams.core.rules import Kind, Rule, Rules, Severity

if TYPE_CHECKING:
    from streams.core.rows import Override, Row, Source
    from streams.core.scores import Applied

SECTION_SECONDS: Final = 60
"""A student with two sections gets one override event per enrolment, this far apart at most."""


class Alert(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One alert as ``grade-alerts`` holds it. Percent and percentage points; additive changes only.

    ``change`` is ``after`` minus ``before``: a drop is below 0.
    """

    alert_id: str
    fingerprint: str  # the same for every alert of one rule about one student's course
    seq: int
    state: str  # firing | resolved
    reason: str
    kind: Kind
    rule: str
    rules_hash: str
    severity: Severity
    tenant: str
    student_id: str
    course_id: str
    view: str  # posted | unposted
    score: str  # which score moved
    before: Percent
    after: Percent
    change: float
    threshold: float
    event_time: Instant
    opened_at: Instant
    evidence: tuple[Evidence, ...]
    summary: str
    late: bool = False  # a newer event had been applied before
    score_now: Percent | None = None  # with late: the score that holds
    grading_period_id: str | None = None


class Judgement(Struct, frozen=True, gc=False):
    """What the rules said of one event.

    Attributes:
        alerts: One for each rule that the event reached.
        no_baseline: True where an override could not be judged: nothing to measure it against.
    """

    alerts: tuple[Alert, ...] = ()
    no_baseline: bool = False


_SILENCE: Final = Judgement()
_encoder: Final = msgspec.json.Encoder()


class Judge:
    """Holds the rules in force and the key that alert ids are made with."""

    def __init__(self, rules: Rules, id_key: bytes) -> None:
        """Prepare the rules.

        Args:
            rules: What alerts.
            id_key: 16 to 64 bytes. Ids are keyed: a plain hash of small student numbers could be
                turned back by trying them all.
        """
        self._hash = rules.hash
        self._key = id_key
        self._by_kind = {kind: rules.of(kind) for kind in Kind}
        drops = [rule.points for rule in self._by_kind[Kind.SCORE_DROP]]
        moves = [rule.points for rule in rules.rules if rule.kind is not Kind.SCORE_DROP]
        # Floats decide that a move is too small for any rule; decimals decide the rest.
        self._least_drop = float(min(drops, default=Decimal("Infinity"))) - 1e-6
        self._least_move = float(min(moves, default=Decimal("Infinity"))) - 1e-6

    def judge(
        self, before: Row | None, event: GradeEvent, applied: Applied, source: Source
    ) -> Judgement:
        """Return the alerts that one applied event raises.

        Args:
            before: The row before the event.
            event: The event.
            applied: What ``scores.apply`` made of it.
            source: Where on the raw topic it came from.

        Returns:
            Alerts in the order of the rules; none where the event may not be judged.
        """
        if not applied.judged or applied.row is None:
            return _SILENCE
        if isinstance(event, CourseGradeChange):
            return self._drop(event, applied, applied.row, source)
        if isinstance(event, GradeOverride):
            return self._override(before, event, applied, applied.row, source)
        return _SILENCE

    def _drop(
        self, event: CourseGradeChange, applied: Applied, row: Row, source: Source
    ) -> Judgement:
        old, new = event.old_current_score, event.current_score
        if old is None or new is None or old - new < self._least_drop:
            return _SILENCE
        if event.workflow_state == "deleted":  # a score withdrawn is no drop
            return _SILENCE
        fall = decimal(old) - decimal(new)
        reached = [r for r in self._by_kind[Kind.SCORE_DROP] if fall >= r.points]
        late = applied.standing is Standing.LATE
        return Judgement(
            tuple(
                self._alert(
                    rule, event, row, source,
                    measure=("current_score", old, new),
                    late=late, score_now=row.current_score if late else None,
                )
                for rule in reached
            )
        )  # fmt: skip

    def _override(
        self,
        before: Row | None,
        event: GradeOverride,
        applied: Applied,
        row: Row,
        source: Source,
    ) -> Judgement:
        if _second_section(before, event):
            return _SILENCE
        # A grading period's override is measured by its own pair: its final score is not in any
        # event.
        baseline = row.known_final if event.grading_period_id is None else None
        old = baseline if event.old_override_score is None else event.old_override_score
        new = baseline if event.override_score is None else event.override_score
        if old is None or new is None:
            return Judgement(no_baseline=True)
        if abs(new - old) < self._least_move:
            return _SILENCE
        move = decimal(new) - decimal(old)
        if event.override_score is None:
            kind, size = Kind.OVERRIDE_REMOVED, abs(move)
        elif move > 0:
            kind, size = Kind.OVERRIDE_RAISED, move
        else:
            kind, size = Kind.OVERRIDE_LOWERED, -move
        late = applied.standing is Standing.LATE
        return Judgement(
            tuple(
                self._alert(
                    rule, event, row, source,
                    measure=("effective_final_score", old, new),
                    late=late, score_now=_now(row, event.grading_period_id) if late else None,
                    grading_period_id=event.grading_period_id,
                )
                for rule in self._by_kind[kind]
                if size >= rule.points
            )
        )  # fmt: skip

    def _alert(
        self,
        rule: Rule,
        event: CourseGradeChange | GradeOverride,
        row: Row,
        source: Source,
        *,
        measure: tuple[str, Percent, Percent],
        **where_they_apply: Any,  # noqa: ANN401 - Alert's own fields check them
    ) -> Alert:
        score, old, new = measure
        change = decimal(new) - decimal(old)
        period = where_they_apply.get("grading_period_id")
        subject = (event.tenant, rule.id, event.student_id, event.course_id, "posted", period)
        fingerprint = self._keyed(*subject)
        name = "course_grade_change" if score == "current_score" else "grade_override"
        return Alert(
            alert_id=self._keyed(fingerprint, event.event_id),
            fingerprint=fingerprint,
            seq=1,
            state="firing",
            reason="threshold_reached",
            kind=rule.kind,
            rule=rule.id,
            rules_hash=self._hash,
            severity=rule.severity,
            tenant=event.tenant,
            student_id=event.student_id,
            course_id=event.course_id,
            view="posted",
            score=score,
            before=old,
            after=new,
            change=float(change),
            threshold=float(rule.points),
            event_time=event.event_time,
            opened_at=event.event_time,
            evidence=(
                Evidence(
                    topic=source.topic,
                    partition=source.partition,
                    offset=source.offset,
                    event=name,
                    event_time=event.event_time,
                    event_id=event.event_id,
                ),
                *likely_causes(row, event),
            ),
            summary=summary(rule, old, new, change),
            **where_they_apply,
        )

    def _keyed(self, *content: str | None) -> str:
        return blake2b(_encoder.encode(content), key=self._key, digest_size=16).hexdigest()


def encode(alert: Alert) -> bytes:
    """Return the alert's value on ``grade-alerts``; equal alerts give equal bytes."""
    return _encoder.encode(alert)


def headers(alert: Alert) -> list[tuple[str, bytes]]:
    """Return the alert's Kafka headers: CloudEvents 1.0, binary mode, without any student id."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{alert.alert_id}.{alert.seq}".encode()),
        ("ce_source", b"/gradewatch/scoring"),
        ("ce_type", f"gradewatch.alert.{alert.kind}.{alert.state}.v1".encode()),
        ("ce_subject", alert.fingerprint.encode()),
        ("ce_time", alert.event_time.encode()),
        ("content-type", b"application/json"),
    ]


def _now(row: Row, period: str | None) -> Percent | None:
    """Return what holds now of that which an override is about: the course, or a period."""
    if period is None:
        return row.effective_final_score
    return row.period_overrides[period][0].new


def _second_section(before: Row | None, event: GradeOverride) -> bool:
    """Tell whether this is the same override, told again for the student's other enrolment."""
    if before is None:
        return False
    period = event.grading_period_id
    held: tuple[Override, ...] = (
        before.override if period is None else before.period_overrides.get(period, ())
    )
    return bool(
        held
        and held[0].new == event.override_score
        and held[0].enrollment_id is not None
        and event.enrollment_id is not None
        and held[0].enrollment_id != event.enrollment_id
        and abs(seconds(event.event_time) - seconds(held[0].event_time)) <= SECTION_SECONDS
    )
