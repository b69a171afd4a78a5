"""Asks Kafka what we ourselves may do: nobody has to be allowed to look at ACLs for that (KIP-430).

A Kafka without an authorizer permits everything, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove
from kafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    TransactionalIdNotFoundError,
)

from streams.connection import client, patiently
from streams.core.acls import Acl, Operation, Resource
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafka.admin import KafkaAdminClient

    from streams.core.acls import Role
    from streams.security import Kafka

_NOBODY: Final = "probe"
"""A member, and the end of a transactional id, that no worker ever has."""


def lacking(kafka: Kafka, needed: Iterable[Acl]) -> list[Acl]:
    """Return what we need and may not do; of topics that do not exist nothing is known.

    That a transactional id may be written is taken for granted where it may be described.

    Args:
        kafka: Which cluster, and as whom.
        needed: ACLs, as ``streams.core.acls.required`` returns them.

    Raises:
        BrokerError: Kafka does not answer in time.
    """
    wanted = list(needed)
    with client(kafka) as admin:
        may = _operations(admin, {each.name for each in wanted if each.resource is Resource.TOPIC})
        return [each for each in wanted if not _is_granted(admin, each, may)]


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


def _is_granted(admin: KafkaAdminClient, acl: Acl, may: Mapping[str, set[str]]) -> bool:
    match acl.resource:
        case Resource.TOPIC:
            return acl.name not in may or acl.operation in may[acl.name]
        case Resource.GROUP:
            return patiently(lambda: _may_group(admin, acl))
        case Resource.TRANSACTIONAL_ID:
            return patiently(lambda: _may_transactional_id(admin, acl))
        case Resource.CLUSTER:
            told = admin.describe_cluster()["authorized_operations"]
            return str(acl.operation) in _names(told)


def _operations(admin: KafkaAdminClient, topics: set[str]) -> dict[str, set[str]]:
    """Return what we may do with each topic that is there, or that we may not see.

    Of one that we may not see, only what would show it to us, or its settings, is known to lack.
    """
    may: dict[str, set[str]] = {}
    for each in admin.describe_topics(sorted(topics)) if topics else ():
        if each["error_code"] == 0:
            may[each["name"]] = _names(each["authorized_operations"])
        elif each["error_code"] == TopicAuthorizationFailedError.errno:
            may[each["name"]] = {Operation.CREATE, Operation.ALTER_CONFIGS}
            resource = ConfigResource(ConfigResourceType.TOPIC, each["name"])
            if admin.describe_configs([resource], config_filter="all")["topic"][each["name"]]:
                may[each["name"]].add(Operation.DESCRIBE_CONFIGS)
    return may


def _may_group(admin: KafkaAdminClient, acl: Acl) -> bool:
    try:
        if acl.operation is Operation.READ:  # of a group that no one joined yet nothing is told
            admin.remove_group_members(acl.name, [MemberToRemove(group_instance_id=_NOBODY)])
        else:
            told = admin.describe_groups([acl.name])[acl.name]["error"] or ""
            return GroupAuthorizationFailedError.__name__ not in told
    except GroupAuthorizationFailedError:
        return False
    return True


def _may_transactional_id(admin: KafkaAdminClient, acl: Acl) -> bool:
    try:
        admin.describe_transactions([acl.name + (_NOBODY if acl.prefixed else "")])
    except TransactionalIdNotFoundError:
        return True
    except TransactionalIdAuthorizationFailedError:
        return False
    return True


def _names(told: object) -> set[str]:
    return {str(each) for each in told} if isinstance(told, list) else set()
