"""What cannot be meant is named before anything connects; secrets never stand in a message."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from streams.errors import ConfigurationError
from streams.security import Kafka
from streams.settings import load

if TYPE_CHECKING:
    from pathlib import Path

SASL = {"PROTOCOL": "SASL_SSL", "USERNAME": "grades", "PASSWORD_FILE": "secret"}
OAUTH = {
    "PROTOCOL": "SASL_SSL", "MECHANISM": "OAUTHBEARER", "TOKEN_URL": "https://id.example/token",
    "CLIENT_ID": "grades", "CLIENT_SECRET_FILE": "secret",
}  # fmt: skip
NAMES = {
    "SERVERS": "KAFKA_BOOTSTRAP_SERVERS",
    "PROTOCOL": "GRADEWATCH_KAFKA_SECURITY_PROTOCOL",
    "MECHANISM": "GRADEWATCH_KAFKA_SASL_MECHANISM",
    "INSECURE": "GRADEWATCH_INSECURE_KAFKA",
    "TOKEN_URL": "GRADEWATCH_KAFKA_OAUTH_TOKEN_URL",
    "CLIENT_ID": "GRADEWATCH_KAFKA_OAUTH_CLIENT_ID",
    "CLIENT_SECRET_FILE": "GRADEWATCH_KAFKA_OAUTH_CLIENT_SECRET_FILE",
    "SCOPE": "GRADEWATCH_KAFKA_OAUTH_SCOPE",
}
"""Short for what stands in the tables below; others are short for GRADEWATCH_KAFKA_…."""


def name_of(short: str) -> str:
    return NAMES.get(short, f"GRADEWATCH_KAFKA_{short}")


def told(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for short, value in values.items():
        monkeypatch.setenv(name_of(short), value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"SERVERS": "127.0.0.1:9092,[::1]:9093,localhost:1"},
        {"SERVERS": "kafka.example:9092", "INSECURE": "1"},
        {"SERVERS": "kafka.example:9092", "PROTOCOL": "SSL"},
        {"SERVERS": "kafka.example:9092", **SASL},
        {**SASL, "MECHANISM": "PLAIN", "CA_FILE": "ca.pem"},
        {**SASL, "CERT_FILE": "cert.pem", "KEY_FILE": "key.pem", "KEY_PASSWORD_FILE": "secret"},
        OAUTH | {"SCOPE": "kafka"},
        OAUTH | {"TOKEN_URL": "http://127.0.0.1:1/token"},
        {"PROTOCOL": "SASL_SSL", "MECHANISM": "OAUTHBEARER", "TOKEN_URL": "file:///run/token"},
    ],
    ids=str,
)
def test_what_can_be_meant_is_taken(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
) -> None:
    told(monkeypatch, **values)

    settings = load()
    assert settings.security.protocol == values.get("PROTOCOL", "PLAINTEXT")
    assert (settings.security.tokens is not None) is ("TOKEN_URL" in values)


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ({"SERVERS": "kafka.example:9092"}, "SERVERS", "which is not this machine"),
        ({"SERVERS": "localhost:1,10.0.0.1:9092"}, "SERVERS", "PLAINTEXT to 10.0.0.1"),
        (
            {"SERVERS": "kafka.example:9092", **SASL, "PROTOCOL": "SASL_PLAINTEXT"},
            "SERVERS",
            "SASL_PLAINTEXT to kafka.example",
        ),
        ({"PROTOCOL": "TLS"}, "PROTOCOL", "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        (SASL | {"MECHANISM": "GSSAPI"}, "MECHANISM", "'SCRAM-SHA-512'"),
        ({"PROTOCOL": "SASL_SSL"}, "USERNAME", "needed for SASL_SSL with SCRAM-SHA-512"),
        ({"PROTOCOL": "SASL_SSL", "USERNAME": "u"}, "PASSWORD_FILE", "needed for"),
        ({"USERNAME": "grades"}, "USERNAME", "would never be used with PLAINTEXT"),
        ({"PASSWORD_FILE": "secret"}, "PASSWORD_FILE", "KAFKA_SECURITY_PROTOCOL right?"),
        ({"CA_FILE": "ca.pem"}, "CA_FILE", "would never be used"),
        ({"PROTOCOL": "SSL", "CERT_FILE": "cert.pem"}, "KEY_FILE", "go together"),
        ({"PROTOCOL": "SSL", "KEY_FILE": "key.pem"}, "CERT_FILE", "go together"),
        ({"PROTOCOL": "SSL", "KEY_PASSWORD_FILE": "x"}, "KEY_PASSWORD_FILE", "never be used"),
        ({"PROTOCOL": "SSL", "USERNAME": "u"}, "USERNAME", "never be used with SSL"),
        ({"PROTOCOL": "SASL_SSL", "MECHANISM": "OAUTHBEARER"}, "TOKEN_URL", "needed for"),
        (OAUTH | {"USERNAME": "u"}, "USERNAME", "never be used with SASL_SSL with OAUTHBEARER"),
        (OAUTH | {"TOKEN_URL": "http://id.example/token"}, "TOKEN_URL", "must be https://"),
        (OAUTH | {"TOKEN_URL": "file:///run/token"}, "CLIENT_ID", "would never be used"),
        (SASL | {"TOKEN_URL": "https://id.example"}, "TOKEN_URL", "would never be used"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_named(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], named: str, message: str
) -> None:
    told(monkeypatch, **values)

    with pytest.raises(ConfigurationError) as raised:
        load()

    assert name_of(named) in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (None, 0o600, "cannot be read: No such file"),
        ("hunter2hunter2", 0o604, "is open to every user"),
        ("", 0o600, "is empty"),
        ("hunter2\nhunter2", 0o600, "more than one line"),
    ],
)
def test_a_password_file_that_is_not_good_is_named_and_not_shown(
    tmp_path: Path, content: str | None, mode: int, message: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    settings = load(
        kafka_security_protocol="SASL_SSL", kafka_username="grades", kafka_password_file=file
    )
    for client in ("aiokafka", "kafka_python", "librdkafka", "faust"):
        with pytest.raises(ConfigurationError, match="KAFKA_PASSWORD_FILE") as raised:
            getattr(Kafka("kafka.example:9092", settings.security), client)()
        assert message in str(raised.value)
        assert "hunter2" not in str(raised.value)


def test_a_password_stands_in_no_text(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2hunter2")
    file.chmod(0o600)
    settings = load(
        kafka_security_protocol="SASL_SSL", kafka_username="grades", kafka_password_file=file
    )
    kafka = Kafka("kafka.example:9092", settings.security)

    assert kafka.librdkafka()["sasl.password"] == "hunter2hunter2"
    assert "hunter2" not in f"{settings!r} {kafka!r} {kafka} {kafka.faust()!r}"


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    none = tmp_path / "none.pem"
    none.write_text("no certificate")
    none.chmod(0o600)
    wrong = {"kafka_security_protocol": "SSL", "kafka_ca_file": none}
    with pytest.raises(ConfigurationError, match=r"KAFKA_CA_FILE .*none\.pem is no file of cert"):
        load(**wrong).security.ssl_context()
    wrong = {"kafka_security_protocol": "SSL", "kafka_cert_file": none, "kafka_key_file": none}
    with pytest.raises(ConfigurationError, match=r"KAFKA_CERT_FILE .* not a certificate"):
        load(**wrong).security.ssl_context()


def test_brokers_certificates_are_checked_with_their_names() -> None:
    context = load(kafka_security_protocol="SSL").security.ssl_context()

    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
