"""topics.yaml → the fewest ACLs with which each role works.

Kafka's own implications are used, not repeated: READ, WRITE and ALTER include DESCRIBE, and
ALTER_CONFIGS includes DESCRIBE_CONFIGS. Without any one of these ACLs something stops; each says
what.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from streams.core.topic_file import (
    ACTIONS,
    ALERTS,
    AUDIT,
    CHANGELOG,
    EVENTS,
    POSTED,
    RAW,
    REFUSED,
    RULES,
    STATE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.core.topic_file import Spec, Topics


class Role(StrEnum):
    """What a principal does; one may have several."""

    WORKER = "worker"
    """Runs ``gradewatch worker``."""
    OPERATOR = "operator"
    """Plans and applies topics, lists workers, runs the doctor; cannot join the group."""
    ALERTS = "alerts"
    """Reads ``grade-alerts`` and ``-state``, by ``gradewatch alerts`` or a program of yours."""
    POSTED = "posted"
    """Reads ``grade-alerts-posted``: a program of yours that must not see unposted scores."""
    AUDIT = "audit"
    """Reads ``grade-access-audit``: who saw what."""
    REFUSED = "refused"
    """Reads ``grade-events-refused``: ``gradewatch events refused list`` and ``show``."""
    PRIVACY = "privacy"
    """Hands out and erases what is held of a student: ``gradewatch privacy``."""
    PRODUCER = "producer"
    """Writes the raw topic: your forwarder, ``gradewatch events send``; with refused: ``retry``."""
    ACLS = "acls"
    """Plans and applies ACLs; may then grant itself anything: for whoever runs the Kafka."""


class Resource(StrEnum):
    """What an ACL is about, in Kafka's words."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional_id"
    CLUSTER = "cluster"


class Operation(StrEnum):
    """What an ACL is for, in Kafka's words."""

    ALL = "ALL"
    READ = "READ"
    WRITE = "WRITE"
    CREATE = "CREATE"
    DELETE = "DELETE"
    ALTER = "ALTER"
    DESCRIBE = "DESCRIBE"
    CLUSTER_ACTION = "CLUSTER_ACTION"
    DESCRIBE_CONFIGS = "DESCRIBE_CONFIGS"
    ALTER_CONFIGS = "ALTER_CONFIGS"
    IDEMPOTENT_WRITE = "IDEMPOTENT_WRITE"
    CREATE_TOKENS = "CREATE_TOKENS"
    DESCRIBE_TOKENS = "DESCRIBE_TOKENS"
    TWO_PHASE_COMMIT = "TWO_PHASE_COMMIT"


_READ: Final = {
    Role.ALERTS: (ALERTS, STATE),
    Role.POSTED: (POSTED,),
    Role.AUDIT: (AUDIT,),
    Role.REFUSED: (REFUSED,),
}
"""What those read that only read."""

CLUSTER_NAME: Final = "kafka-cluster"
"""What Kafka calls the one cluster there is."""


@dataclass(frozen=True)
class Acl:
    """One right.

    Attributes:
        resource: The kind of what it is about.
        name: Its name; where ``prefixed``, what names start with.
        prefixed: Whether it is about all names that start so.
        operation: What may be done.
        why: What stops without it, one sentence.
    """

    resource: Resource
    name: str
    prefixed: bool
    operation: Operation
    why: str = field(compare=False, default="")

    def __str__(self) -> str:
        """Return it in words, such as ``WRITE on topic grade-alerts``."""
        if self.resource is Resource.CLUSTER:
            return f"{self.operation} on the cluster"
        kind = self.resource.replace("_", " ")
        return f"{self.operation} on {kind} {self.name}{'*' if self.prefixed else ''}"


def required(
    topics: Topics,
    group: str,
    role: Role,
    *,
    transactions: bool = True,
    reader_group: str | None = None,
) -> list[Acl]:
    """Return the fewest ACLs with which a role works.

    Args:
        topics: What topics.yaml says, under the names on the cluster.
        group: The workers' consumer group; their transactional ids start with it.
        role: What the principal does.
        transactions: Whether the workers' guarantee is ``exactly_once``.
        reader_group: The consumer group of a program that reads alerts or refused events; None: it
            reads in no group, as ``gradewatch alerts tail`` does.

    Returns:
        The ACLs, those of topics in the order of the file.
    """
    specs = {spec.entry.name: spec for spec in topics.specs}
    match role:
        case Role.WORKER:
            return [*_of_worker(topics, group, transactions=transactions)]
        case Role.OPERATOR:
            return [*_of_operator(topics, group)]
        case Role.ALERTS | Role.POSTED | Role.AUDIT | Role.REFUSED:
            read = [specs[name] for name in _READ[role]]
            return [*_of_reader(reader_group, read)]
        case Role.PRIVACY:
            return [*_of_privacy(topics, group)]
        case Role.PRODUCER:
            return [_topic(Operation.WRITE, specs[RAW], "no event can be sent to it")]
        case Role.ACLS:
            why = "ACLs can neither be looked at nor granted"
            return [_acl(Operation.ALTER, Resource.CLUSTER, CLUSTER_NAME, why)]


