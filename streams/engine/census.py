"""What Kafka has at this moment of a worker's topics, and of the consumer group. Blocks.

One admin client of librdkafka for the life of a worker: a look is three requests.
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from faust.types import TP

from streams.engine.blocking import Failed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from streams.security import Kafka

log = logging.getLogger("librdkafka")

ANSWER_SECONDS: Final = 5.0
"""How long Kafka may take to answer each request."""

_ABSENT: Final = KafkaError.UNKNOWN_TOPIC_OR_PART
_DENIED: Final = KafkaError.TOPIC_AUTHORIZATION_FAILED
_BITS: Final = (1 << 64) - 1


class TopicSeen(NamedTuple):
    """One topic.

    Attributes:
        topic_id: Kafka's id of it, as `streams.admin` writes it; empty: this Kafka has no ids.
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
    """

    topics: Mapping[str, TopicSeen]
    denied: frozenset[str]
    ends: Mapping[TP, int]
    stable: bool
    owned: frozenset[TP]
    clients: tuple[str, ...]
    group_granted: frozenset[str]


class CensusTaker:
    """Asks Kafka."""

    def __init__(self, kafka: Kafka, group: str, topics: Iterable[str]) -> None:
        """Remember what to ask for; nothing connects yet.

        Args:
            kafka: Where it is, and how to get in.
            group: The workers' consumer group.
            topics: Names of the topics to look at.
        """
        self._kafka, self._group, self._names = kafka, group, sorted(topics)
        self._admin: AdminClient | None = None

    def take(self) -> Census:
        """Return what Kafka has now.

        Raises:
            Failed: Kafka does not answer, or refuses for a reason that passes.
            ConfigurationError: A file that is needed to get in is missing or bad.
        """
        try:
            return self._take(self._connected())
        except KafkaException as error:
            raise Failed(error.args[0].str()) from None

    def committed(self, places: Collection[TP]) -> dict[TP, int]:
        """Return the group's committed offset of each partition that has one.

        Raises:
            Failed: Kafka does not answer, or refuses.
        """
        asked = ConsumerGroupTopicPartitions(
            self._group, [TopicPartition(*place) for place in places]
        )
        try:
            [answer] = (
                self._connected()
                .list_consumer_group_offsets([asked], request_timeout=ANSWER_SECONDS)
                .values()
            )
            found = answer.result().topic_partitions
        except KafkaException as error:
            raise Failed(error.args[0].str()) from None
        return {TP(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def _connected(self) -> AdminClient:
        if self._admin is None:
            told = {**self._kafka.librdkafka(), "client.id": f"{self._group}-watch"}
            self._admin = AdminClient(told, logger=log)
        return self._admin

    def _take(self, admin: AdminClient) -> Census:
        options: dict[str, Any] = {
            "include_authorized_operations": True, "request_timeout": ANSWER_SECONDS,
        }  # fmt: skip
        asked = admin.describe_topics(TopicCollection(self._names), **options)
        topics, denied = dict[str, TopicSeen](), set[str]()
        for name, answer in asked.items():
            try:
                found = answer.result()
            except KafkaException as error:
                code = error.args[0].code()
                if code == _DENIED:
                    denied.add(name)
                elif code != _ABSENT:
                    raise
            else:
                granted = _names(found.authorized_operations)
                topics[name] = TopicSeen(_id(found.topic_id), len(found.partitions), granted)
        [answer] = admin.describe_consumer_groups([self._group], **options).values()
        group = answer.result()
        return Census(
            topics=topics,
            denied=frozenset(denied),
            ends=self._ends(admin, topics),
            stable=group.state == ConsumerGroupState.STABLE,
            owned=frozenset(
                TP(one.topic, one.partition)
                for member in group.members
                for one in member.assignment.topic_partitions
            ),
            clients=tuple(member.client_id for member in group.members),
            group_granted=_names(group.authorized_operations),
        )

    def _ends(self, admin: AdminClient, topics: Mapping[str, TopicSeen]) -> dict[TP, int]:
        """Return where partitions end; one without a leader is left out."""
        latest = {
            TopicPartition(name, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for name, seen in topics.items()
            for number in range(seen.partitions)
        }
        if not latest:
            return {}
        answers = admin.list_offsets(
            latest,
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=ANSWER_SECONDS,
        )
        ends = dict[TP, int]()
        for place, answer in answers.items():
            try:
                ends[TP(place.topic, place.partition)] = answer.result().offset
            except KafkaException:
                continue
        return ends


def _names(operations: Iterable[Any] | None) -> frozenset[str]:
    return frozenset(operation.name for operation in operations or ())


def _id(found: Any) -> str:  # noqa: ANN401 - confluent_kafka has no type for it
    high = found.get_most_significant_bits() & _BITS
    low = found.get_least_significant_bits() & _BITS
    if not (high or low):
        return ""
    return base64.urlsafe_b64encode((high << 64 | low).to_bytes(16)).decode().rstrip("=")
