"""Which Kafka the tests run on: embedded, in a container, or one that is there already."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from streams import admin, broker, settings
from streams.errors import ConfigurationError
from streams.kafka_settings import environment_name
from streams.security import Kafka, Protocol
from streams.testing import container

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Choice(StrEnum):
    """What ``--broker`` may be."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    CONTAINER = "container"
    EXTERNAL = "external"


@dataclass(frozen=True)
class Broker:
    """A Kafka that answers.

    Attributes:
        choice: Which of them; never ``auto``.
        kafka: Where it is, and how to get in.
        pid: Of the embedded one: the JVM's process id.
    """

    choice: Choice
    kafka: Kafka
    pid: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``host:port``, comma separated, for any Kafka client."""
        return self.kafka.bootstrap_servers

    def settings(self) -> dict[str, Any]:
        """Return the settings that lead to it, beside the environment's."""
        told: dict[str, Any] = {"kafka_bootstrap_servers": self.bootstrap_servers}
        if self.choice is Choice.CONTAINER:  # of a Docker engine elsewhere; the events are made up
            told["insecure_kafka"] = True
        return told


@contextmanager
def running(choice: Choice, data_dir: Path) -> Iterator[Broker]:
    """A Kafka answers within the block; one that is started here ends with it.

    Args:
        choice: Which one.
        data_dir: Where an embedded one keeps its data; its jars are the shared ones.

    Raises:
        ConfigurationError: The environment says too little for this choice, or something else.
        BrokerError: It cannot be started, or does not answer.
    """
    told = settings.load()
    servers = told.kafka_bootstrap_servers
    if choice is Choice.AUTO:
        choice = Choice.EXTERNAL if servers else Choice.EMBEDDED
    if choice is Choice.EXTERNAL:
        if not servers:
            raise ConfigurationError(
                "--broker=external: KAFKA_BOOTSTRAP_SERVERS does not say where it is",
                "set it, or leave --broker out for an embedded Kafka",
            )
        kafka = admin.bootstrap(told)
        admin.observe(kafka, [])
        yield Broker(choice, kafka)
        return
    protocol = environment_name("kafka_security_protocol")
    if told.kafka_security_protocol is not Protocol.PLAINTEXT:
        raise ConfigurationError(
            f"--broker={choice} speaks PLAINTEXT, and {protocol} is {told.kafka_security_protocol}",
            f"unset {protocol} and what goes with it, or choose --broker=external",
        )
    if choice is Choice.CONTAINER:
        with container.running(told.kafka_image) as address:
            yield Broker(choice, Kafka(address))
        return
    jar_dir = broker.jar_directory(told.data_dir)
    with broker.running(data_dir, 0, jar_dir=jar_dir) as embedded:
        yield Broker(choice, Kafka(embedded.bootstrap_servers), embedded.pid)
