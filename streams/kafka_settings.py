"""The knobs that say where your Kafka is and how to get in; they make up one `Kafka`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.security import Mechanism, Protocol, Security, hosts, is_loopback
from streams.security.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

PREFIX: Final = "GRADEWATCH_"


class KafkaSettings(BaseSettings):
    """Field names are the environment's, without the prefix."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    kafka_bootstrap_servers: str | None = Field(
        None,
        validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS", "kafka_bootstrap_servers"),
        description="host:port of your Kafka, comma separated; unset: the embedded broker",
    )
    kafka_security_protocol: Protocol = Field(
        Protocol.PLAINTEXT,
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, as Kafka's security.protocol",
    )
    insecure_kafka: bool = Field(
        default=False,
        description="1: accept a connection that is not encrypted to a host that is not loopback",
    )
    kafka_sasl_mechanism: Mechanism = Field(
        Mechanism.SCRAM_SHA_512,
        description="SCRAM-SHA-512, SCRAM-SHA-256, PLAIN or OAUTHBEARER, as Kafka's sasl.mechanism",
    )
    kafka_username: str | None = Field(None, description="user name of SCRAM and PLAIN")
    kafka_password_file: Path | None = Field(
        None, description="file with the password of SCRAM and PLAIN"
    )
    kafka_ca_file: Path | None = Field(
        None,
        description="PEM file: who signed the brokers' certificates; unset: whom the system trusts",
    )
    kafka_cert_file: Path | None = Field(
        None, description="PEM file: our own certificate, where brokers ask for one (mTLS)"
    )
    kafka_key_file: Path | None = Field(None, description="PEM file: its private key")
    kafka_key_password_file: Path | None = Field(
        None, description="file with the password of an encrypted private key"
    )
    kafka_oauth_token_url: str | None = Field(
        None,
        description="where tokens of OAUTHBEARER come from: https://... (client credentials), "
        "or file:///... that is kept fresh",
    )
    kafka_oauth_client_id: str | None = Field(None, description="who asks the token URL")
    kafka_oauth_client_secret_file: Path | None = Field(None, description="file with its secret")
    kafka_oauth_scope: str | None = Field(
        None, description="scope asked for; unset: the token URL's own default"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = [*self._wrong()]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @cached_property
    def security(self) -> Security:
        """How to get into Kafka."""
        oauth = self.kafka_security_protocol.sasl and self.kafka_oauth_token_url
        tokens = Tokens(
            str(self.kafka_oauth_token_url),
            self.kafka_oauth_client_id,
            self.kafka_oauth_client_secret_file,
            self.kafka_oauth_scope,
            self.kafka_ca_file,
        )
        return Security(
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password_file=self.kafka_password_file,
            ca_file=self.kafka_ca_file,
            cert_file=self.kafka_cert_file,
            key_file=self.kafka_key_file,
            key_password_file=self.kafka_key_password_file,
            tokens=tokens if oauth else None,
        )

    def _wrong(self) -> Iterator[str]:
        """Yield what cannot be meant: too little for a protocol, or what it would never use."""
        protocol, mechanism = self.kafka_security_protocol, self.kafka_sasl_mechanism
        oauth = protocol.sasl and mechanism is Mechanism.OAUTHBEARER
        url = urlsplit(self.kafka_oauth_token_url or "")
        endpoint = oauth and url.scheme != "file"
        names, endpoints = ("username", "password_file"), ("client_id", "client_secret_file")
        needed: dict[str, bool] = {
            **{f"kafka_{name}": protocol.sasl and not oauth for name in names},
            "kafka_oauth_token_url": oauth,
            **{f"kafka_oauth_{name}": endpoint for name in endpoints},
        }
        used = needed | {
            "kafka_oauth_scope": endpoint,
            "kafka_ca_file": protocol.encrypted,
            "kafka_cert_file": protocol.encrypted,
            "kafka_key_file": protocol.encrypted,
            "kafka_key_password_file": self.kafka_key_file is not None,
        }
        how = f"{protocol} with {mechanism}" if protocol.sasl else str(protocol)
        for name, needs in needed.items():
            if needs and getattr(self, name) is None:
                yield f"{environment_name(name)}: needed for {how}"
        for name, uses in used.items():
            if not uses and getattr(self, name) is not None:
                yield (
                    f"{environment_name(name)}: would never be used with {how}; "
                    f"is {environment_name('kafka_security_protocol')} right?"
                )
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            yield (
                f"{environment_name('kafka_cert_file')} and {environment_name('kafka_key_file')}: "
                "a certificate and its key go together"
            )
        if oauth and self.kafka_oauth_token_url and not _safe(url.scheme, url.hostname, url.path):
            yield (
                f"{environment_name('kafka_oauth_token_url')}: must be https://... or file:///..., "
                "http://... only on this machine"
            )
        yield from self._in_the_clear()

    def _in_the_clear(self) -> Iterator[str]:
        """Yield why a connection that anybody on the way can read is not made."""
        servers = self.kafka_bootstrap_servers
        if servers is None or self.kafka_security_protocol.encrypted or self.insecure_kafka:
            return
        beyond = [host for host in _hosts(servers) if not is_loopback(host)]
        if beyond:
            yield (
                f"KAFKA_BOOTSTRAP_SERVERS: {self.kafka_security_protocol} to {beyond[0]}, which is "
                "not this machine, sends grades in the clear: set "
                f"{environment_name('kafka_security_protocol')} to SASL_SSL or SSL, or accept it "
                f"with {environment_name('insecure_kafka')}=1"
            )


def environment_name(field: str) -> str:
    """Return the environment variable of a settings field.

    Example:
        >>> environment_name("web_port")
        'GRADEWATCH_WEB_PORT'
    """
    upper = field.upper()
    return upper if upper == "KAFKA_BOOTSTRAP_SERVERS" else PREFIX + upper


def _hosts(servers: str) -> list[str]:
    try:
        return hosts(servers)
    except ValueError:  # no address at all: whoever connects says so
        return []


def _safe(scheme: str, host: str | None, path: str) -> bool:
    if scheme == "file":
        return not host and path.startswith("/")
    return bool(host) and (scheme == "https" or (scheme == "http" and is_loopback(str(host))))
