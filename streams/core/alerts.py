"""What goes out: a step in the life of an alert → the record that its readers get.

Nothing here reads a clock: every alert is a function of the log, so a replay writes the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from streams.core.conditions import decimal, size_of
from streams.core.events import Instant, Percent, student_key
from streams.core.evidence import Evidence
from streams.core.fingerprints import fingerprint, keyed
from streams.core.keys import Use, derive
from streams.core.rule_parts import Severity
from streams.core.rules import Kind
from streams.core.sentences import SCORE_OF, feed_summary, feed_words, own_words, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.core.feeds import FeedStep
    from streams.core.tracks import Cause
    from streams.core.transitions import Transition, Who

STAFF, POSTED, OPERATOR = "staff", "posted", "operator"
"""Who reads an alert: staff, on ``grade-alerts``; whoever may know posted facts alone, on
``grade-alerts-posted``; whoever runs the feed, on ``grade-alerts``, too: about no student."""


class Alert(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step of an alert as its topic holds it. Percent, points; additive changes only.

    ``change`` is ``after`` minus ``before``: a drop is below 0. What is not known, or does not
    apply, is left out.
    """

    alert_id: str  # of all steps of one alert
    fingerprint: str  # the same for every alert of one rule about one subject
    seq: int  # of the step, from 1
    state: str  # firing | resolved
    transition: str  # opened | updated | recovering | relapsed | resolved
    reason: str
    kind: Kind
    rule: str
    rules_hash: str  # of the rules that this step was judged by
    severity: Severity
    audience: str  # staff | posted | operator
    tenant: str
    student_id: str | None = None  # None, as what follows, of an alert about a feed
    course_id: str | None = None
    view: str | None = None  # posted | unposted
    score: str | None = None  # which score moved
    before: Percent | None = None
    after: Percent | None = None
    change: float | None = None
    size: float | None = None  # in the rule's own measure
    threshold: float | None = None
    event_time: Instant  # of the event that it began with
    opened_at: Instant
    changed_at: Instant  # when this step was
    evidence: tuple[Evidence, ...]
    summary: str
    next: str | None = None
    inputs: dict[str, Any]
    gap_suspected: bool = False
    late: bool = False  # a newer event had been applied before
    score_now: Percent | None = None  # with late: the score that holds
    grading_period_id: str | None = None
    assignment_id: str | None = None


class Place(NamedTuple):
    """The partition of ``grade-events`` that is judged.

    Attributes:
        topic: Its full name.
        topic_id: Kafka's id of it.
        partition: Its number.
    """

    topic: str
    topic_id: str
    partition: int


class Told(NamedTuple):
    """An alert, and where it goes.

    Attributes:
        key: The student's, as on ``grade-events``; of an alert about a feed the tenant.
        alert: What is written.
    """

    key: bytes
    alert: Alert


_encoder: Final = msgspec.json.Encoder()


