"""Other rules in force than those of our file are told of once they last."""

from __future__ import annotations

import msgspec

from streams.core import rules
from streams.core.clock import State, encode_state
from streams.in_force import LASTING_SECONDS, InForce

OURS = rules.load("rules: [{id: a, kind: score_drop, points: 5, severity: info}]", "rules.yaml")
THEIRS = rules.load("rules: [{id: a, kind: score_drop, points: 9, severity: info}]", "rules.yaml")


def state(told: rules.Rules) -> bytes:
    return encode_state(msgspec.structs.replace(State(), rules=told.canonical()))


def test_our_rules_or_none_yet_are_nothing_to_tell_of() -> None:
    looks = InForce()
    for second in range(0, 100, 5):
        assert looks.warnings(state(OURS) if second > 50 else None, OURS, second) == []


def test_a_set_of_another_worker_is_told_of_once_it_lasts_and_no_longer_than_it_does() -> None:
    looks = InForce()
    assert looks.warnings(state(THEIRS), OURS, 0) == []
    assert looks.warnings(state(THEIRS), OURS, LASTING_SECONDS - 1) == []
    [told] = looks.warnings(state(THEIRS), OURS, LASTING_SECONDS)
    assert (
        f"in force (hash {THEIRS.hash}) are not those of our rules file (hash {OURS.hash})" in told
    )
    assert looks.warnings(state(OURS), OURS, LASTING_SECONDS + 1) == []
    assert looks.warnings(state(THEIRS), OURS, LASTING_SECONDS + 2) == []
