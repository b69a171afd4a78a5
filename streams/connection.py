"""An admin client of Kafka for as long as a block; its failures are ours, each with a next step."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from streams.errors import BrokerError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE: Final = 10.0
"""Seconds in which Kafka must answer."""


@contextmanager
def client(bootstrap_servers: str) -> Iterator[KafkaAdminClient]:
    """Lend an admin client; whatever goes wrong in it is one error with a next step.

    Args:
        bootstrap_servers: ``host:port``, comma separated.

    Raises:
        ConfigurationError: That is no address.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    inner: list[KafkaNetClient] = []

    def net(**config: Any) -> KafkaNetClient:  # noqa: ANN401 - kafka-python's own keywords
        inner.append(KafkaNetClient(**config))
        return inner[-1]

    admin = None
    try:
        admin = _connected(bootstrap_servers, net)
        yield admin
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"Kafka at {bootstrap_servers}: {error}",
            "gradewatch broker status, or the log of your Kafka",
        ) from error
    finally:
        if admin:
            admin.close()
        elif inner:
            inner[0].close()
            inner[0]._net.stop()  # noqa: SLF001 - the thread that a failed constructor leaves


def _connected(bootstrap_servers: str, net: Callable[..., KafkaNetClient]) -> KafkaAdminClient:
    try:
        return KafkaAdminClient(
            bootstrap_servers=bootstrap_servers,
            client_id="gradewatch-admin",
            bootstrap_timeout_ms=int(DEADLINE * 1000),
            request_timeout_ms=int(DEADLINE * 1000),
            kafka_client=net,
        )
    except ValueError:
        raise ConfigurationError(
            f"'{bootstrap_servers}' is not an address of Kafka",
            "write KAFKA_BOOTSTRAP_SERVERS as host:port, comma separated",
        ) from None
    except KafkaTimeoutError:
        raise BrokerError(
            f"Kafka at {bootstrap_servers} does not answer within {DEADLINE:.0f} s",
            "check KAFKA_BOOTSTRAP_SERVERS, or gradewatch broker status",
        ) from None
