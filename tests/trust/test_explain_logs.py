"""Alerts of any log are explained: late events, repetitions, deletions, other rules in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from streams.core import alerts, events
from streams.core.events import Control
from streams.core.identity import identified
from streams.core.replay import Replay
from streams.core.rules import Rules
from streams.core.ruleset import NO_RULES
from streams.trust.explain import evidence, read_alert, rules_of, verdict
from tests.living_logs import encode, logs
from tests.trust.played import ID_KEY

if TYPE_CHECKING:
    from tests.oracle.living import Record


@settings(max_examples=60, deadline=None)
@given(logs(single_shots=True))
def test_alerts_of_any_log_are_explained(log: list[Record]) -> None:
    replay, sets = Replay(NO_RULES.rules, ID_KEY), dict[bytes, bytes]()
    records: dict[int, bytes | None] = {}
    for record in log:
        event = events.decode(encode(record.value))
        value = events.encode(event if isinstance(event, Control) else identified(event))
        records[record.offset] = value
        if isinstance(event, Control) and event.kind == "rules":
            sets[event.rules_hash.encode()] = bytes(event.rules)
        for told in replay.step(value, record.offset).told:
            alert = read_alert(alerts.encode(told.alert))
            rules = rules_of(sets.items(), alert.rules_hash)
            assert isinstance(rules, Rules)
            found = [*evidence(alert, records), *verdict(alert, rules)]
            assert [one.text for one in found if not one.holds] == []
