"""What the doctor looks at: settings, and the Kafka they lead to, asked once for each thing."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from streams import admin, group
from streams.connection import client, refusals
from streams.core.acls import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafka.admin import KafkaAdminClient

    from streams.core.topic_file import Topics
    from streams.core.topics import Observed
    from streams.security import Kafka
    from streams.settings import Settings

PATIENCE: Final = 12.0
"""Seconds after which a transaction that has not ended hangs: a worker's live for 10 s at most."""


class Patient:
    """A set-up to be looked at.

    Attributes:
        settings: What its processes are told.
        role: Whose rights are looked at.
        now: This machine's clock, in seconds since 1970.
        patience: Seconds that an open transaction is watched for.
        silent: Whether no broker answers, once that was looked at.
    """

    def __init__(
        self,
        settings: Settings,
        role: Role = Role.WORKER,
        now: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        """Remember; nothing is asked yet."""
        self.settings = settings
        self.role = role
        self.now = now
        self.patience = patience
        self.silent = False

    @cached_property
    def kafka(self) -> Kafka:
        """Where Kafka is.

        Raises:
            BrokerError: None is set, and the embedded broker is not running.
        """
        return admin.bootstrap(self.settings)

    @cached_property
    def topics(self) -> Topics:
        """What topics.yaml says, under the names on this cluster.

        Raises:
            ConfigurationError: The file is wrong.
        """
        return admin.read_topics(self.settings)

    @cached_property
    def admin(self) -> KafkaAdminClient:
        """A client for the whole examination; `close` ends it.

        Raises:
            BrokerError: Kafka does not answer.
        """
        self._lent = client(self.kafka)
        return self._lent.__enter__()

    def close(self) -> None:
        """Nothing is connected any more."""
        if "admin" in self.__dict__:
            self._lent.__exit__(None, None, None)

    @cached_property
    def cluster(self) -> dict[str, Any]:
        """Kafka's description of itself.

        Raises:
            BrokerError: Kafka does not answer.
        """
        with refusals(self.kafka):
            return dict(self.admin.describe_cluster())

    @cached_property
    def described(self) -> dict[str, dict[str, Any]]:
        """Kafka's description of each topic of ours, errors included, by name.

        Raises:
            BrokerError: Kafka does not answer.
        """
        names = [each.name for each in self.topics.specs]
        with refusals(self.kafka):
            return {each["name"]: each for each in self.admin.describe_topics(names)}

    @cached_property
    def observed(self) -> Observed:
        """What the cluster has of our topics, settings included.

        Raises:
            BrokerError: Kafka does not answer, or does not let us see the settings of one.
        """
        return admin.observe(self.kafka, [each.name for each in self.topics.specs])

    @cached_property
    def group(self) -> tuple[str, list[group.Member]]:
        """The state of the workers' consumer group, in Kafka's word, and its members.

        Raises:
            BrokerError: Kafka does not answer, or does not let us see the group.
        """
        return group.members(self.settings, self.kafka)

    def places(self, *names: str) -> Iterator[TopicPartition]:
        """Yield the partitions of those of our topics that can be described; of none: of all."""
        for name, told in self.described.items():
            if told["error_code"] == 0 and (not names or name in names):
                for each in told["partitions"]:
                    yield TopicPartition(name, each["partition_index"])

    def offsets(
        self, *names: str, at: OffsetSpec = OffsetSpec.LATEST, committed: bool = False
    ) -> dict[TopicPartition, int]:
        """Return an offset of each partition.

        Args:
            *names: Topics; none: all.
            at: Which: the first, or the one after the last.
            committed: Whether what stands after an open transaction does not count.

        Raises:
            BrokerError: Kafka does not answer.
        """
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        places = dict.fromkeys(self.places(*names), at)
        with refusals(self.kafka):
            found = self.admin.list_partition_offsets(places, isolation_level=level)
        return {place: told.offset for place, told in found.items()}
