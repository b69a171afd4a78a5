"""A Kafka in a container, by testcontainers: the image of Apache Kafka itself, one KRaft process.

testcontainers' own ``KafkaContainer`` fits the images of Confluent only.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from streams import admin
from streams.broker import ports
from streams.errors import BrokerError, ConfigurationError
from streams.security import Kafka, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testcontainers.core.container import DockerContainer

START_SECONDS: Final = 120.0
"""What a start may take, after the image is there."""

INSIDE: Final = 9092
"""The port that clients reach, within the container."""

LABEL: Final = "gradewatch.testing"
"""On every container, with the process id of the run, to find those that a killed one left."""

_LAST_LINES: Final = 10
_POLL_SECONDS: Final = 0.2


def environment(address: str) -> dict[str, str]:
    """Return what the image is told; whoever tells it anything tells it everything.

    The broker also talks to itself, when transactions end, and from inside the container it cannot
    reach the address that clients use: so it has a listener of its own.

    Args:
        address: Where clients reach it.
    """
    return {
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_NODE_ID": "1",
        "KAFKA_LISTENERS": (
            f"CLIENT://0.0.0.0:{INSIDE},BROKER://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
        ),
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENT://{address},BROKER://127.0.0.1:19092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
            "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:19093",
        # As the embedded broker: see streams/broker/config.py.
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    }


@contextmanager
def running(image: str) -> Iterator[str]:
    """A broker of an image answers within the block; its container is gone afterwards.

    Args:
        image: ``apache/kafka`` of some version, or one that takes the same environment.

    Returns:
        Where clients reach it, ``host:port``. With a Docker engine on this machine that is
        127.0.0.1, and nobody else can reach it.

    Raises:
        ConfigurationError: testcontainers is not installed.
        BrokerError: No Docker engine answers, it has no such image, or Kafka does not come up.
    """
    try:
        from docker.errors import DockerException  # noqa: PLC0415 - an extra's, and a choice's
        from testcontainers.core.config import testcontainers_config  # noqa: PLC0415
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            "--broker=container needs testcontainers, which is not installed",
            "pip install 'gradewatch[testing]'",
        ) from None
    try:
        container = DockerContainer(image, labels={LABEL: str(os.getpid())})
    except DockerException as error:
        raise BrokerError(
            f"--broker=container: no Docker engine answers: {error}",
            "start one, or say where it is with DOCKER_HOST; or choose --broker=embedded",
        ) from error
    host = container.get_docker_client().host()
    here = is_loopback(host)
    port = ports.choose(0)
    address = f"127.0.0.1:{port}" if here else f"{host}:{port}"
    container.env = environment(address)
    # Loopback only, which testcontainers passes on and its types do not know.
    container.ports[f"{INSIDE}/tcp"] = ("127.0.0.1", port) if here else port  # type: ignore[assignment]
    # The reaper, a privileged container of another image, would have to be pulled; we end ours.
    reaping, testcontainers_config.ryuk_disabled = testcontainers_config.ryuk_disabled, True
    try:
        try:
            container.start()
        finally:
            testcontainers_config.ryuk_disabled = reaping
        _await_answer(container, image, address)
        yield address
    except DockerException as error:
        raise BrokerError(
            f"--broker=container: the Docker engine did not run {image}: {error}",
            "docker pull it, or name another image with GRADEWATCH_KAFKA_IMAGE",
        ) from error
    finally:
        container.stop()


def _await_answer(container: DockerContainer, image: str, address: str) -> None:
    """Return when Kafka answers.

    Raises:
        BrokerError: Its container ended, or the deadline passed; its last words are shown.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        container.reload()
        if container.status != "running":
            raise _failure(container, f"the container of {image} ended")
        try:
            admin.observe(Kafka(address), [])
        except BrokerError:
            if time.monotonic() > deadline:
                what = f"Kafka in {image} does not answer at {address} after {START_SECONDS:.0f} s"
                raise _failure(container, what) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _failure(container: DockerContainer, what: str) -> BrokerError:
    said = b"".join(container.get_logs()).decode(errors="replace").splitlines()
    return BrokerError(
        "\n    ".join([f"--broker=container: {what}", *said[-_LAST_LINES:]]),
        "name an image of Apache Kafka 4 with GRADEWATCH_KAFKA_IMAGE, or choose --broker=embedded",
    )
