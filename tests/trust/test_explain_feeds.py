"""Alerts about feeds explained: judged again from their own inputs, and tampering is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from streams.core import alerts, events
from streams.core.events import Control
from streams.core.replay import Replay, announcement
from streams.core.rules import load
from streams.core.ruleset import NO_RULES
from streams.trust.explain import evidence, folded, read_alert, verdict
from tests.living_logs import moment
from tests.trust.played import ID_KEY

if TYPE_CHECKING:
    from streams.core.alerts import Alert
    from streams.core.clauses import Clause

RULES = load("rules: [{id: quiet, kind: feed_silent, silence: 1d, severity: warning}]", "f")


class Story(NamedTuple):
    """A log, and what it tells: opened, resolved, opened, resolved with the rule."""

    log: list[bytes]
    told: list[Alert]


@pytest.fixture(scope="module")
def story() -> Story:
    log = [
        announcement(RULES, moment(0)),
        mark(0, east=0),
        mark(90_000),
        mark(100_000, east=95_000, west=95_000),
        mark(200_000),
        announcement(NO_RULES.rules, moment(200_001)),
    ]
    values = [events.encode(one) for one in log]
    replay = Replay(NO_RULES.rules, ID_KEY)
    return Story(values, [one.alert for value in values for one in replay.step(value).told])


def mark(at: int, **heard: int) -> Control:
    said = {tenant: moment(when) for tenant, when in heard.items()}
    return Control(kind="watermark", topic="raw", partitions=1, at=moment(at), heard=said)


def wrong(found: list[Clause]) -> list[str]:
    return [one.text for one in found if not one.holds]


def of(story: Story, alert: Alert) -> list[Clause]:
    told = read_alert(alerts.encode(alert))
    return [*evidence(told, dict(enumerate(story.log))), *verdict(told, RULES)]


def test_every_step_is_explained(story: Story) -> None:
    assert [(one.transition, one.reason, one.tenant) for one in story.told] == [
        ("opened", "threshold_reached", "east"),
        ("resolved", "recovered", "east"),
        ("opened", "threshold_reached", "east"),
        ("opened", "threshold_reached", "west"),
        ("resolved", "rule_removed", "east"),
        ("resolved", "rule_removed", "west"),
    ]
    for alert in story.told:
        found = of(story, alert)
        assert wrong(found) == []
        assert len(found) >= 3


def test_what_the_rule_looked_at_is_said(story: Story) -> None:
    texts = [one.text for one in of(story, story.told[0])]

    assert f"1 day after the last event, {moment(0)}, is {moment(86_400)}" in texts
    assert f"the clock had come so far: {moment(90_000)}" in texts
    assert "the record says nothing newer of east" in texts


@pytest.mark.parametrize("number", range(6))
def test_a_changed_record_is_noticed(story: Story, number: int) -> None:
    alert = story.told[number]
    for place in alert.evidence:
        log = [*story.log]
        log[place.offset] = log[place.offset].replace(b"2026-02-0", b"2026-01-0", 1)

        assert any("its digest is" in text for text in wrong(of(Story(log, []), alert)))


def test_a_record_that_is_gone_or_is_an_event_is_noticed(story: Story) -> None:
    alert = story.told[0]
    event = events.CourseGradeChange(
        event_id="1" * 16, tenant="east", student_id="48", course_id="7", event_time=moment(0)
    )

    assert wrong(evidence(alert, {}))[0].endswith("there is no such record any more")
    assert wrong(evidence(alert, {2: events.encode(event)}))[0].endswith(": a grade event")
    assert wrong(evidence(alert, {2: b"{}"}))[0].endswith("not a grade event")


@pytest.mark.parametrize("name", ["heard", "due", "clock", "since"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_changed_input_is_noticed(story: Story, number: int, name: str) -> None:
    alert = story.told[number]
    if name not in alert.inputs:
        return
    for other in (moment(-900_000), moment(900_000)):
        forged = msgspec.structs.replace(alert, inputs=alert.inputs | {name: other})
        kept = name == "clock" and (other > alert.inputs["clock"]) == (number == 0)
        assert bool(wrong(of(story, forged))) != kept
    left = {key: value for key, value in alert.inputs.items() if key != name}
    assert wrong(of(story, msgspec.structs.replace(alert, inputs=left)))


@pytest.mark.parametrize("field", ["event_time", "changed_at"])
def test_a_changed_time_is_noticed(story: Story, field: str) -> None:
    for alert in story.told[:2]:
        forged = msgspec.structs.replace(alert, **{field: moment(-9)})

        assert wrong(of(story, forged))


@pytest.mark.parametrize(
    "rule",
    [
        "{id: quiet, kind: feed_silent, silence: 2d, severity: warning}",
        "{id: quiet, kind: feed_silent, silence: 1d, severity: info}",
        "{id: quiet, kind: feed_silent, silence: 1d, severity: info, match: {tenants: {in: [x]}}}",
        "{id: quiet, kind: score_vanished, severity: warning}",
        "{id: other, kind: feed_silent, silence: 1d, severity: warning}",
    ],
)
def test_a_rule_that_would_not_have_opened_it_is_noticed(story: Story, rule: str) -> None:
    assert wrong(verdict(story.told[0], load(f"rules: [{rule}]", "f")))


def test_the_log_gives_its_bytes_again(story: Story) -> None:
    replay = Replay(NO_RULES.rules, ID_KEY)
    told = [one for value in story.log for one in replay.step(value).told]
    first = story.told[0]
    written = [alerts.encode(one) for one in story.told if one.alert_id == first.alert_id]

    assert len(written) == 2
    assert wrong(folded(told, first.alert_id, written)) == []
