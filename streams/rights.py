"""Asks Kafka what we ourselves may do: nobody has to be allowed to look at ACLs for that (KIP-430).

A Kafka without an authorizer permits everything, and says so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    for_code,
)
from kafka.protocol.metadata import CoordinatorType
from kafka.protocol.producer.transaction import InitProducerIdRequest

from streams.connection import DEADLINE, client, coordinator, described_group, sent
from streams.core.acls import Acl, Operation, Resource
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.core.acls import Role
    from streams.security import Kafka

_NOBODY: Final = "probe"
"""A member, and the end of a transactional id, that no worker ever has."""


def lacking(kafka: Kafka, needed: Iterable[Acl]) -> list[Acl]:
    """Return what we need and may not do.

    Kafka says what we may do with what we may describe. Where it says nothing, because what we lack
    is what would let us look, the rest is asked for by requests that are only validated. Nothing
    changes but that a transactional id of ours that ends in ``probe`` is known.

    Args:
        kafka: Which cluster, and as whom.
        needed: ACLs, as ``streams.core.acls.required`` returns them.

    Raises:
        BrokerError: Kafka does not answer in time.
    """
    wanted = list(needed)
    with client(kafka) as admin:
        topics = sorted({each.name for each in wanted if each.resource is Resource.TOPIC})
        told = admin.describe_topics(topics) if topics else ()
        described = {each["name"]: each for each in told}
        return [each for each in wanted if not _is_granted(admin, each, described)]


def require(kafka: Kafka, needed: Iterable[Acl], role: Role) -> None:
    """We may do all that a role needs.

    Args:
        kafka: Which cluster, and as whom.
        needed: ACLs, as ``streams.core.acls.required`` returns them.
        role: Whose they are, for the message.

    Raises:
        BrokerError: Something is not granted; each is named, with what stops without it.
    """
    missing = lacking(kafka, needed)
    if missing:
        who = kafka.security.username or "us"
        lines = "\n".join(f"  {each}: {each.why}" for each in missing)
        raise BrokerError(
            f"Kafka at {kafka} does not grant {who} what a {role} needs:\n{lines}",
            f"gradewatch topics acls print --role {role} shows all that it needs; "
            "whoever runs that Kafka adds them",
        )


def begin(admin: KafkaAdminClient, name: str, timeout_ms: int) -> dict[str, Any]:
    """We are the one who may begin transactions under a transactional id.

    Args:
        admin: Asks.
        name: The transactional id.
        timeout_ms: How long a transaction may take, in milliseconds.

    Returns:
        Transactional id, producer id and epoch, as further requests tell them.

    Raises:
        kafka.errors.KafkaError: Kafka refuses.
    """
    where = coordinator(admin, name, CoordinatorType.TRANSACTION)
    request = InitProducerIdRequest(
        transactional_id=name,
        transaction_timeout_ms=timeout_ms,
        producer_id=-1,
        producer_epoch=-1,
        max_version=4,
    )
    given = answered(admin, request, where)
    who = {"producer_id": given.producer_id, "producer_epoch": given.producer_epoch}
    return {"transactional_id": name, **who}


def answered(admin: KafkaAdminClient, request: Any, broker: int) -> Any:  # noqa: ANN401 - kafka-python's own
    """Return an answer that is no error; what went before on a transactional id may still end.

    Raises:
        kafka.errors.KafkaError: It is an error, still.
    """
    deadline = time.monotonic() + DEADLINE
    while True:
        answer = sent(admin, request, broker)
        if not answer.error_code:
            return answer
        error = for_code(answer.error_code)
        if not error.retriable or time.monotonic() > deadline:
            raise error
        time.sleep(0.05)


def _is_granted(admin: KafkaAdminClient, acl: Acl, described: Mapping[str, Any]) -> bool:
    match acl.resource:
        case Resource.TOPIC:
            return _on_topic(admin, acl, described[acl.name])
        case Resource.GROUP:
            return _on_group(admin, acl)
        case Resource.TRANSACTIONAL_ID:
            return _on_transactional_id(admin, acl)
        case Resource.CLUSTER:
            return _among(acl, admin.describe_cluster()["authorized_operations"])


def _on_topic(admin: KafkaAdminClient, acl: Acl, told: Mapping[str, Any]) -> bool:
    if told["error_code"] != TopicAuthorizationFailedError.errno:
        return _among(acl, told["authorized_operations"])
    # Not even to be described: so no READ, WRITE or ALTER, which would include it.
    probe = _PROBES.get(acl.operation)
    return probe is not None and probe(admin, acl.name)


def _shows_config(admin: KafkaAdminClient, topic: str) -> bool:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    return bool(admin.describe_configs([resource], config_filter="all")["topic"][topic])


def _would_set_config(admin: KafkaAdminClient, topic: str) -> bool:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "-1"})
    told = admin.alter_configs([resource], validate_only=True, incremental=True)
    return bool(told["topic"][topic] == "OK")


def _would_create(admin: KafkaAdminClient, topic: str) -> bool:
    wanted = {topic: {"num_partitions": 1, "replication_factor": 1}}
    told = admin.create_topics(wanted, validate_only=True, raise_errors=False)["topics"]
    return bool(told[0]["error_code"] != TopicAuthorizationFailedError.errno)


_PROBES: Final[dict[Operation, Callable[[KafkaAdminClient, str], bool]]] = {
    Operation.DESCRIBE_CONFIGS: _shows_config,
    Operation.ALTER_CONFIGS: _would_set_config,
    Operation.CREATE: _would_create,
}
"""What can be asked for, and not done, without DESCRIBE."""


def _on_group(admin: KafkaAdminClient, acl: Acl) -> bool:
    try:
        described = described_group(admin, acl.name)
    except GroupAuthorizationFailedError:
        return False
    return _among(acl, described["authorized_operations"])


def _on_transactional_id(admin: KafkaAdminClient, acl: Acl) -> bool:
    name = acl.name + (_NOBODY if acl.prefixed else "")
    try:
        if acl.operation is Operation.WRITE:
            begin(admin, name, 10_000)
        else:
            coordinator(admin, name, CoordinatorType.TRANSACTION)
    except TransactionalIdAuthorizationFailedError:
        return False
    return True


def _among(acl: Acl, told: object) -> bool:
    """Tell whether Kafka names an operation among what we may do."""
    return isinstance(told, list) and str(acl.operation) in set(map(str, told))
