"""What keeps us out of a secured Kafka is named, with the setting and the next step, and soon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from streams import admin, connection
from streams.errors import BrokerError
from streams.settings import load
from tests.kafka.secured import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka


class Case(NamedTuple):
    told: Callable[[SecuredKafka], dict[str, Any]]
    cause: str
    step: str


def without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in names}


CASES = {
    "wrong password": Case(
        lambda secured: (
            secured.scram("admin")
            | {"kafka_password_file": secured.secret("wrong.password", "not-" + PASSWORD)}
        ),
        "does not accept user 'admin' with its password by SCRAM-SHA-512: Authentication failed",
        "GRADEWATCH_KAFKA_PASSWORD_FILE",
    ),
    "unknown user": Case(
        lambda secured: secured.scram("nobody"),
        "does not accept user 'nobody'",
        "GRADEWATCH_KAFKA_USERNAME",
    ),
    "wrong password of PLAIN": Case(
        lambda secured: (
            secured.plain("admin")
            | {"kafka_password_file": secured.secret("wrong.password", "not-" + PASSWORD)}
        ),
        "does not accept user 'admin' with its password by PLAIN",
        "GRADEWATCH_KAFKA_PASSWORD_FILE",
    ),
    "mechanism that is not offered": Case(
        lambda secured: secured.scram("admin") | {"kafka_sasl_mechanism": "SCRAM-SHA-256"},
        "does not offer SCRAM-SHA-256",
        "GRADEWATCH_KAFKA_SASL_MECHANISM",
    ),
    "unknown CA": Case(
        lambda secured: (
            secured.scram("admin") | {"kafka_ca_file": secured.directory / "stranger.pem"}
        ),
        "who signed the certificate of Kafka at",
        "GRADEWATCH_KAFKA_CA_FILE",
    ),
    "no CA": Case(
        lambda secured: without(secured.scram("admin"), "kafka_ca_file"),
        "who signed the certificate of Kafka at",
        "GRADEWATCH_KAFKA_CA_FILE",
    ),
    "certificate of another host": Case(
        lambda secured: secured.mtls("admin", "ELSEWHERE"),
        "is for another host: IP address mismatch",
        "KAFKA_BOOTSTRAP_SERVERS",
    ),
    "expired token": Case(
        lambda secured: secured.token_file("late", -3600),
        "does not accept our token from file:///",
        "GRADEWATCH_KAFKA_OAUTH_TOKEN_URL",
    ),
    "no token at all": Case(
        lambda secured: (
            secured.token_file("admin", 60)
            | {"kafka_oauth_token_url": secured.secret("no.token", "nonsense").as_uri()}
        ),
        "does not accept our token from file:///",
        "GRADEWATCH_KAFKA_OAUTH_TOKEN_URL",
    ),
    "wrong client secret": Case(
        lambda secured: (
            secured.oauth("admin")
            | {"kafka_oauth_client_secret_file": secured.secret("wrong.secret", "not-" + PASSWORD)}
        ),
        "no token for Kafka from https://127.0.0.1:",
        "GRADEWATCH_KAFKA_OAUTH_CLIENT_SECRET_FILE",
    ),
    "no token endpoint": Case(
        lambda secured: (
            secured.oauth("admin") | {"kafka_oauth_token_url": "https://127.0.0.1:1/token"}
        ),
        "no token for Kafka from https://127.0.0.1:1/token: ConnectError",
        "GRADEWATCH_KAFKA_OAUTH_TOKEN_URL",
    ),
    "no certificate": Case(
        lambda secured: without(secured.mtls("admin"), "kafka_cert_file", "kafka_key_file"),
        "it may ask for a certificate",
        "GRADEWATCH_KAFKA_CERT_FILE",
    ),
    "TLS where there is none": Case(
        lambda secured: (
            secured.scram("admin") | {"kafka_bootstrap_servers": secured.bootstrap_servers}
        ),
        "it may not speak TLS there",
        "GRADEWATCH_KAFKA_SECURITY_PROTOCOL",
    ),
    "no TLS where there is": Case(
        lambda secured: {"kafka_bootstrap_servers": secured.servers("SASL")},
        "it may want TLS",
        "GRADEWATCH_KAFKA_SECURITY_PROTOCOL",
    ),
    "SASL where certificates are asked for": Case(
        lambda secured: (
            secured.scram("admin") | {"kafka_bootstrap_servers": secured.servers("MTLS")}
        ),
        "before SASL, it may ask for a certificate",
        "GRADEWATCH_KAFKA_SECURITY_PROTOCOL",
    ),
    "nobody there": Case(
        lambda secured: secured.scram("admin") | {"kafka_bootstrap_servers": "127.0.0.1:1"},
        "nothing listens at 127.0.0.1:1",
        "KAFKA_BOOTSTRAP_SERVERS",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cause_and_the_setting_are_named(
    secured_kafka: SecuredKafka,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    monkeypatch.setattr(connection, "DEADLINE", 1.0)
    case = CASES[name]
    kafka = admin.bootstrap(load(**case.told(secured_kafka)))
    began = time.monotonic()

    with pytest.raises(BrokerError) as told:
        admin.observe(kafka, ["a-topic"])

    assert time.monotonic() - began < 8
    assert case.cause in str(told.value)
    assert case.step in told.value.next_step
    assert PASSWORD not in str(told.value) + caplog.text
