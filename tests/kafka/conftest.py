"""A Kafka for the tests: the one that ``--broker`` names.

Tests that harm a broker ask for ``own_kafka``: always an embedded one that they started themselves,
whatever ``--broker`` says. The jars are shared at the default data directory, so that they are
downloaded once; all data is temporary.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest

from streams import broker, settings
from streams.testing import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.secured import SecuredKafka


Kafka = Broker


class OwnKafka:
    """A broker that one test starts, stops and kills; it ends with the test in any case."""

    def __init__(self, data_dir: Path, jar_dir: Path) -> None:
        self.data_dir = data_dir
        self.pid = 0
        self.bootstrap_servers = ""
        self._jar_dir = jar_dir
        self._life = ExitStack()

    def start(self) -> None:
        """It answers: on any free port at first, later on the same one, with the same data."""
        port = None if self.bootstrap_servers else 0
        context = broker.running(self.data_dir, port, jar_dir=self._jar_dir)
        running = self._life.enter_context(context)
        self.pid, self.bootstrap_servers = running.pid, running.bootstrap_servers

    def stop(self) -> None:
        """It ended in a controlled shutdown."""
        self._life.close()

    def kill(self) -> None:
        """It ended as if its machine had lost it: ``kill -9``."""
        psutil.Process(self.pid).kill()
        self._life.close()


Own = TypeVar("Own", bound=OwnKafka)


@contextmanager
def started(own: Own) -> Iterator[Own]:
    """A broker runs within the block; neither it nor its data outlives it."""
    try:
        own.start()
        yield own
    finally:
        with suppress(psutil.Error):  # its data goes: a controlled shutdown would be for nothing
            psutil.Process(own.pid).kill()
        own.stop()
        shutil.rmtree(own.data_dir)


@pytest.fixture(scope="session")
def jar_dir() -> Path:
    """Where Kafka's jars are kept from one run of the tests to the next."""
    return broker.jar_directory(settings.load().data_dir)


@pytest.fixture(scope="session")
def kafka(gradewatch_broker: Broker) -> Broker:
    """One broker for the whole session. Use a fresh ``namespace`` in each test; do not harm it."""
    return gradewatch_broker


@pytest.fixture(scope="session")
def secured_kafka(
    tmp_path_factory: pytest.TempPathFactory, jar_dir: Path
) -> Iterator[SecuredKafka]:
    """One broker that asks everybody who they are. Use a fresh ``namespace``; do not harm it."""
    from tests.kafka.secured import SecuredKafka  # noqa: PLC0415 - it builds on this module

    with started(SecuredKafka(tmp_path_factory.mktemp("secured"), jar_dir)) as secured:
        yield secured


@pytest.fixture
def own_kafka(tmp_path: Path, jar_dir: Path) -> Iterator[OwnKafka]:
    """A started broker that the test may stop, kill and start again."""
    with started(OwnKafka(tmp_path / "own-kafka", jar_dir)) as own:
        yield own


@pytest.fixture
def namespace() -> str:
    """A prefix for topics, groups and transactional ids that nothing else uses."""
    return f"t{secrets.token_hex(4)}"