class Writer:
    """Makes alerts of transitions.

    Attributes:
        id_key: The secret that all workers share; marks of erased students are keyed with it.
        key: Derived from it; keys alert ids and fingerprints.
    """

    def __init__(self, id_key: bytes, place: Place) -> None:
        """Remember the key and the place.

        Args:
            id_key: 16 to 64 bytes. Ids are keyed: a plain hash of small student numbers could be
                turned back by trying them all.
            place: The partition that evidence points to.
        """
        self.id_key = id_key
        self.key = derive(id_key, Use.ALERT_IDS)
        self._place = place

    def tell(self, step: Transition, who: Who, rules_hash: str, clock: Instant) -> Iterator[Told]:
        """Yield the alerts of a step: for whoever may know posted facts alone, and for staff.

        Args:
            step: The transition.
            who: Whom it is about.
            rules_hash: Of the rules in force.
            clock: Of the partition; empty: none yet.
        """
        key, alert = student_key(who.tenant, who.student_id), None
        if step.posted and step.rule.is_posted:
            alert = self._alert(step, who, rules_hash, clock, POSTED)
            yield Told(key, alert)
        if step.to_staff:
            if alert is None:
                alert = self._alert(step, who, rules_hash, clock, STAFF)
            else:  # they read the same, but for what ids are made of
                fingerprint, alert_id = self._ids(step, who, STAFF)
                evidence = tuple(self._evidence(step, posted=False))
                alert = msgspec.structs.replace(
                    alert, alert_id=alert_id, fingerprint=fingerprint, audience=STAFF,
                    evidence=evidence,
                )  # fmt: skip
            yield Told(key, alert)

    def tell_feed(self, step: FeedStep, rules_hash: str, clock: Instant) -> Told:
        """Return the alert of a step about a feed: for operators.

        Args:
            step: The step.
            rules_hash: Of the rules in force.
            clock: Of the partition.
        """
        rule, silent, tenant = step.rule, step.silent, step.silent.tenant
        known_by = keyed(self.key, tenant, rule.id, OPERATOR)
        text, opened = rule.text, step.transition == "opened"
        looked_at = {"due": step.at} if opened else {"since": silent.heard}
        alert = Alert(
            alert_id=keyed(self.key, known_by, silent.heard, silent.began.event_id),
            fingerprint=known_by,
            seq=step.seq,
            state="firing" if opened else "resolved",
            transition=step.transition,
            reason=step.reason,
            kind=rule.kind,
            rule=rule.id,
            rules_hash=rules_hash,
            severity=Severity(silent.severity),
            audience=OPERATOR,
            tenant=tenant,
            event_time=silent.heard,
            opened_at=silent.opened_at,
            changed_at=step.at,
            evidence=tuple(
                self._record(cause, posted=False)
                for cause in ([silent.began] if opened else [silent.began, step.cause])
            ),
            summary=feed_words(text.summary if text else None, step) or feed_summary(step),
            next=feed_words(text.next if text else None, step),
            inputs={"heard": step.heard, **looked_at, "at": step.at, "clock": clock},
        )
        return Told(tenant.encode(), alert)

    def _ids(self, step: Transition, who: Who, audience: str) -> tuple[str, str]:
        """Return fingerprint and alert id."""
        view, posted = "posted" if step.posted else "unposted", audience == POSTED
        subject = step.episode.subject
        known_by = fingerprint(self.key, who, step.rule.id, view, subject, posted=posted)
        return known_by, keyed(self.key, known_by, _id_of(step.episode.began, posted=posted))

    def _alert(
        self, step: Transition, who: Who, rules_hash: str, clock: Instant, audience: str
    ) -> Alert:
        rule, episode = step.rule, step.episode
        known_by, alert_id = self._ids(step, who, audience)
        size = size_of(rule, step.before, step.after)
        period = episode.subject if rule.kind is not Kind.ASSIGNMENT_DROP else None
        current = "current_score" if step.posted else "unposted_current_score"
        threshold = getattr(rule, "threshold", None)
        text = rule.text
        return Alert(
            alert_id=alert_id,
            fingerprint=known_by,
            seq=episode.seq,
            state="resolved" if step.transition == "resolved" else "firing",
            transition=step.transition,
            reason=step.reason,
            kind=rule.kind,
            rule=rule.id,
            rules_hash=rules_hash,
            severity=Severity(episode.severity),
            audience=audience,
            tenant=who.tenant,
            student_id=who.student_id,
            course_id=who.course_id,
            view="posted" if step.posted else "unposted",
            score=SCORE_OF.get(rule.kind, current),
            before=step.before,
            after=step.after,
            change=_change(step),
            size=None if size is None else float(size),
            threshold=None if threshold is None else float(threshold),
            event_time=episode.since,
            opened_at=episode.opened_at,
            changed_at=step.at,
            evidence=tuple(self._evidence(step, posted=audience == POSTED)),
            summary=own_words(text.summary, step, who, size)
            if text and text.summary
            else summary(step, size),
            next=own_words(text.next, step, who, size) if text and text.next else None,
            inputs=step.inputs | {"at": step.at} | ({"clock": clock} if clock else {}),
            gap_suspected=step.gap,
            late=step.late,
            score_now=step.score_now,
            grading_period_id=period,
            assignment_id=None if period else episode.subject,
        )

    def _evidence(self, step: Transition, *, posted: bool) -> Iterator[Evidence]:
        episode = step.episode
        causes = [episode.began]
        if step.cause is not None and step.cause != episode.began:
            causes.append(step.cause)
        for cause in causes:
            yield self._record(cause, posted=posted)
        for likely in episode.likely:
            yield msgspec.structs.replace(
                self._record(likely.cause, posted=posted),
                assignment_id=likely.assignment_id,
                score=likely.score,
                old_score=likely.old_score,
                points_possible=likely.points_possible,
                old_points_possible=likely.old_points_possible,
                muted=likely.muted,
            )

    def _record(self, cause: Cause, *, posted: bool) -> Evidence:
        return Evidence(
            topic=self._place.topic,
            partition=self._place.partition,
            offset=cause.offset,
            event=cause.event,
            event_time=cause.event_time,
            event_id=_id_of(cause, posted=posted),
        )


def _id_of(cause: Cause, *, posted: bool) -> str:
    return cause.posted_id if posted else cause.event_id


def _change(step: Transition) -> float | None:
    if step.before is None or step.after is None:
        return None
    return float(decimal(step.after) - decimal(step.before))


def encode(alert: Alert) -> bytes:
    """Return the alert's value on its topic; equal alerts give equal bytes."""
    return _encoder.encode(alert)


def headers(alert: Alert) -> list[tuple[str, bytes]]:
    """Return the alert's Kafka headers: CloudEvents 1.0, binary mode, without any student id."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{alert.alert_id}.{alert.seq}".encode()),
        ("ce_source", b"/gradewatch/scoring"),
        ("ce_type", f"gradewatch.alert.{alert.kind}.{alert.transition}.v1".encode()),
        ("ce_subject", alert.fingerprint.encode()),
        ("ce_time", alert.changed_at.encode()),
        ("content-type", b"application/json"),
    ]
