"""Where Kafka is and how to get in, in each client's own words."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streams.errors import ConfigurationError
from streams.security import tokens
from streams.security.secret_files import read_secret, require_private

if TYPE_CHECKING:
    from pathlib import Path

    from faust.types.auth import CredentialsT


class Protocol(StrEnum):
    """Kafka's ``security.protocol``."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self in {Protocol.SSL, Protocol.SASL_SSL}

    @property
    def sasl(self) -> bool:
        """Whether SASL says who connects."""
        return self in {Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL}


class Mechanism(StrEnum):
    """Kafka's ``sasl.mechanism``."""

    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    PLAIN = "PLAIN"
    OAUTHBEARER = "OAUTHBEARER"


@dataclass(frozen=True)
class Security:
    """How to get into a Kafka.

    Attributes:
        protocol: Encrypted or not, SASL or not.
        mechanism: How SASL says who connects.
        username: Of SCRAM and PLAIN.
        password_file: Theirs, too.
        ca_file: PEM; who signs the brokers' certificates. None: who the system trusts.
        cert_file: PEM; our own certificate, where brokers ask for one (mTLS).
        key_file: PEM; its private key.
        key_password_file: What the key is encrypted with; None: it is not.
        tokens: Of OAUTHBEARER.
    """

    protocol: Protocol = Protocol.PLAINTEXT
    mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    key_password_file: Path | None = None
    tokens: tokens.Tokens | None = None

    @property
    def password(self) -> str:
        """The password of SCRAM and PLAIN, as the file has it now.

        Raises:
            ConfigurationError: It cannot be read, or is open to every user.
        """
        return read_secret(_PASSWORD, self.password_file) if self.password_file else ""

    @property
    def key_password(self) -> str | None:
        """What the private key is encrypted with; None: it is not.

        Raises:
            ConfigurationError: It cannot be read, or is open to every user.
        """
        file = self.key_password_file
        return read_secret(_KEY_PASSWORD, file) if file else None

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return what Python speaks TLS by, host names checked; None where none is spoken.

        Raises:
            ConfigurationError: A file of certificates or keys is missing, or is none.
        """
        if not self.protocol.encrypted:
            return None
        context = trusting(self.ca_file)
        if self.cert_file is not None and self.key_file is not None:
            require_private(_KEY, self.key_file, "name the private key of the certificate")
            # Without a callback OpenSSL would ask on the terminal.
            password = self.key_password or "none was given"
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password)
            except (OSError, ssl.SSLError) as error:
                raise ConfigurationError(
                    f"{_CERT} {self.cert_file} and {_KEY} {self.key_file} are not a certificate "
                    f"and its key: {_reason(error)}",
                    f"both are PEM; an encrypted key needs {_KEY_PASSWORD}",
                ) from None
        return context

    def require_readable(self) -> None:
        """Every file that connecting needs is there and good.

        Raises:
            ConfigurationError: One is not.
        """
        self.ssl_context()
        if self.protocol.sasl:
            _ = self.password
        if self.tokens is not None:
            self.tokens.require_readable()


@dataclass(frozen=True)
class Kafka:
    """A Kafka: where it is, and how to get in.

    Attributes:
        bootstrap_servers: ``host:port``, comma separated.
        security: Encrypted or not, and as whom.
    """

    bootstrap_servers: str
    security: Security = field(default_factory=Security)

    def __str__(self) -> str:
        """Return where it is."""
        return self.bootstrap_servers

    @property
    def servers(self) -> list[str]:
        """Where it is: ``host:port`` of each."""
        return [server.strip() for server in self.bootstrap_servers.split(",")]

    def aiokafka(self) -> dict[str, Any]:
        """Return what aiokafka's consumer and producer are told.

        Raises:
            ConfigurationError: A file that is needed is missing or bad.
        """
        told = self._python()
        if self.security.tokens is not None:
            told["sasl_oauth_token_provider"] = tokens.Aiokafka(self.security.tokens)
        return {"bootstrap_servers": self.servers, **told}

    def kafka_python(self) -> dict[str, Any]:
        """Return what kafka-python's admin client is told.

        Raises:
            ConfigurationError: A file that is needed is missing or bad.
        """
        told = self._python()
        if self.security.tokens is not None:
            told["sasl_oauth_token_provider"] = tokens.KafkaPython(self.security.tokens)
        return {"bootstrap_servers": self.bootstrap_servers, **told}

    def librdkafka(self) -> dict[str, Any]:
        """Return what librdkafka is told.

        Raises:
            ConfigurationError: A file that is needed is missing or bad.
        """
        security = self.security
        told: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": str(security.protocol),
        }
        if security.protocol.encrypted:
            security.require_readable()  # librdkafka's own words name no setting
            files = {
                "ssl.ca.location": security.ca_file,
                "ssl.certificate.location": security.cert_file,
                "ssl.key.location": security.key_file,
                "ssl.key.password": security.key_password,
            }
            told |= {name: str(value) for name, value in files.items() if value is not None}
        if security.protocol.sasl:
            told["sasl.mechanism"] = str(security.mechanism)
            if security.tokens is not None:
                told["oauth_cb"] = security.tokens.librdkafka
            else:
                told["sasl.username"] = security.username
                told["sasl.password"] = security.password
        return told

    def faust(self) -> CredentialsT | None:
        """Return Faust's ``broker_credentials``.

        Raises:
            ConfigurationError: A file that is needed is missing or bad.
        """
        # Faust takes long to import, and most commands do without.
        from faust.auth import (  # noqa: PLC0415
            OAuthCredentials,
            SASLCredentials,
            SSLCredentials,
        )

        security = self.security
        context = security.ssl_context()
        if security.protocol.sasl and security.tokens is not None:
            provider = tokens.Aiokafka(security.tokens)
            return OAuthCredentials(oauth_cb=provider, ssl_context=context)
        if security.protocol.sasl:
            return SASLCredentials(
                username=security.username,
                password=security.password,
                ssl_context=context,
                mechanism=str(security.mechanism),
            )
        return SSLCredentials(context) if context is not None else None

    def _python(self) -> dict[str, Any]:
        """Return what both clients in Python are told alike."""
        security = self.security
        told: dict[str, Any] = {"security_protocol": str(security.protocol)}
        if security.protocol.encrypted:
            told["ssl_context"] = security.ssl_context()
        if security.protocol.sasl:
            told["sasl_mechanism"] = str(security.mechanism)
            if security.tokens is None:
                told["sasl_plain_username"] = security.username
                told["sasl_plain_password"] = security.password
        return told


_PASSWORD = "GRADEWATCH_KAFKA_PASSWORD_FILE"  # noqa: S105 - its name
_KEY_PASSWORD = "GRADEWATCH_KAFKA_KEY_PASSWORD_FILE"  # noqa: S105 - its name
_CERT, _KEY = "GRADEWATCH_KAFKA_CERT_FILE", "GRADEWATCH_KAFKA_KEY_FILE"
_CA = "GRADEWATCH_KAFKA_CA_FILE"


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the certificates of a file; of none: the system's.

    Raises:
        ConfigurationError: The file is missing, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{_CA} {ca_file} is no file of certificates: {_reason(error)}",
            "name a PEM file with the certificate of who signed the brokers'",
        ) from None


def split(bootstrap_servers: str) -> list[tuple[str, int]]:
    """Return the hosts and ports of a list of ``host:port``.

    Raises:
        ValueError: One of them is no address.

    Example:
        >>> split("a.example:9092, [::1]:9093")
        [('a.example', 9092), ('::1', 9093)]
    """
    parts = [urlsplit(f"//{one.strip()}") for one in bootstrap_servers.split(",")]
    if not all(one.hostname and one.port for one in parts):
        raise ValueError(f"not host:port, comma separated: {bootstrap_servers}")
    return [(str(one.hostname), int(one.port or 0)) for one in parts]


def hosts(bootstrap_servers: str) -> list[str]:
    """Return the hosts of a list of ``host:port``.

    Raises:
        ValueError: One of them is no address.
    """
    return [host for host, _ in split(bootstrap_servers)]


def _reason(error: OSError | ssl.SSLError) -> str:
    return error.strerror or str(error)
