"""The whole flow on a secured Kafka, by each way in, with exactly the ACLs that are derived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from streams import admin
from streams.core.acls import Role, required
from streams.simulator import semester
from tests.kafka.running import Flow, assert_all_is_as_recomputed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka

EVENTS = 3_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)


def a_flow(secured: SecuredKafka, namespace: str, tmp_path: Path, **told: Any) -> Flow:  # noqa: ANN401
    """Topics applied by the super user; workers get in as told, with the rights of a worker."""
    flow = Flow(
        secured.servers("SASL"), namespace, tmp_path, admin_settings=secured.scram("admin"), **told
    )
    topics = admin.read_topics(flow.settings)
    secured.grant(namespace, required(topics, flow.settings.group, Role.WORKER))
    return flow


def test_a_worker_works_with_scram(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path
) -> None:
    secured_kafka.add_user(namespace)
    flow = a_flow(secured_kafka, namespace, tmp_path, **secured_kafka.scram(namespace))
    with flow.worker:
        flow.play(semester(1, EVENTS, END))
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)


def test_a_worker_works_with_a_certificate(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path
) -> None:
    flow = a_flow(secured_kafka, namespace, tmp_path, **secured_kafka.mtls(namespace))
    with flow.worker:
        flow.play(semester(2, EVENTS, END))
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)


def test_a_worker_works_while_its_tokens_end(
    secured_kafka: SecuredKafka, namespace: str, tmp_path: Path
) -> None:
    secured_kafka.endpoint.seconds = 6
    flow = a_flow(secured_kafka, namespace, tmp_path, **secured_kafka.oauth(namespace))
    with flow.worker:
        flow.play(semester(3, EVENTS, END), 250)
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)
