"""An admin client of Kafka for as long as a block; its failures are ours, each with a next step."""

from __future__ import annotations

import asyncio
import base64
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from kafka.admin import KafkaAdminClient
from kafka.errors import (
    ClusterAuthorizationFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    for_code,
)
from kafka.net.compat import KafkaNetClient
from kafka.protocol.admin import DescribeGroupsRequest
from kafka.protocol.metadata import CoordinatorType

from streams.errors import BrokerError, ConfigurationError
from streams.security import Protocol, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from streams.security import Kafka

DEADLINE: Final = 10.0
"""Seconds in which Kafka must answer."""

_LATER: Final = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)

T = TypeVar("T")


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
        raise _named(kafka, error) from error


def _connected(kafka: Kafka, net: Callable[..., KafkaNetClient]) -> KafkaAdminClient:
    told = kafka.kafka_python()
    if kafka.security.protocol is not Protocol.PLAINTEXT:
        _beside(entry.require(kafka))  # kafka-python would only try again
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
        found = _beside(entry.obstacle(kafka))
        why = f": {Exception.__str__(found.error)}" if found else ""
        step = found.error.next_step if found else "check KAFKA_BOOTSTRAP_SERVERS"
        raise BrokerError(
            f"Kafka at {kafka} does not answer within {DEADLINE:.0f} s{why}",
            f"{step}, or gradewatch broker status",
        ) from None


def _beside(waiting: Coroutine[Any, Any, T]) -> T:
    """Wait in a thread of its own: this one may run an event loop."""
    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, waiting).result()


def patiently(ask: Callable[[], T]) -> T:
    """Return the answer of a coordinator; on a new cluster the first to ask for one waits for it.

    Args:
        ask: Asks; again until the deadline while there is none.

    Raises:
        kafka.errors.KafkaError: It refused, or there is none still.
    """
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return ask()
        except _LATER:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def coordinator(
    admin: KafkaAdminClient, key: str, kind: CoordinatorType = CoordinatorType.GROUP
) -> int:
    """Return the id of the broker that coordinates a consumer group, or a transactional id.

    Raises:
        kafka.errors.KafkaError: Kafka refuses to say, or there is none still.
    """
    find = admin._find_coordinator_ids  # noqa: SLF001 - it has no public way to ask
    return int(patiently(lambda: admin._manager.run(find, [key], kind))[key])  # noqa: SLF001


def sent(admin: KafkaAdminClient, request: Any, broker: int) -> Any:  # noqa: ANN401 - kafka-python's own
    """Return a broker's answer to a request that the admin client has no method for.

    Raises:
        kafka.errors.KafkaError: It does not answer.
    """
    manager = admin._manager  # noqa: SLF001
    return manager.run(manager.send, request, broker)


def described_group(admin: KafkaAdminClient, name: str) -> dict[str, Any]:
    """Return Kafka's description of a consumer group: its state, members and what we may do.

    Returns:
        The fields of Kafka's DescribeGroups response, version 5, with ``authorized_operations`` as
        names, such as ``READ``. A group that does not exist has the state ``Dead``.

    Raises:
        kafka.errors.KafkaError: Kafka does not answer, or refuses.
    """
    # Later versions say nothing of our rights where there is no such group yet.
    request = DescribeGroupsRequest(
        groups=[name], include_authorized_operations=True, max_version=5
    )

    def ask() -> dict[str, Any]:
        [group] = sent(admin, request, coordinator(admin, name)).groups
        if group.error_code:
            raise for_code(group.error_code)(name)
        return dict(admin._process_acl_operations(group.to_dict(json=False)))  # noqa: SLF001 - as it would

    return patiently(ask)


def topic_id(described: Mapping[str, Any]) -> str:
    """Return the id of a topic that Kafka described, as Kafka's own tools write it."""
    return base64.urlsafe_b64encode(UUID(str(described["topic_id"])).bytes).decode().rstrip("=")


def not_granted(what: str) -> BrokerError:
    """Return the error of an ACL that is missing, such as ``READ on topic grade-alerts``."""
    return BrokerError(
        f"{what} is not granted to us",
        "have it granted: gradewatch topics acls print --role ... shows what each role needs",
    )


def _named(kafka: Kafka, error: Exception) -> BrokerError:
    kinds = {
        TopicAuthorizationFailedError: "a topic",
        GroupAuthorizationFailedError: "the group",
        TransactionalIdAuthorizationFailedError: "a transactional id",
        ClusterAuthorizationFailedError: "the cluster",
    }
    for kind, what in kinds.items():
        if isinstance(error, kind):
            return not_granted(f"what we ask of Kafka at {kafka} on {what}")
    return BrokerError(
        f"Kafka at {kafka}: {error}", "gradewatch broker status, or your Kafka's log"
    )
