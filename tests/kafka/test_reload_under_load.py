"""Fifty reloads while events flow, ten of them invalid: nothing is lost, and every alert was judged
by the set that was in force where it stands."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from streams.core import rules
from streams.core.events import Control, decode
from tests.kafka.crash.load import Load
from tests.kafka.running import (
    Flow,
    a_moment,
    assert_last_states_are_the_last_alerts,
    assert_the_log_comes_to_the_same_bytes,
    seen,
    source,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

RATE = 300
"""Events a second: a few between two reloads."""

RELOADS = 50


def a_set(number: int) -> str:
    """Return a set of its own: at once, and living."""
    points = 5 + number / 10
    return (
        f"rules:\n"
        f"  - {{id: drop, kind: score_drop, points: {points}, severity: info}}\n"
        f"  - {{id: settled, kind: score_drop, points: {points}, severity: info, for: 1h}}\n"
    )


def is_invalid(number: int) -> bool:
    return number % 5 == 4


def is_known(metrics: str, number: int) -> bool:
    """Tell whether the worker has seen a file: as valid, and in force, or as invalid."""
    failed = f"gradewatch_rules_reload_failed {float(is_invalid(number))}"
    digest = "" if is_invalid(number) else rules.load(a_set(number), "").hash
    return failed in metrics and digest in metrics


def test_fifty_reloads_under_load(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(a_set(0))
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=file)
    with flow.worker as worker:
        with Load(flow, 12, RATE) as load:
            for number in range(1, RELOADS + 1):
                aside = file.with_suffix(".new")
                aside.write_text("rules: many" if is_invalid(number) else a_set(number))
                aside.replace(file)
                os.kill(worker.pid, signal.SIGHUP)
                until(lambda number=number: is_known(worker.get("/metrics"), number))  # type: ignore[misc]
            load.require_under_way()
        assert_the_log_comes_to_the_same_bytes(flow)
        assert_last_states_are_the_last_alerts(flow)
        found = seen(flow)
        assert {source(event) for event in found.events} == found.passable
        assert {source(event) for event in found.refused} == found.refusable
        assert_every_alert_was_judged_by_the_rules_in_force(flow)


def assert_every_alert_was_judged_by_the_rules_in_force(flow: Flow) -> None:
    log, written = a_moment(flow, "grade-alerts")
    in_force: dict[int, list[tuple[int, str]]] = {number: [] for number in log}
    for number, records in log.items():
        for record in records:
            event = decode(record.value)
            if isinstance(event, Control) and event.kind == "rules":
                in_force[number].append((record.offset, event.rules_hash))
    wanted = RELOADS - sum(map(is_invalid, range(1, RELOADS + 1))) + 1
    assert {len(sets) for sets in in_force.values()} == {wanted}
    judged: dict[str, int] = {}
    for record in written["grade-alerts"]:
        alert: dict[str, Any] = json.loads(record.value)
        if alert["rule"] == "drop":  # at once: its evidence is the record that it was judged at
            [first, *_] = alert["evidence"]
            before = [hash_ for at, hash_ in in_force[record.partition] if at < first["offset"]]
            assert alert["rules_hash"] == before[-1]
        judged[alert["rules_hash"]] = judged.get(alert["rules_hash"], 0) + 1
    assert len(judged) > RELOADS // 4, "invalid: hardly a set judged anything"
