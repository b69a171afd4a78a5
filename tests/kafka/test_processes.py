"""``worker --processes N``: one that ends comes back; all end together, however they are ended."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from streams.settings import load
from tests.kafka.process import Process, running
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

WORDS = ("worker", "--processes", "2")


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


def workers(process: Process) -> list[psutil.Process]:
    """Return the worker processes, without their guards."""
    family = psutil.Process(process.popen.pid).children(recursive=True)
    return [one for one in family if one.cmdline()[1:] == ["-m", "streams", "worker"]]


def ready(process: Process) -> bool:
    base = int(process.url.rpartition(":")[2])
    try:
        for port in (base, base + 1):
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                pass
    except URLError:
        return False
    return True


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.crash)]
)
def test_one_that_is_killed_comes_back_and_a_signal_ends_all(
    flow: Flow, tmp_path: Path, number: signal.Signals
) -> None:
    with running(flow, tmp_path, *WORDS) as process:
        until(lambda: ready(process))
        before = workers(process)
        assert len(before) == 2
        before[0].kill()
        until(lambda: process.says("starts again in"))
        until(lambda: len(workers(process)) == 2 and ready(process))
        after = workers(process)
        assert before[1].pid in [one.pid for one in after]

        assert process.told(number) == 0, process.said()
        assert not [one for one in after if one.is_running()]


@pytest.mark.crash
def test_a_worker_whose_guard_is_killed_ends_and_another_takes_its_port(
    flow: Flow, tmp_path: Path
) -> None:
    with running(flow, tmp_path, *WORDS) as process:
        until(lambda: ready(process))
        orphan = workers(process)[0]
        guard = orphan.parent()
        assert guard is not None
        guard.kill()
        until(lambda: not orphan.is_running(), 30)
        until(lambda: len(workers(process)) == 2 and ready(process))


def test_none_outlives_a_supervisor_that_is_killed(flow: Flow, tmp_path: Path) -> None:
    with running(flow, tmp_path, *WORDS) as process:
        until(lambda: ready(process))
        family = workers(process)
        os.kill(process.popen.pid, signal.SIGKILL)
        process.popen.wait()
        until(lambda: not [one for one in family if one.is_running()], 30)


def test_a_wrong_configuration_ends_all_at_once(flow: Flow, tmp_path: Path) -> None:
    wrong = tmp_path / "rules.yaml"
    wrong.write_text("rules: 1\n")
    flow.settings = flow.settings.model_copy(update={"rules": wrong})
    with running(flow, tmp_path, *WORDS) as process:
        assert process.popen.wait(60) == 78, process.said()
        assert "rules.yaml:1" in process.said()


def test_they_cannot_share_a_url(flow: Flow, tmp_path: Path) -> None:
    update = {"canonical_url": "http://one.example:1"}
    flow.settings = load(**flow.settings.model_dump(exclude_unset=True) | update)
    with running(flow, tmp_path, *WORDS) as process:
        assert process.popen.wait(60) == 78, process.said()
        assert "every process needs its own" in process.said()
