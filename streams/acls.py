"""Reads a principal's ACLs and adds what it lacks; what is there stays.

Beside ``streams.admin``, and like it without any call that takes away.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import ClusterAuthorizationFailedError, SecurityDisabledError

from streams.connection import DEADLINE, client
from streams.core.acl_plan import Binding
from streams.core.acls import Acl, Operation, Resource
from streams.errors import BrokerError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafka.admin import KafkaAdminClient

    from streams.security import Kafka

EVERYBODY: Final = "User:*"


def observe(kafka: Kafka, principal: str) -> list[Binding]:
    """Return the ACLs that are about a principal, and those about everybody.

    Those of resources that Gradewatch never uses (delegation tokens, users) are left out.

    Args:
        kafka: Which cluster.
        principal: ``User:name``.

    Raises:
        ConfigurationError: The cluster has no authorizer: it has no ACLs.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    with client(kafka) as admin:
        return _observe(admin, kafka, principal)


def grant(kafka: Kafka, principal: str, acls: Sequence[Acl], host: str = "*") -> None:
    """A principal has these rights, too, and the cluster shows it.

    Args:
        kafka: Which cluster.
        principal: ``User:name``.
        acls: What it is to have.
        host: The address it comes from; ``*``: any.

    Raises:
        ConfigurationError: The cluster has no authorizer.
        BrokerError: Kafka does not answer in time, or refuses; some may have been added.
    """
    if not acls:
        return
    wanted = {Binding(principal, host, allow=True, acl=each) for each in acls}
    with client(kafka) as admin:
        _observe(admin, kafka, principal)  # says what is wrong with the cluster, if anything is
        failed = admin.create_acls([_kafkas(each) for each in wanted])["failed"]
        if failed:
            raise BrokerError(
                f"Kafka at {kafka} did not add {len(failed)} of {len(wanted)} ACLs: "
                + ", ".join(sorted({error.__name__ for error in failed})),
                "gradewatch topics acls plan shows which are missing still",
            )
        deadline = time.monotonic() + DEADLINE
        while not wanted <= set(_observe(admin, kafka, principal)):
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka at {kafka} took the ACLs, but does not show them",
                    "gradewatch topics acls plan",
                )
            time.sleep(0.1)


def _observe(admin: KafkaAdminClient, kafka: Kafka, principal: str) -> list[Binding]:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found: list[ACL] = []
    try:
        for who in (principal, EVERYBODY):
            about = ACLFilter(who, None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
            found += admin.describe_acls(about)[0]
    except SecurityDisabledError:
        raise ConfigurationError(
            f"Kafka at {kafka} has no authorizer: everybody who gets in may do everything",
            "set authorizer.class.name on every broker and controller, then plan again",
        ) from None
    except ClusterAuthorizationFailedError:
        raise BrokerError(
            f"Kafka at {kafka} does not show its ACLs to us: DESCRIBE on the cluster is not "
            "granted, nor ALTER, which adding needs",
            "run this as one who administers that Kafka, or hand over the commands of "
            "gradewatch topics acls print --format kafka-acls",
        ) from None
    except ValueError as error:  # kafka-python does not know Kafka's newest operations
        raise BrokerError(
            f"Kafka at {kafka} has an ACL of {principal} that cannot be read: {error}",
            "compare gradewatch topics acls print with kafka-acls.sh --list",
        ) from None
    return list(_bindings(found))


def _bindings(found: Iterable[ACL]) -> Iterable[Binding]:
    known = {each.upper() for each in Resource}
    for each in found:
        pattern = each.resource_pattern
        if pattern.resource_type.name in known:
            acl = Acl(
                Resource(pattern.resource_type.name.lower()),
                pattern.resource_name,
                pattern.pattern_type is ACLResourcePatternType.PREFIXED,
                Operation(each.operation.name),
            )
            allow = each.permission_type is ACLPermissionType.ALLOW
            yield Binding(each.principal, each.host, allow, acl)


def _kafkas(binding: Binding) -> ACL:
    acl = binding.acl
    kind = ACLResourcePatternType.PREFIXED if acl.prefixed else ACLResourcePatternType.LITERAL
    return ACL(
        binding.principal,
        binding.host,
        ACLOperation[acl.operation],
        ACLPermissionType.ALLOW if binding.allow else ACLPermissionType.DENY,
        ResourcePattern(ResourceType[acl.resource.upper()], acl.name, kind),
    )
