"""A feed that goes silent on a real Kafka: operators are told so, and told once it is back."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from click.testing import CliRunner

from streams.cli.alerts import alerts as alerts_command
from streams.core.instants import instant
from streams.simulator import RawRecord, semester
from tests.kafka.process import running
from tests.kafka.running import (
    Flow,
    assert_last_states_are_the_last_alerts,
    assert_the_log_comes_to_the_same_bytes,
    until,
)
from tests.kafka.test_watermarks import SOON_IDLE
from tests.scenarios import a_course_grade_change

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

EVENTS: Final = 300
END: Final = datetime(2026, 5, 15, 17, tzinfo=UTC)
RULES: Final = "rules: [{id: quiet, kind: feed_silent, silence: 10m, severity: critical}]"


def told(flow: Flow) -> list[tuple[int, bytes, dict[str, Any]]]:
    """Return partition, key and value of every alert."""
    return [
        (record.partition, record.key, json.loads(record.value))
        for record in flow.read("grade-alerts")
    ]


def steps(flow: Flow) -> list[tuple[str, str]]:
    return [(alert["tenant"], alert["transition"]) for _, _, alert in told(flow)]


def test_a_feed_goes_silent_and_comes_again(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=rules)
    flow.play(semester(5, EVENTS, END))
    with running(flow, tmp_path, "worker", program=("-c", SOON_IDLE)) as worker:
        # The semester was in May: once intake is idle, the clock is the time of day.
        until(lambda: bool(told(flow)) and told(flow)[-1][2]["transition"] == "opened")
        [*_, (partition, key, opened)] = told(flow)
        assert partition == 0
        assert key == opened["tenant"].encode()
        assert opened["audience"] == "operator"
        assert opened["opened_at"] < instant(1000 * int(time.time()))
        until(lambda: "\ngradewatch_feed_silent 1.0" in worker.get("/metrics"))

        flow.play([an_event(opened["tenant"])])
        until(lambda: steps(flow)[-1:] == [(opened["tenant"], "resolved")])
        until(lambda: "\ngradewatch_feed_silent 0.0" in worker.get("/metrics"))

        assert flow.read("grade-alerts-posted") == []
    # With the worker gone: while it runs, an idle feed writes watermarks without end.
    assert_the_log_comes_to_the_same_bytes(flow)
    assert_last_states_are_the_last_alerts(flow)
    is_explained(flow, opened["alert_id"])


def an_event(tenant: str) -> RawRecord:
    """Return an event of now."""
    now = int(time.time() * 1000)
    value = a_course_grade_change(tenant=tenant, at=instant(now))
    return RawRecord(value, key=None, timestamp_ms=now)


def is_explained(flow: Flow, alert_id: str) -> None:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": flow.servers,
        "GRADEWATCH_NAMESPACE": flow.settings.namespace,
        "GRADEWATCH_ID_KEY": flow.settings.id_key.get_secret_value(),
    }

    def run(*arguments: str) -> str:
        result = CliRunner(env=environment).invoke(alerts_command, [*arguments])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    explained = run("explain", alert_id, "--from-log")
    assert explained.endswith("as it should be\n")
    assert "✘" not in explained
    assert explained.count("byte for byte") == 2
    shown = run("tail", "--from-beginning", "--exit-when-idle").splitlines()
    assert " critical feed_silent resolved  tenant " in shown[-1]
