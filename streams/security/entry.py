"""Tries to get into a Kafka, and says why it does not let us in: cause, setting, next step.

The clients tell it in their logs at most, and try again until a deadline; some for ever.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.metadata import MetadataRequest

from streams.errors import BrokerError, GradewatchError
from streams.security.kafka import Protocol, split

if TYPE_CHECKING:
    from streams.security.kafka import Kafka

SECONDS: Final = 3.0
"""How long a try may take."""

_PROTOCOL: Final = "GRADEWATCH_KAFKA_SECURITY_PROTOCOL"
_NOT_FOR_THIS_HOST: Final = {62, 64}  # OpenSSL's X509_V_ERR_..._MISMATCH, of a name and an address
_EXPIRED: Final = 10


class Obstacle(NamedTuple):
    """Why we do not get in.

    Attributes:
        error: What an operator is told.
        lasting: Whether trying again is of no use.
    """

    error: GradewatchError
    lasting: bool


async def obstacle(kafka: Kafka) -> Obstacle | None:
    """Try to get in at every address at once; None as soon as one lets us in.

    Args:
        kafka: Where it is, and how to get in.

    Returns:
        Of the obstacles, one that lasts if there is any; None also where the addresses are none.

    Raises:
        ConfigurationError: A file that is needed to get in is missing or bad.
    """
    security = kafka.security
    if security.protocol.sasl and security.tokens is not None:
        try:
            await asyncio.to_thread(security.tokens.token)
        except BrokerError as error:
            return Obstacle(error, lasting=True)
    try:
        places = split(kafka.bootstrap_servers)
    except ValueError:  # whoever connects says so
        return None
    tries = [asyncio.ensure_future(_try(kafka, host, port)) for host, port in places]
    met: list[Obstacle] = []
    try:
        for done in asyncio.as_completed(tries):
            found = await done
            if found is None:
                return None
            met.append(found)
    finally:
        for each in tries:
            each.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
    return max(met, key=lambda each: each.lasting)


async def require(kafka: Kafka) -> None:
    """Nothing lasting keeps us out.

    Raises:
        GradewatchError: Something does: a `BrokerError`, or a `ConfigurationError`.
    """
    found = await obstacle(kafka)
    if found is not None and found.lasting:
        raise found.error


async def _try(kafka: Kafka, host: str, port: int) -> Obstacle | None:
    told = kafka.aiokafka()
    told.pop("bootstrap_servers")
    connection = AIOKafkaConnection(host, port, request_timeout_ms=int(SECONDS * 1000), **told)
    address = f"{host}:{port}"
    entered = False
    try:
        async with asyncio.timeout(SECONDS):
            await connection.connect()
            entered = True
            answer = await connection.send(MetadataRequest([]))
        # aiokafka takes no notice of a token that is refused; then Kafka tells us nothing.
        if kafka.security.tokens is not None and not answer.brokers:
            return _refused(address, kafka)
    except (OSError, errors.KafkaError) as error:
        if entered and kafka.security.tokens is not None:
            return _refused(address, kafka)
        return _explained(address, kafka, error, greeted=_stands(connection))
    finally:
        closed = connection.close()
        if _stands(connection):
            with suppress(TimeoutError):
                await asyncio.wait_for(closed, SECONDS)
    return None


def _stands(connection: AIOKafkaConnection) -> bool:
    """Tell whether it was ever made, TLS included."""
    return connection._protocol is not None  # noqa: SLF001 - no public way


def _explained(address: str, kafka: Kafka, error: Exception, *, greeted: bool) -> Obstacle:
    """Say what an error means; ``greeted``: the connection stood, TLS included."""
    protocol, mechanism = kafka.security.protocol, kafka.security.mechanism
    match error:
        case ssl.SSLCertVerificationError():
            return _untrusted(address, error)
        case errors.SaslAuthenticationFailed():
            return _refused(address, kafka, str(error).partition("SaslAuthenticationFailed: ")[2])
        case errors.UnsupportedSaslMechanismError():
            return _lasting(
                f"Kafka at {address} does not offer {mechanism}",
                "set GRADEWATCH_KAFKA_SASL_MECHANISM to one of the listener's "
                "sasl.enabled.mechanisms",
            )
        case errors.IllegalSaslStateError():
            return _lasting(
                f"Kafka at {address} expects no SASL",
                f"set {_PROTOCOL} to SSL or PLAINTEXT, or name another listener's port",
            )
        case TimeoutError():
            cause = f"Kafka at {address} does not answer within {SECONDS:.0f} s"
        case socket.gaierror():
            cause = f"there is no host {address.rpartition(':')[0]}: {error.strerror}"
        case ConnectionRefusedError():
            cause = f"nothing listens at {address}"
        case ssl.SSLError() | errors.KafkaError() | ConnectionError():
            return _closed(address, kafka, greeted=greeted)
        case _:
            cause = f"{address}: {error}"
    step = f"check KAFKA_BOOTSTRAP_SERVERS, and that Kafka speaks {protocol} there"
    return Obstacle(BrokerError(cause, step), lasting=False)


def _untrusted(address: str, error: ssl.SSLCertVerificationError) -> Obstacle:
    if error.verify_code in _NOT_FOR_THIS_HOST:
        return _lasting(
            f"the certificate of Kafka at {address} is for another host: {error.verify_message}",
            "write KAFKA_BOOTSTRAP_SERVERS, and the brokers' advertised.listeners, as in their "
            "certificates",
        )
    if error.verify_code == _EXPIRED:
        return _lasting(
            f"the certificate of Kafka at {address}, or of who signed it, has expired",
            "have it renewed",
        )
    return _lasting(
        f"who signed the certificate of Kafka at {address} is not trusted: {error.verify_message}",
        "set GRADEWATCH_KAFKA_CA_FILE to a PEM file with the certificate of who signed it",
    )


def _refused(address: str, kafka: Kafka, why: str = "") -> Obstacle:
    security = kafka.security
    if security.tokens is not None:
        return _lasting(
            f"Kafka at {address} does not accept our token from {security.tokens.url}: it has "
            "expired, or its issuer, audience or scope is not what the brokers expect",
            "check GRADEWATCH_KAFKA_OAUTH_TOKEN_URL and GRADEWATCH_KAFKA_OAUTH_SCOPE beside the "
            "listener's sasl.oauthbearer.expected.audience and .issuer; the brokers' log says more",
        )
    return _lasting(
        f"Kafka at {address} does not accept user '{security.username}' with its password by "
        f"{security.mechanism}: {why}",
        "check GRADEWATCH_KAFKA_USERNAME, GRADEWATCH_KAFKA_PASSWORD_FILE and "
        "GRADEWATCH_KAFKA_SASL_MECHANISM",
    )


def _closed(address: str, kafka: Kafka, *, greeted: bool) -> Obstacle:
    """Say what it may mean that a connection is closed; a broker that stops does so, too."""
    security = kafka.security
    cause = f"Kafka at {address} closes the connection"
    if security.protocol.encrypted and not greeted:
        cause += ", it may not speak TLS there"
        step = f"check the port in KAFKA_BOOTSTRAP_SERVERS, and {_PROTOCOL}={security.protocol}"
    elif security.protocol is Protocol.SSL and security.cert_file is None:
        cause += ", it may ask for a certificate"
        step = "set GRADEWATCH_KAFKA_CERT_FILE and GRADEWATCH_KAFKA_KEY_FILE"
    elif security.protocol is Protocol.SSL:
        cause += ", it may not trust who signed our certificate, or want SASL"
        step = f"check GRADEWATCH_KAFKA_CERT_FILE, and {_PROTOCOL}=SSL"
    elif security.protocol.sasl:
        cause += " before SASL, it may ask for a certificate"
        step = f"check the port in KAFKA_BOOTSTRAP_SERVERS, and {_PROTOCOL}={security.protocol}"
    else:
        cause += ", it may want TLS"
        step = f"set {_PROTOCOL} to SASL_SSL or SSL"
    return Obstacle(BrokerError(cause, step), lasting=False)


def _lasting(cause: str, step: str) -> Obstacle:
    return Obstacle(BrokerError(cause, step), lasting=True)
