"""The whole flow on a secured Kafka, by each way in, with exactly the ACLs that are derived."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from streams import admin
from streams.cli import cli
from streams.core.acls import Role, required
from streams.errors import BrokerError
from streams.kafka_settings import environment_name
from streams.simulator import semester
from tests.kafka.process import running
from tests.kafka.running import Flow, assert_all_is_as_recomputed
from tests.kafka.secured import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from streams.core.acls import Acl
    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka

EVENTS = 1_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)


def a_flow(secured: SecuredKafka, namespace: str, tmp_path: Path, told: dict[str, Any]) -> Flow:
    """Topics applied by the super user; workers get in as told, with the rights of a worker."""
    boss = secured.scram("admin")
    servers = told["kafka_bootstrap_servers"]
    flow = Flow(servers, namespace, tmp_path, admin_settings=boss, **told)
    secured.grant(namespace, needed(flow, Role.WORKER))
    return flow


def needed(flow: Flow, role: Role) -> list[Acl]:
    return required(admin.read_topics(flow.settings), flow.settings.group, role)


def run(flow: Flow, told: dict[str, Any], line: str) -> str:
    """Return what a command printed."""
    environment = {environment_name(name): str(value) for name, value in told.items()}
    shell = CliRunner(env=environment | {"GRADEWATCH_NAMESPACE": flow.settings.namespace})
    done = shell.invoke(cli, line.split(), standalone_mode=False)
    assert done.exception is None, (line, done.output, str(done.exception))
    return done.output


@pytest.mark.crash
def test_two_workers_share_restore_and_move_with_a_workers_acls_alone(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path
) -> None:
    """SCRAM-SHA-512; the commands of the operator and the readers, each with its own user."""
    secured_kafka.add_user(namespace)
    flow = a_flow(secured_kafka, namespace, tmp_path, secured_kafka.scram(namespace))
    users = {role: f"{namespace}-{role}" for role in (Role.OPERATOR, Role.ALERTS, Role.REFUSED)}
    for role, user in users.items():
        secured_kafka.add_user(user, needed(flow, role))
    told = {role: secured_kafka.scram(user) for role, user in users.items()}

    with flow.workers("first", "second") as (first, second):
        flow.play(semester(1, EVENTS, END))
        flow.await_worked(EVENTS)
        assert "2 workers" in run(flow, told[Role.OPERATOR], "workers list")
        student = json.loads(flow.read("grade-alerts")[0].value)["student_id"]
        scores = run(flow, {"web_port": first.url.rpartition(":")[2]}, f"scores get {student}")
        assert "effective" in scores
        second.kill()
        removed = run(flow, secured_kafka.scram(namespace), "workers remove second")
        assert "partitions move to the others" in removed
        flow.play(semester(2, EVENTS, END))
        flow.await_worked(2 * EVENTS)
        assert_all_is_as_recomputed(flow)
    assert "restored: " in flow.log()  # of the rows that moved

    alerts = run(flow, told[Role.ALERTS], "alerts tail --from-beginning --exit-when-idle")
    assert len(alerts.splitlines()) == len(flow.read("grade-alerts"))
    count = len(flow.read("grade-events-refused"))
    refused = run(flow, told[Role.REFUSED], "events refused list")
    assert f"of {count:,} refused events" in refused
    assert "no change" in run(flow, told[Role.OPERATOR], "topics plan")
    assert PASSWORD not in flow.log()
    assert "Traceback" not in flow.log()


def test_a_worker_works_with_a_certificate(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path
) -> None:
    flow = a_flow(secured_kafka, namespace, tmp_path, secured_kafka.mtls(namespace))
    with flow.worker:
        flow.play(semester(3, EVENTS, END))
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)


@pytest.mark.crash
def test_a_worker_works_on_while_its_tokens_end(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker closes connections, or has them authenticate again, as tokens expire."""
    monkeypatch.setattr(secured_kafka.endpoint, "seconds", 6.0)
    flow = a_flow(secured_kafka, namespace, tmp_path, secured_kafka.oauth(namespace))
    with flow.worker:
        flow.play(semester(4, EVENTS, END), EVENTS / 9)
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)
    assert secured_kafka.endpoint.given >= 3
    assert PASSWORD not in flow.log()
    assert "Traceback" not in flow.log()
    assert "not committed" not in flow.log()  # no transaction suffers from it


TAKEN_AWAY = [
    "READ on topic grade-events", "READ on topic canvas-live-events",
    "WRITE on topic grade-alerts", "READ on group gradewatch",
    "WRITE on transactional id gradewatch-*",
]  # fmt: skip


@pytest.mark.crash
@pytest.mark.parametrize("right", TAKEN_AWAY)
def test_a_worker_whose_right_is_taken_away_stops_and_says_so(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path, right: str
) -> None:
    secured_kafka.add_user(namespace)
    flow = a_flow(secured_kafka, namespace, tmp_path, secured_kafka.scram(namespace))
    [gone] = [
        acl
        for acl in needed(flow, Role.WORKER)
        if str(acl).replace(f"{namespace}-", "") == right or str(acl) == right
    ]
    with running(flow, tmp_path, "worker") as worker:
        flow.play(semester(30, 300, END))
        flow.await_worked(300)
        secured_kafka.revoke(namespace, gone)
        flow.play(semester(31, 300, END))

        assert worker.popen.wait(90) == BrokerError.exit_code, worker.said()
        assert "any more" in worker.said()
        assert "Traceback" not in worker.said()