def _of_worker(topics: Topics, group: str, *, transactions: bool) -> Iterator[Acl]:
    reads = {
        RAW: "intake has nothing to read",
        EVENTS: "scoring has nothing to read",
        CHANGELOG: "rows cannot be restored",
        ALERTS: "earlier steps of an alert are not shown",
        POSTED: "earlier steps of a posted alert are not shown",
        STATE: "alerts cannot be listed",
        ACTIONS: "what people did about alerts is not seen",
        RULES: "no worker starts: it compares its rules with those in force",
        REFUSED: "operators are not shown what was refused",
    }
    writes = {
        EVENTS: "intake cannot pass events on",
        CHANGELOG: "rows cannot be kept",
        ALERTS: "alerts cannot be written",
        POSTED: "alerts on posted facts cannot be written",
        STATE: "what is open cannot be kept",
        ACTIONS: "what people do about alerts cannot be kept",
        AUDIT: "who saw what cannot be kept",
        RULES: "rules cannot be announced",
        REFUSED: "bad events cannot be kept, and block the good ones",
    }
    for spec in topics.specs:
        name = spec.entry.name
        if name in reads:
            yield _topic(Operation.READ, spec, reads[name])
        if name in writes:
            yield _topic(Operation.WRITE, spec, writes[name])
        if name not in reads and name not in writes:
            yield _topic(Operation.DESCRIBE, spec, "no worker starts: it looks at every topic")
        yield _topic(
            Operation.DESCRIBE_CONFIGS, spec, "no worker starts: it compares every topic's settings"
        )
    yield _acl(Operation.READ, Resource.GROUP, group, "no worker joins the group or commits")
    if transactions:
        why = "no transaction begins: nothing is written"
        yield _acl(Operation.WRITE, Resource.TRANSACTIONAL_ID, f"{group}-", why, prefixed=True)


def _of_operator(topics: Topics, group: str) -> Iterator[Acl]:
    for spec in topics.specs:
        if spec.entry.external:  # never changed by us
            yield _topic(Operation.DESCRIBE, spec, "no plan: whether it exists is not seen")
            yield _topic(Operation.DESCRIBE_CONFIGS, spec, "no plan: its settings are not seen")
            continue
        yield _topic(Operation.CREATE, spec, "an apply cannot create it")
        if spec.growable:
            yield _topic(Operation.ALTER, spec, "an apply cannot add partitions to it")
        else:
            yield _topic(Operation.DESCRIBE, spec, "no plan: whether it exists is not seen")
        yield _topic(Operation.ALTER_CONFIGS, spec, "an apply cannot change its settings")
    # No READ: who has it may join the group (decision 0014); removing a member takes it, too.
    yield _acl(Operation.DESCRIBE, Resource.GROUP, group, "workers cannot be listed")
    why = "the workers' transactions are not seen, hanging ones among them"
    yield _acl(Operation.DESCRIBE, Resource.TRANSACTIONAL_ID, f"{group}-", why, prefixed=True)


def _of_privacy(topics: Topics, group: str) -> Iterator[Acl]:
    for spec in topics.specs:
        if spec.entry.name in {EVENTS, CHANGELOG, ALERTS, POSTED, STATE, ACTIONS, AUDIT}:
            yield _topic(Operation.READ, spec, "what it holds of a student is not found")
        if spec.entry.name == EVENTS:
            yield _topic(Operation.WRITE, spec, "no erasure gets into the log")
    why = "whether workers have come to an erasure is not seen"
    yield _acl(Operation.DESCRIBE, Resource.GROUP, group, why)


def _of_reader(group: str | None, specs: list[Spec]) -> Iterator[Acl]:
    for spec in specs:
        yield _topic(Operation.READ, spec, "it cannot be read")
    if group is not None:
        yield _acl(Operation.READ, Resource.GROUP, group, "nothing is read in this group")


def _topic(operation: Operation, spec: Spec, why: str) -> Acl:
    return _acl(operation, Resource.TOPIC, spec.name, why)


def _acl(
    operation: Operation, resource: Resource, name: str, why: str, *, prefixed: bool = False
) -> Acl:
    return Acl(resource, name, prefixed, operation, why)
