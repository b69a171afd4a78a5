"""Two topics of a test's own, raw and refused, and a command line that knows them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition
from click.testing import CliRunner
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.cli.events import events
from streams.security import Kafka
from tests.kafka.running import read, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import ConsumerRecord
    from click.testing import Result

PARTITIONS = 3


class Stage(NamedTuple):
    """Where ``gradewatch events`` is played."""

    servers: str
    namespace: str

    @property
    def kafka(self) -> Kafka:
        return Kafka(self.servers)

    @property
    def raw(self) -> str:
        return f"{self.namespace}-canvas-live-events"

    @property
    def refused(self) -> str:
        return f"{self.namespace}-grade-events-refused"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "GRADEWATCH_NAMESPACE": self.namespace,
        }

    def run(self, *arguments: str, stdin: bytes | None = None) -> Result:
        return CliRunner(env=self.environment).invoke(events, arguments, input=stdin)

    def done(self, *arguments: str, stdin: bytes | None = None) -> Result:
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 0, (result.output, result.exception)
        return result

    def played(self, count: int) -> list[ConsumerRecord]:
        """Return all that stands on the raw topic; there must be ``count`` records."""
        places = [TopicPartition(self.raw, number) for number in range(PARTITIONS)]
        found = asyncio.run(read(self.servers, places))
        assert len(found) == count
        return found


@contextmanager
def staged(servers: str, namespace: str) -> Iterator[Stage]:
    """The topics are there, and gone afterwards."""
    stage = Stage(servers, namespace)
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        # Simulated records are as old as their semester.
        forever = {"retention.ms": "-1"}
        names = [stage.raw, stage.refused]
        admin.create_topics([NewTopic(n, PARTITIONS, 1, topic_configs=forever) for n in names])
        until(lambda: set(names) <= set(admin.list_topics()))
        yield stage
        admin.delete_topics(names)
    finally:
        admin.close()
