"""Fixtures for tests of whatever reads the alert topic: Canvas events in, alerts out, on a Kafka.

A pytest plugin; ``pytest_plugins = ["streams.testing"]`` in the topmost ``conftest.py`` brings it
(``docs/testing.md`` shows a test). Nothing of it is simulated: the broker is a genuine Kafka, and
the worker a process of its own. Every test has a fresh namespace: tests see nothing of each other.

All names begin with ``gradewatch_``: ``broker``, ``topics``, ``worker`` and ``alerts`` are words
that the suites of others, and other plugins, use for fixtures of their own.
"""

from __future__ import annotations

import secrets
import shutil
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

try:
    import pytest
except ImportError:
    raise ImportError(
        "streams.testing is a plugin of pytest, which is not installed: "
        "pip install 'gradewatch[testing]'"
    ) from None

with warnings.catch_warnings():
    # kafka-python and jgo read their own data the old way; a suite may have made that an error.
    warnings.simplefilter("ignore", DeprecationWarning)
    from streams import settings
    from streams.cli.process import WorkerProcess
    from streams.errors import GradewatchError
    from streams.testing.brokers import Broker, Choice, running
    from streams.testing.stage import Stage, staged
    from streams.testing.traffic import Alerts, Send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from streams.settings import Settings

__all__ = ["Alerts", "Broker", "Choice", "Send"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--broker`` says which Kafka the tests run on."""
    parser.getgroup("gradewatch").addoption(
        "--broker",
        choices=[*Choice],
        default=Choice.AUTO,
        help="the Kafka of the tests: embedded, container (a Docker engine and the image of "
        "GRADEWATCH_KAFKA_IMAGE), external (KAFKA_BOOTSTRAP_SERVERS), or auto: external where "
        "that is set, else embedded (the default)",
    )


@pytest.fixture(scope="session")
def gradewatch_broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    """A Kafka that answers, the one that ``--broker`` names; one that we start ends with us."""
    # Where a test module, not a conftest, names the plugin, it comes too late for an option.
    choice = Choice(request.config.getoption("--broker", default=Choice.AUTO))
    data_dir = tmp_path_factory.mktemp("gradewatch-kafka")
    with _explained(), running(choice, data_dir) as broker:
        yield broker
        if broker.pid is not None:  # its data goes: no need for a controlled shutdown
            psutil.Process(broker.pid).kill()
    shutil.rmtree(data_dir)


@pytest.fixture
def gradewatch_namespace() -> str:
    """What stands before the names of the test's topics, group and ids; nothing else uses it."""
    return f"pytest-{secrets.token_hex(4)}"


@pytest.fixture
def gradewatch_overrides() -> Mapping[str, Any]:
    """Settings of the test's worker that differ, by field; override it: ``{"rules": path}``."""
    return {}


@pytest.fixture
def gradewatch_settings(
    gradewatch_broker: Broker,
    gradewatch_namespace: str,
    gradewatch_overrides: Mapping[str, Any],
) -> Settings:
    """What the test's worker is told: the environment's settings, on this broker and namespace."""
    with _explained():
        return settings.load(
            **{
                "worker_id": gradewatch_namespace,
                "web_port": 0,
                **gradewatch_overrides,
                **gradewatch_broker.settings(),
                "namespace": gradewatch_namespace,
            }
        )


@pytest.fixture
def gradewatch_stage(gradewatch_settings: Settings) -> Iterator[Stage]:
    """The namespace with its topics; they are removed afterwards."""
    with _explained(), staged(gradewatch_settings) as stage:
        yield stage


@pytest.fixture
def gradewatch_topics(gradewatch_stage: Stage) -> Mapping[str, str]:
    """The topics, made: the name in topics.yaml → the name on the broker."""
    return gradewatch_stage.topics


@pytest.fixture
def gradewatch_worker(gradewatch_stage: Stage, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A ``gradewatch worker`` that is ready; it ends with the test."""
    worker = WorkerProcess(gradewatch_stage.settings, tmp_path / "gradewatch-worker.log")
    with _explained(), worker:
        yield worker


@pytest.fixture
def gradewatch_send(gradewatch_stage: Stage) -> Send:
    """Write Canvas events to the raw topic: see `Send`."""
    return Send(gradewatch_stage)


@pytest.fixture
def gradewatch_alerts(
    gradewatch_stage: Stage, gradewatch_worker: WorkerProcess
) -> Iterator[Alerts]:
    """Wait for the alerts that come of them: see `Alerts`."""
    alerts = Alerts(gradewatch_stage, gradewatch_worker)
    yield alerts
    alerts.close()


@contextmanager
def _explained() -> Iterator[None]:
    """Fail with cause and next step, and without a trace through our own code."""
    try:
        yield
    except GradewatchError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
