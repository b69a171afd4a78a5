"""What of a cluster has changed so that a running worker cannot go on: pure comparisons.

Each fault is an error with the topic and the next step; `engine.cluster_watch` raises it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.errors import BrokerError, GradewatchError, TopicChangedError, TopicMismatchError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from faust.types import TP

    from streams.engine.census import Census

LOOKS: Final = 3
"""How many looks in a row must find a fault that a restart of a broker might show for a moment."""

SET_BACK_LOOKS: Final = 2
"""The same for a log that ends earlier than before: new records soon hide it."""


SET_BACK: Final = "how to go on: docs/own-kafka.md, A Kafka that was set back"
"""The next step where a log ends earlier than before."""


class Expected(NamedTuple):
    """A topic as it was when the worker started.

    Attributes:
        topic_id: Kafka's id of it.
        partitions: Number of its partitions.
        needs: What a worker must be granted on it: operation, as ``READ`` → what fails without.
        external: Whether it is the customer's: more partitions are their right.
        growable: Whether the worker works on without its new partitions.
    """

    topic_id: str
    partitions: int
    needs: Mapping[str, str] = {}
    external: bool = False
    growable: bool = False


class Group(NamedTuple):
    """The consumer group, as this worker knows it.

    Attributes:
        name: Its name.
        client_id: This worker's client id, which no other member may have.
        sources: Topics whose every partition must have a worker.
        needs: What a worker must be granted on the group: operation → what fails without.
    """

    name: str
    client_id: str
    sources: tuple[str, ...]
    needs: Mapping[str, str] = {}


class Fault(NamedTuple):
    """Something that ends the worker.

    Attributes:
        about: What it is about, the same words at every look.
        looks: In how many looks in a row it must be found.
        error: What the worker ends with.
    """

    about: str
    looks: int
    error: GradewatchError


def faults(
    expected: Mapping[str, Expected], group: Group, ends: Mapping[TP, int], census: Census
) -> Iterator[Fault]:
    """Yield what differs so that the worker cannot go on.

    Args:
        expected: The topics at the start, by name.
        group: The consumer group.
        ends: Where each partition ended at an earlier look.
        census: What Kafka has now.
    """
    for name, before in expected.items():
        now = census.topics.get(name)
        if now is None:
            yield _denied(name) if name in census.denied else _deleted(name, before)
            continue
        if now.topic_id != before.topic_id:
            yield _made_anew(name)
        elif now.partitions > before.partitions and not before.growable:
            yield _raised(name, before, now.partitions)
        yield from _lacking(f"topic {name}", before.needs, now.granted)
    # An empty set would say that this Kafka does not tell what it grants.
    granted = {"nothing"} if census.group_denied else census.group_granted
    yield from _lacking(f"group {group.name}", group.needs, granted)
    for place, end in census.ends.items():
        if end < ends.get(place, 0):
            yield _set_back(place, ends[place], end)


def _deleted(name: str, before: Expected) -> Fault:
    who = "whoever owns it makes it again" if before.external else "gradewatch topics apply"
    return Fault(
        f"{name} deleted",
        LOOKS,
        TopicMismatchError(
            f"the topic {name} was deleted while this worker ran",
            f"{who}; then start the worker again",
        ),
    )


def _made_anew(name: str) -> Fault:
    return Fault(
        f"{name} anew",
        1,
        TopicChangedError(
            f"the topic {name} was made anew while this worker ran: it has another id, and what it "
            "held is gone",
            "look whether that was meant (gradewatch doctor); then start every worker again",
        ),
    )


def _raised(name: str, before: Expected, partitions: int) -> Fault:
    what = f"the topic {name} has {partitions} partitions now, and had {before.partitions}"
    if before.external:
        error = GradewatchError(what, "start every worker again: it reads all of them then")
        return Fault(f"{name} raised", 1, error)
    return Fault(
        f"{name} raised",
        1,
        TopicMismatchError(
            f"{what}: a student's records would be on partitions of other numbers",
            "move to new topics under another GRADEWATCH_NAMESPACE, and play the raw topic in",
        ),
    )


def _set_back(place: TP, before: int, now: int) -> Fault:
    return Fault(
        f"{place} set back",
        SET_BACK_LOOKS,
        TopicChangedError(
            f"{place.topic}[{place.partition}] ends at offset {now} now, and ended at {before} "
            "before: Kafka lost records, or was restored from an older backup",
            SET_BACK,
        ),
    )


def _denied(name: str) -> Fault:
    return _not_granted("DESCRIBE", f"topic {name}", "the worker cannot look at it")


def _lacking(what: str, needs: Mapping[str, str], granted: Collection[str]) -> Iterator[Fault]:
    if granted:  # nothing at all: this Kafka does not say what it grants
        for operation, why in needs.items():
            if operation not in granted and "ALL" not in granted:
                yield _not_granted(operation, what, why)


def _not_granted(operation: str, what: str, why: str) -> Fault:
    return Fault(f"{operation} {what}", LOOKS, no_longer_granted(operation, what, why))


def no_longer_granted(operation: str, what: str, why: str) -> BrokerError:
    """Return the error of a right that was taken away under a worker.

    Args:
        operation: Such as ``READ``.
        what: Such as ``topic grade-alerts``.
        why: What fails without it.
    """
    return BrokerError(
        f"{operation} on {what} is not granted any more: {why}",
        "have it granted again: gradewatch topics acls print --role worker shows what a worker "
        "needs; then start the worker again",
    )
