"""An admin client of Kafka for as long as a block; its failures are ours, each with a next step."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.metadata import CoordinatorType

from streams.errors import BrokerError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.security import Kafka

DEADLINE: Final = 10.0
"""Seconds in which Kafka must answer."""


@contextmanager
def client(kafka: Kafka) -> Iterator[KafkaAdminClient]:
    """Lend an admin client; whatever goes wrong in it is one error with a next step.

    Args:
        kafka: Where it is, and how to get in.

    Raises:
        ConfigurationError: That is no address, or a file that is needed to get in is bad.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    inner: list[KafkaNetClient] = []

    def net(**config: Any) -> KafkaNetClient:  # noqa: ANN401 - kafka-python's own keywords
        inner.append(KafkaNetClient(**config))
        return inner[-1]

    admin = None
    try:
        with refusals(kafka):
            admin = _connected(kafka, net)
            yield admin
    finally:
        if admin:
            admin.close()
        elif inner:
            inner[0].close()
            inner[0]._net.stop()  # noqa: SLF001 - the thread that a failed constructor leaves


@contextmanager
def refusals(kafka: Kafka) -> Iterator[None]:
    """Whatever Kafka refuses or does not answer within the block is one error with a next step.

    Raises:
        BrokerError: Kafka does not answer in time, or refuses.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"Kafka at {kafka}: {error}",
            "gradewatch broker status, or the log of your Kafka",
        ) from error


def coordinator(
    admin: KafkaAdminClient, key: str, kind: CoordinatorType = CoordinatorType.GROUP
) -> int:
    """Return the id of the broker that coordinates a consumer group, or a transactional id.

    A new cluster has none until it was asked, and a moment longer.

    Raises:
        KafkaError: Kafka refuses to say, or has none in time.
    """
    find = admin._find_coordinator_ids  # noqa: SLF001 - it has no public way to ask
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return int(admin._manager.run(find, [key], kind)[key])  # noqa: SLF001
        except CoordinatorNotAvailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _connected(kafka: Kafka, net: Callable[..., KafkaNetClient]) -> KafkaAdminClient:
    told = kafka.kafka_python()
    try:
        return KafkaAdminClient(
            client_id="gradewatch-admin",
            bootstrap_timeout_ms=int(DEADLINE * 1000),
            request_timeout_ms=int(DEADLINE * 1000),
            kafka_client=net,
            **told,
        )
    except ValueError:
        raise ConfigurationError(
            f"'{kafka}' is not an address of Kafka",
            "write KAFKA_BOOTSTRAP_SERVERS as host:port, comma separated",
        ) from None
    except KafkaTimeoutError:
        raise BrokerError(
            f"Kafka at {kafka} does not answer within {DEADLINE:.0f} s",
            "check KAFKA_BOOTSTRAP_SERVERS, or gradewatch broker status",
        ) from None
