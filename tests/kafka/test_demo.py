"""One command shows the whole flow, adds up, and leaves nothing running."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from streams.broker import ports
from streams.settings import environment, load
from tests.kafka.running import until
from tests.on_dicts import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def data_dir(tmp_path: Path, jar_dir: Path) -> Path:
    """A data directory of the test's own, with the jars that are there already."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    jar_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / jar_dir.name).symlink_to(jar_dir)
    return data_dir


def started(data_dir: Path, *words: str, **told: str) -> subprocess.Popen[str]:
    base = {key: value for key, value in environment(load()).items() if "KAFKA" not in key}
    port = str(ports.choose(0))  # another demo may be about to take the default one
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", *words],
        env=base | {"GRADEWATCH_DATA_DIR": str(data_dir), "GRADEWATCH_WEB_PORT": port} | told,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def left(data_dir: Path) -> list[str]:
    """Return what still runs of a demo: its JVM, its worker, their guards."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(data_dir) in word for word in told):
            found.append(" ".join(process.cmdline())[:80])
    return found


def test_it_runs_to_the_end_without_a_terminal_and_its_summary_adds_up(data_dir: Path) -> None:
    with started(data_dir, "--events", "3000", "--exit") as demo:
        told, _ = demo.communicate(timeout=120)

    assert demo.returncode == 0, told
    lines = told.splitlines()
    assert sum(line.startswith("adds up ") for line in lines) == 3
    assert "WRONG" not in told
    assert any(" score_drop  student " in line for line in lines)
    assert any(line.startswith("worker ready; pages at http://127.0.0.1:") for line in lines)
    assert "\x1b" not in told
    assert left(data_dir) == []


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.crash),
        pytest.param(signal.SIGTERM, marks=pytest.mark.crash),
        signal.SIGKILL,
    ],
)
def test_however_it_ends_nothing_goes_on_running(data_dir: Path, end: signal.Signals) -> None:
    at_once = {"GRADEWATCH_RULES": str(ROOT / "rules.yaml")}
    with started(data_dir, "--events", "100000", "--rate", "200", **at_once) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if " score_drop " in line or " override_" in line:
                break
        assert left(data_dir), "invalid: nothing ran"
        demo.send_signal(end)
        demo.communicate(timeout=60)

    assert demo.returncode == (-signal.SIGKILL if end is signal.SIGKILL else 130)
    until(lambda: left(data_dir) == [], seconds=30)


def test_it_does_not_play_made_up_grades_into_real_events(
    kafka: Kafka, namespace: str, data_dir: Path
) -> None:
    theirs = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "GRADEWATCH_NAMESPACE": namespace}
    with started(data_dir, "--events", "500", "--exit", **theirs) as first:
        told, _ = first.communicate(timeout=120)
    assert first.returncode == 0, told

    with started(data_dir, "--events", "500", "--exit", **theirs) as second:
        told, _ = second.communicate(timeout=120)
    assert second.returncode == 1
    assert "already holds records" in told
    assert "GRADEWATCH_NAMESPACE" in told
