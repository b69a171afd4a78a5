"""An alert looked into: whether its evidence is whole, and its rule says the same of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.core import events
from streams.core.alerts import OPERATOR, POSTED, Alert, encode
from streams.core.clauses import Clause, clauses, feed_clauses
from streams.core.conditions import size_of
from streams.core.events import Control, CourseGradeChange, GradeChange, GradeOverride
from streams.core.evidence import plain
from streams.core.feeds import digest
from streams.core.identity import event_id, posted_id
from streams.core.instants import plus
from streams.core.openings import percent_of_possible
from streams.core.rule_parts import Severity
from streams.core.rules import FeedSilent, Kind, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streams.core.alerts import Told
    from streams.core.events import GradeEvent
    from streams.core.evidence import Evidence
    from streams.core.rules import AnyRule, Rule

_decoder: Final = msgspec.json.Decoder(Alert)


def read_alert(value: bytes) -> Alert:
    """Return the alert in a record.

    Raises:
        ValueError: It is none.
    """
    return _decoder.decode(value)


def evidence(alert: Alert, records: Mapping[int, bytes | None]) -> list[Clause]:
    """Return what is found of an alert's evidence.

    Args:
        alert: The alert.
        records: What stands on its partition of ``grade-events``, by offset; None: nothing does.

    Returns:
        One clause for each record; those that are not what the alert saw do not hold.
    """
    found = [_record(alert, one, records.get(one.offset)) for one in alert.evidence]
    if alert.audience == OPERATOR:
        return [*found, *(_heard(alert, records) if found[-1].holds else ())]
    first = records.get(alert.evidence[0].offset)
    if alert.transition == "opened" and first and found[0].holds:
        event = events.decode(first)
        if not isinstance(event, Control):
            found += _told(alert, event)
    return found


def _record(alert: Alert, one: Evidence, value: bytes | None) -> Clause:
    where = f"{one.topic}[{one.partition}]@{one.offset} {one.event} {one.event_time}"
    if not value:
        return Clause(f"{where}: there is no such record any more", holds=False)
    try:
        event = events.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Clause(f"{where}: not a grade event", holds=False)
    if isinstance(event, Control) != (alert.audience == OPERATOR):
        what = "a control record" if isinstance(event, Control) else "a grade event"
        return Clause(f"{where}: {what}", holds=False)
    if isinstance(event, Control):
        return _control(where, one, event, value)
    made = event_id(event)
    if alert.audience == POSTED and isinstance(event, CourseGradeChange) and event.posted_id:
        made = posted_id(event)
    same = made == one.event_id and event.event_time == one.event_time
    about = (event.tenant, event.student_id, event.course_id)
    if about != (alert.tenant, alert.student_id, alert.course_id):
        return Clause(f"{where}: about another student or course", holds=False)
    words = "its digest is the alert's" if same else f"its digest is {made}, not {one.event_id}"
    return Clause(f"{where}: {words}", same)


def _control(where: str, one: Evidence, told: Control, value: bytes) -> Clause:
    """Return whether a control record is the one that an alert about a feed rests on."""
    made = digest(value)
    same = (made, told.at) == (one.event_id, one.event_time)
    words = "its digest is the alert's" if same else f"its digest is {made}, not {one.event_id}"
    return Clause(f"{where}: a {told.kind} record, {words}", same)


def _heard(alert: Alert, records: Mapping[int, bytes | None]) -> Iterator[Clause]:
    """Yield whether the records of an alert about a feed say nothing else than it does."""
    value = records.get(alert.evidence[-1].offset)
    if not value:
        return
    told, tenant = events.decode(value), alert.tenant
    if not isinstance(told, Control):
        return
    kind = "rules" if alert.reason == "rule_removed" else "watermark"
    yield Clause(f"brought by a {kind} record", told.kind == kind)
    if kind == "watermark":
        said, heard = told.heard.get(tenant, ""), alert.inputs.get("heard", "")
        text = f"the record says that {tenant} was heard of at {said}" if said else (
            f"the record says nothing newer of {tenant}"
        )  # fmt: skip
        yield Clause(text, said <= heard)


def _told(alert: Alert, event: GradeEvent) -> Iterator[Clause]:
    """Yield whether what the rule looked at is what the event says."""
    inputs = alert.inputs
    pairs: list[tuple[float | None, float | None]] = []
    if isinstance(event, CourseGradeChange):
        unposted = alert.view != "posted"
        pairs = [
            (event.old_unposted_current_score, event.unposted_current_score)
            if unposted
            else (event.old_current_score, event.current_score)
        ]
    elif isinstance(event, GradeChange):
        pairs = [
            (
                percent_of_possible((event.old_score, event.old_points_possible)),
                percent_of_possible((event.score, event.points_possible)),
            )
        ]
    elif isinstance(event, GradeOverride) and "old" in inputs:
        pairs = [(event.old_override_score, event.override_score)]
    if alert.kind is Kind.OVERRIDE_GAP:
        return
    for old, new in pairs:
        looked_at = (inputs.get("old", inputs.get("before")), inputs.get("new", inputs.get("now")))
        text = f"the event says {plain(old)} to {plain(new)}"
        yield Clause(text, looked_at == (old, new))


def verdict(alert: Alert, rules: Rules) -> list[Clause]:
    """Return the clauses of an alert, judged again from its own inputs.

    Args:
        alert: The alert.
        rules: Those of its ``rules_hash``.
    """
    rule: AnyRule | None = next((one for one in rules.rules if one.id == alert.rule), None)
    if alert.reason == "rule_removed":
        return [Clause(f"rules {rules.hash} were the last with rule {alert.rule}", holds=True)]
    if rule is None or rule.kind is not alert.kind:
        return [Clause(f"rules {rules.hash} have the rule {alert.rule}", holds=False)]
    try:
        if isinstance(rule, FeedSilent):
            return [*_of_a_feed(alert, rule)]
        found = clauses(rule, alert.transition, alert.reason, alert.inputs)
    except (LookupError, TypeError, ValueError):
        return [Clause("the alert holds what the rule looks at", holds=False)]
    return [*found, *_numbers(alert, rule)]


def _of_a_feed(alert: Alert, rule: FeedSilent) -> Iterator[Clause]:
    inputs, opened = alert.inputs, alert.transition == "opened"
    yield from feed_clauses(rule, alert.tenant, alert.transition, inputs)
    began = inputs["heard" if opened else "since"]
    yield Clause(f"says that the last event before was of {alert.event_time}",
                 alert.event_time == began)  # fmt: skip
    due = plus(began, rule.silence)
    when = due if opened else max(inputs["heard"], alert.opened_at)
    yield Clause(f"says {alert.transition} at {alert.changed_at}", alert.changed_at == when)
    if opened:
        yield Clause(f"severity {alert.severity.value}", alert.severity is rule.severity)


def _numbers(alert: Alert, rule: Rule) -> Iterator[Clause]:
    inputs = alert.inputs
    after = inputs.get("after", inputs.get("now"))
    said = (alert.before, alert.after)
    yield Clause(
        f"says {plain(alert.before)} to {plain(alert.after)}",
        said == (inputs.get("before"), after),
    )
    size = size_of(rule, alert.before, alert.after)
    threshold = getattr(rule, "threshold", None)
    yield Clause(
        f"says size {plain(alert.size)}, threshold {plain(alert.threshold)}",
        (alert.size, alert.threshold)
        == (None if size is None else float(size), None if threshold is None else float(threshold)),
    )
    if alert.transition == "opened":
        loud = rule.severity_at(size)
        yield Clause(f"severity {alert.severity.value}", Severity(alert.severity) is loud)


def folded(told: Iterable[Told], alert_id: str, written: Sequence[bytes]) -> list[Clause]:
    """Return whether playing the log again gives the bytes that were written.

    Args:
        told: What playing the log brought.
        alert_id: Of the alert.
        written: The records of the alert, in their order.
    """
    made = [encode(one.alert) for one in told if one.alert.alert_id == alert_id]
    found = [
        Clause(f"step {number} comes out of the log, byte for byte", value in made)
        for number, value in enumerate(written, 1)
    ]
    if len(made) != len(written):
        text = f"{len(written)} steps were written, {len(made)} come out of the log"
        found.append(Clause(text, holds=False))
    return found


def show(found: Iterable[Clause]) -> str:
    """Return clauses for people, one a line.

    Example:
        >>> print(show([Clause("12 at least 10", True), Clause("3 at least 5", False)]))
          ✔ 12 at least 10
          ✘ 3 at least 5
    """
    return "\n".join(f"  {'✔' if one.holds else '✘'} {one.text}" for one in found)


def as_data(found: Iterable[Clause]) -> list[dict[str, Any]]:
    """Return clauses as plain data."""
    return [one._asdict() for one in found]


def rules_of(values: Iterable[tuple[bytes, bytes]], rules_hash: str) -> Rules | None:
    """Return the rules of a hash, or None.

    Args:
        values: Keys and values of ``grade-rules``.
        rules_hash: The hash that is asked for; a set that is not what its key says is none.
    """
    found = None
    for key, value in values:
        if key.decode("utf-8", "replace") == rules_hash and value:
            try:
                rules = Rules.model_validate_json(value)
            except ValueError:
                continue
            found = rules if rules.hash == rules_hash else found
    return found
