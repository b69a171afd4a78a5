"""What Kafka has at this moment of a worker's topics, and of the consumer group. Blocks.

One connection for the life of a worker: a look is four requests. By kafka-python: librdkafka's
admin client ends the whole process (``eonce->refcnt > 0``) when Kafka is back after it was away for
longer than a request about the group may take.
"""

from __future__ import annotations

from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from faust.types import TP
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from streams.connection import client, described_group, topic_id
from streams.engine.blocking import Failed
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from kafka.admin import KafkaAdminClient

    from streams.security import Kafka

T = TypeVar("T")

_DENIED_GROUP: Final[dict[str, Any]] = {
    "group_state": "", "members": [], "authorized_operations": None,
}  # fmt: skip


class TopicSeen(NamedTuple):
    """One topic.

    Attributes:
        topic_id: Kafka's id of it.
        partitions: Number of its partitions.
        granted: Operations that Kafka grants us on it, as ``READ``.
    """

    topic_id: str
    partitions: int
    granted: frozenset[str]


class Census(NamedTuple):
    """All that a look found.

    Attributes:
        topics: The topics that exist and that we may describe, by name.
        denied: Names of topics that we may not even describe.
        ends: Offset after the last record of each partition that has a leader.
        stable: Whether the group has members and is not rebalancing.
        owned: Partitions that some member of the group is assigned.
        clients: Client id of each member.
        group_granted: Operations that Kafka grants us on the group.
        group_denied: Whether we may not even describe the group: then nothing is known of it.
    """

    topics: Mapping[str, TopicSeen]
    denied: frozenset[str]
    ends: Mapping[TP, int]
    stable: bool
    owned: frozenset[TP]
    clients: tuple[str, ...]
    group_granted: frozenset[str]
    group_denied: bool = False


class CensusTaker:
    """Asks Kafka, one question at a time, whichever thread asks."""

    def __init__(self, kafka: Kafka, group: str, topics: Iterable[str]) -> None:
        """Remember what to ask for; nothing connects yet.

        Args:
            kafka: Where it is, and how to get in.
            group: The workers' consumer group.
            topics: Names of the topics to look at.
        """
        self._kafka, self._group, self._names = kafka, group, sorted(topics)
        self._connection = ExitStack()
        self._admin: KafkaAdminClient | None = None
        self._one_at_a_time = Lock()

    def take(self) -> Census:
        """Return what Kafka has now.

        Raises:
            Failed: Kafka does not answer, or refuses for a reason that passes.
            ConfigurationError: A file that is needed to get in is missing or bad.
        """
        return self._asked(self._take)

    def committed(self, places: Collection[TP]) -> dict[TP, int]:
        """Return the group's committed offset of each partition that has one.

        Raises:
            Failed: Kafka does not answer, or refuses.
            ConfigurationError: A file that is needed to get in is missing or bad.
        """
        wanted = {self._group: [TopicPartition(*place) for place in places]}
        found = self._asked(lambda admin: admin.list_group_offsets(wanted))[self._group]
        return {TP(*place): at.offset for place, at in found.items() if at.offset >= 0}

    def close(self) -> None:
        """Leave Kafka; the next question connects again."""
        with self._one_at_a_time:
            self._leave()

    def _asked(self, ask: Callable[[KafkaAdminClient], T]) -> T:
        with self._one_at_a_time:
            try:
                if self._admin is None:
                    self._admin = self._connection.enter_context(client(self._kafka))
                return ask(self._admin)
            except (BrokerError, KafkaError, OSError) as error:
                self._leave()
                raise Failed(str(error)) from None

    def _leave(self) -> None:
        self._admin = None
        self._connection.close()

    def _take(self, admin: KafkaAdminClient) -> Census:
        topics, denied, led = dict[str, TopicSeen](), set[str](), list[TopicPartition]()
        for found in admin.describe_topics(self._names):
            name, code = found["name"], found["error_code"]
            if code == TopicAuthorizationFailedError.errno:
                denied.add(name)
            elif code == 0:
                granted = frozenset(found["authorized_operations"] or ())
                topics[name] = TopicSeen(topic_id(found), len(found["partitions"]), granted)
                led += [
                    TopicPartition(name, one["partition_index"])
                    for one in found["partitions"]
                    if one["leader_id"] >= 0
                ]
            elif code != UnknownTopicOrPartitionError.errno:
                raise for_code(code)(name)
        ends = admin.list_partition_offsets(dict.fromkeys(led, OffsetSpec.LATEST)) if led else {}
        try:
            group = described_group(admin, self._group)
        except GroupAuthorizationFailedError:
            group = _DENIED_GROUP
        return Census(
            topics=topics,
            denied=frozenset(denied),
            ends={TP(*place): at.offset for place, at in ends.items()},
            stable=group["group_state"] == "Stable",
            owned=frozenset(place for member in group["members"] for place in _owned(member)),
            clients=tuple(member["client_id"] for member in group["members"]),
            group_granted=frozenset(group["authorized_operations"] or ()),
            group_denied=group is _DENIED_GROUP,
        )


def _owned(member: Mapping[str, Any]) -> list[TP]:
    """Return the partitions that a member of the group is assigned."""
    if not member["member_assignment"]:  # it has just joined
        return []
    assigned = ConsumerProtocolAssignment.decode(member["member_assignment"])
    return [TP(*place) for place in assigned.partitions()]
