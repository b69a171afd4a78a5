"""Alerts explained: each is judged again from its own inputs, and whoever tampers is noticed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from streams.core import alerts, events
from streams.core.events import Control
from streams.core.replay import Replay
from streams.core.rules import Rules
from streams.core.ruleset import NO_RULES
from streams.trust.explain import evidence, folded, read_alert, rules_of, verdict
from tests.trust.played import ID_KEY, RULES, played

if TYPE_CHECKING:
    from streams.core.alerts import Alert, Told
    from streams.core.clauses import Clause

COUNT = 1000


def chosen(seed: int = 1, count: int = COUNT) -> list[Alert]:
    """Return some alerts of the semester, of every rule."""
    told = played().told
    assert {one.rule for one in told} == {rule.id for rule in RULES.rules}
    return random.Random(seed).sample(told, count)  # noqa: S311 - the same each time


def wrong(found: list[Clause]) -> list[str]:
    return [one.text for one in found if not one.holds]


def test_a_thousand_of_a_thousand_random_alerts_are_explained() -> None:
    records = dict(enumerate(played().log))
    right = 0
    for alert in chosen():
        told = read_alert(alerts.encode(alert))
        found = [*evidence(told, records), *verdict(told, RULES)]
        assert wrong(found) == [], alert
        right += len(found) >= 2

    assert right == COUNT


def test_every_changed_record_is_noticed() -> None:
    log = played().log
    for number, alert in enumerate(chosen(2, 300)):
        place = number % len(alert.evidence)
        offset = alert.evidence[place].offset
        records: dict[int, bytes | None] = dict(enumerate(log))
        records[offset] = _tampered(log[offset])

        assert any("its digest is" in text for text in wrong(evidence(alert, records))), alert


def _tampered(value: bytes) -> bytes:
    event = events.decode(value)
    assert not isinstance(event, Control)
    field = {"GradeChange": "score", "GradeOverride": "override_score"}.get(
        type(event).__name__, "current_score"
    )
    score = getattr(event, field)
    return events.encode(msgspec.structs.replace(event, **{field: (score or 0.0) + 0.01}))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "there is no such record any more"),
        (b"{}", "not a grade event"),
        (b'{"type":"control","kind":"watermark"}', "a control record"),
    ],
)
def test_a_record_that_is_gone_or_another_is_noticed(value: bytes | None, said: str) -> None:
    alert = chosen()[0]

    found = evidence(alert, {one.offset: value for one in alert.evidence})

    assert wrong(found) == [one.text for one in found]
    assert all(text.endswith(said) for text in wrong(found))


def test_a_record_of_somebody_else_is_noticed() -> None:
    log = played().log
    alert = chosen()[0]
    other = next(
        value for value in log
        if not isinstance(event := events.decode(value), Control)
        and event.student_id != alert.student_id
    )  # fmt: skip

    found = evidence(alert, {one.offset: other for one in alert.evidence})

    assert all("about another student or course" in text for text in wrong(found))
    assert wrong(found)


@pytest.mark.parametrize("field", ["before", "after", "size", "threshold"])
def test_a_changed_number_of_an_alert_is_noticed(field: str) -> None:
    changed = [one for one in chosen() if getattr(one, field) is not None]
    for alert in changed:
        other = msgspec.structs.replace(alert, **{field: getattr(alert, field) + 1})
        if alert.reason != "rule_removed":
            assert wrong(verdict(other, RULES)), alert
    assert changed


def test_an_opening_that_a_rule_would_not_have_is_noticed() -> None:
    canonical = RULES.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for rule in canonical["rules"]:
        rule.update({name: "99" for name in ("points", "percent") if name in rule})
        rule.update({"severity": "critical"} if rule["kind"] == "score_drop" else {})
        rule.update({"floor": "1"} if "floor" in rule else {})
    stricter = Rules.model_validate(canonical)
    opened = [
        one for one in chosen()
        if one.transition == "opened"
        and one.kind != "score_vanished"
    ]  # fmt: skip

    assert opened
    assert all(wrong(verdict(alert, stricter)) for alert in opened)


def test_rules_without_the_alerts_rule_are_noticed() -> None:
    alert = next(one for one in chosen() if one.transition == "opened")
    others = NO_RULES.rules

    assert wrong(verdict(alert, others)) == [f"rules {others.hash} have the rule {alert.rule}"]


def test_rules_are_found_by_their_hash_and_only_if_they_are_what_it_says() -> None:
    good, other = RULES.canonical().encode(), RULES.canonical().replace("at-once", "once").encode()
    key = RULES.hash.encode()

    assert rules_of([(key, good)], RULES.hash) == RULES
    assert rules_of([(b"0123", good), (b"\xff", b"")], RULES.hash) is None
    assert rules_of([(key, other)], RULES.hash) is None
    assert rules_of([(key, b"not rules")], RULES.hash) is None


def test_the_log_gives_an_alerts_bytes_again() -> None:
    replay = Replay(RULES, ID_KEY)
    told: list[Told] = []
    alert = next(one for one in chosen() if one.transition == "resolved")
    for offset, value in enumerate(played().log):
        event = events.decode(value)
        if isinstance(event, Control) or event.student_id == alert.student_id:
            told += replay.step(value, offset).told
    written = [alerts.encode(one) for one in played().told if one.alert_id == alert.alert_id]

    assert len(written) > 1
    assert wrong(folded(told, alert.alert_id, written)) == []
    assert len(wrong(folded(told, alert.alert_id, written[:-1]))) == 1
    assert len(wrong(folded(told, alert.alert_id, [*written[:-1], written[0] + b" "]))) == 1
