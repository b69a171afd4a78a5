"""``gradewatch doctor`` on a broker that asks who we are: each ACL that is missing is named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
)

from streams import admin, doctor
from streams.connection import client
from streams.core.acls import Role, required
from streams.doctor import Finding, Patient, State
from streams.settings import load
from tests.kafka.running import until

if TYPE_CHECKING:
    from streams.settings import Settings
    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka

KEY = "a key of this test's own"


def user_of(secured: SecuredKafka, namespace: str, role: Role) -> Settings:
    """Return the settings of a user with just the ACLs of a role; the topics are applied."""
    told: dict[str, Any] = {"namespace": namespace, "id_key": KEY}
    by_admin = secured.settings("admin", **told)
    admin.carry_out(secured.admin, admin.make_plan(by_admin, create_external=True))
    settings = secured.settings(namespace, **told)
    secured.add_user(namespace, required(admin.read_topics(settings), settings.group, role))
    return settings


def found(settings: Settings, role: Role, *, ahead: float = 0) -> list[Finding]:
    """Return what is not ok."""
    patient = Patient(settings, role, now=lambda: time.time() + ahead, patience=0.5)
    return [each for each in doctor.examine(patient) if each.state is not State.OK]


@pytest.mark.crash
def test_each_acl_of_a_worker_that_is_missing_is_named_and_no_other(
    secured_kafka: SecuredKafka, namespace: str
) -> None:
    settings = user_of(secured_kafka, namespace, Role.WORKER)
    needed = required(admin.read_topics(settings), settings.group, Role.WORKER)
    assert found(settings, Role.WORKER) == []

    for acl in needed:
        secured_kafka.revoke(namespace, acl)

        findings = found(settings, Role.WORKER)
        failed = [each for each in findings if each.state is State.FAIL]
        assert [each.check for each in failed] == ["ACLs"], findings
        assert failed[0].evidence == f"no {acl}: {acl.why}"
        others = [each.evidence for each in findings if each.state is State.WARN]
        assert all(each.startswith("not looked at") for each in others), others
        secured_kafka.grant(namespace, [acl])
    assert found(settings, Role.WORKER) == []


@pytest.mark.crash
def test_each_acl_of_an_operator_that_is_missing_is_named_and_no_other(
    secured_kafka: SecuredKafka, namespace: str
) -> None:
    settings = user_of(secured_kafka, namespace, Role.OPERATOR)
    assert found(settings, Role.OPERATOR) == []

    for acl in required(admin.read_topics(settings), settings.group, Role.OPERATOR):
        secured_kafka.revoke(namespace, acl)

        [check] = (each for each in doctor.CHECKS if each.name == "ACLs")
        [failed] = check.made(Patient(settings, Role.OPERATOR))
        assert failed.evidence == f"no {acl}: {acl.why}"
        secured_kafka.grant(namespace, [acl])


def test_an_acl_that_denies_is_as_one_that_is_missing(
    secured_kafka: SecuredKafka, namespace: str
) -> None:
    settings = user_of(secured_kafka, namespace, Role.WORKER)
    alerts = settings.topic("grade-alerts")
    denied = ACL(
        f"User:{namespace}", "*", ACLOperation.WRITE, ACLPermissionType.DENY,
        ResourcePattern(ResourceType.TOPIC, alerts),
    )  # fmt: skip
    with client(secured_kafka.admin) as asked:
        asked.create_acls([denied])
    until(lambda: bool(found(settings, Role.WORKER)))

    [one] = found(settings, Role.WORKER)
    assert one.evidence.startswith(f"no WRITE on topic {alerts}: ")


@pytest.mark.parametrize(
    ("days", "state", "evidence"),
    [(-10, State.WARN, "ends in 10 days"), (10, State.FAIL, "ended 10 days ago")],
)
def test_certificates_that_end_soon_or_have_ended(
    secured_kafka: SecuredKafka, namespace: str, days: int, state: State, evidence: str
) -> None:
    """A broker that lets nobody in cannot be asked: so the day is another, not the certificate."""
    user_of(secured_kafka, namespace, Role.WORKER)
    told = secured_kafka.mtls("admin", namespace=namespace, id_key=KEY)
    certificate = x509.load_pem_x509_certificate(told["kafka_cert_file"].read_bytes())
    ends = certificate.not_valid_after_utc.timestamp() + days * 86_400 + 3_600

    findings = found(load(**told), Role.WORKER, ahead=ends - time.time())
    named = [each for each in findings if each.check == "certificates"]
    assert {each.state for each in named} == {state}
    assert len(named) == 2, "the broker's and our own"
    assert all(evidence in each.evidence for each in named), named
    assert any(str(told["kafka_cert_file"]) in each.evidence for each in named)
    assert {each.check for each in findings} == {"certificates", "transactions and clock"}


def test_a_broker_with_another_name_in_its_certificate(
    secured_kafka: SecuredKafka, namespace: str
) -> None:
    told = secured_kafka.mtls("admin", "ELSEWHERE", namespace=namespace, id_key=KEY)

    first, *others = found(load(**told), Role.WORKER)
    assert (first.check, first.state) == ("brokers", State.FAIL)
    assert {each.evidence for each in others} == {"not looked at: Kafka does not answer"}
