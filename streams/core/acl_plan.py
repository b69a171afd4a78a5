"""What a principal has of the ACLs that it needs.

Nothing here takes a right away: what is granted beyond them is only named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streams.core.acls import Acl, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable

_INCLUDE: Final = {
    Operation.DESCRIBE: {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER},
    Operation.DESCRIBE_CONFIGS: {Operation.ALTER_CONFIGS},
}
"""Operation → those that include it (Kafka's ``StandardAuthorizer``)."""


@dataclass(frozen=True)
class Binding:
    """An ACL as a cluster has it.

    Attributes:
        principal: Whom it is about: ``User:name``; ``User:*`` is everybody.
        host: The address they come from; ``*`` is any.
        allow: Whether it allows; else it denies, which wins over all that allow.
        acl: What.
    """

    principal: str
    host: str
    allow: bool
    acl: Acl

    def __str__(self) -> str:
        """Return it in words."""
        verb = "ALLOW" if self.allow else "DENY"
        place = "" if self.host == "*" else f" from {self.host}"
        return f"{verb} {self.principal} {self.acl}{place}"


@dataclass(frozen=True)
class Plan:
    """What a principal's ACLs are, beside what they have to be.

    Attributes:
        principal: Whose.
        missing: To be granted; in the order of `required`.
        denied: What is needed and denied, with what denies it: a person must decide.
        beyond: What is allowed and not needed; only named.
    """

    principal: str
    missing: tuple[Acl, ...]
    denied: tuple[tuple[Acl, Binding], ...]
    beyond: tuple[Binding, ...]


def plan(
    needed: Iterable[Acl], bindings: Iterable[Binding], principal: str, host: str = "*"
) -> Plan:
    """Compare what a principal needs with what it has.

    Args:
        needed: What it needs.
        bindings: What the cluster has; those of other principals are passed over.
        principal: ``User:name``.
        host: Where it comes from; ``*``: from anywhere, so that an ACL for one address is too few.

    Returns:
        What is missing, denied and beyond.
    """
    needs = list(dict.fromkeys(needed))
    about = [each for each in bindings if each.principal in {principal, "User:*"}]
    allows = [each for each in about if each.allow and each.host in {"*", host}]
    denies = [
        each for each in about if not each.allow and (each.host in {"*", host} or host == "*")
    ]
    denied = [(need, each) for need in needs for each in denies if _hurts(each.acl, need)]
    return Plan(
        principal=principal,
        missing=tuple(need for need in needs if not any(covers(each.acl, need) for each in allows)),
        denied=tuple(denied),
        beyond=tuple(each for each in about if each.allow and each.acl not in needs),
    )


def covers(granted: Acl, needed: Acl) -> bool:
    """Tell whether an ACL that allows gives all of another.

    Example:
        >>> from streams.core.acls import Resource
        >>> needed = Acl(Resource.TOPIC, "grade-alerts", False, Operation.DESCRIBE)
        >>> covers(Acl(Resource.TOPIC, "grade-", True, Operation.READ), needed)
        True
    """
    includes = {needed.operation, Operation.ALL} | _INCLUDE.get(needed.operation, set())
    if granted.resource is not needed.resource or granted.operation not in includes:
        return False
    if granted.prefixed:
        return needed.name.startswith(granted.name)
    return granted.name == "*" or (granted.name == needed.name and not needed.prefixed)


def _hurts(denying: Acl, needed: Acl) -> bool:
    """Tell whether an ACL that denies takes something of what is needed."""
    taken = {needed.operation, Operation.ALL}
    taken |= {lesser for lesser, greater in _INCLUDE.items() if needed.operation in greater}
    if denying.resource is not needed.resource or denying.operation not in taken:
        return False
    if denying.prefixed:
        both = needed.name.startswith(denying.name)
        return both or (needed.prefixed and denying.name.startswith(needed.name))
    if needed.prefixed and denying.name.startswith(needed.name):
        return True
    return denying.name in {"*", needed.name}
