"""The fixtures for tests of others, used as others use them: by a pytest of its own.

What it is told to run is what ``docs/testing.md`` shows, literally.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import docker
import docker.errors
import psutil
import pytest
from kafka import KafkaAdminClient

from streams import testing
from streams.errors import GradewatchError
from streams.settings import environment, load
from streams.testing.brokers import Choice, running
from streams.testing.container import LABEL
from tests.kafka.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.testing import Broker

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
CONFTEST, EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
SECONDS = 120

IN_VAIN = """
import pytest


def test_in_vain(gradewatch_send, gradewatch_alerts, gradewatch_worker):
    gradewatch_send([score("2026-02-03T10:15:30.000Z", before=84, after=74), "no event"])
    assert len(gradewatch_alerts()) == 1
    with pytest.raises(pytest.fail.Exception) as failed:
        gradewatch_alerts(2, timeout=0)
    print(failed.value)
    gradewatch_worker.kill()
    gradewatch_send(score("2026-02-04T10:15:30.000Z", before=74, after=60))
    gradewatch_alerts(1)
"""

OWN = """
import asyncio

import pytest

from streams.errors import ConfigurationError
from streams.testing.stage import staged


@pytest.fixture
def gradewatch_namespace():
    return "NAMESPACE"


@pytest.fixture
def gradewatch_overrides(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{id: any, kind: score_drop, points: 0.5, severity: info}]")
    return {"rules": rules}


async def sent_and_awaited(send, alerts):
    send(score(f"2026-02-03T10:15:3{n}.000Z", before=80 - n, after=79 - n) for n in range(3))
    return alerts(2) + alerts(1)


def test_rules_of_its_own_in_an_event_loop(
    gradewatch_send, gradewatch_alerts, gradewatch_topics, gradewatch_settings
):
    assert gradewatch_topics["grade-alerts"] == "NAMESPACE-grade-alerts"
    came = asyncio.run(sent_and_awaited(gradewatch_send, gradewatch_alerts))
    assert [(alert["rule"], alert["before"]) for alert in came] == [
        ("any", 80), ("any", 79), ("any", 78)
    ]
    with pytest.raises(ConfigurationError, match="is not new, it has NAMESPACE-canvas-live-events"):
        with staged(gradewatch_settings):
            pass
    assert gradewatch_alerts() == []
"""


WAITING = """
import time
from pathlib import Path


def test_waits(gradewatch_broker):
    Path("pid.part").write_text(str(gradewatch_broker.pid))
    Path("pid.part").rename("pid")
    time.sleep(600)
"""


class Run(NamedTuple):
    """What became of a pytest."""

    pid: int
    code: int
    told: str


def ran(directory: Path, *options: str, **told: str) -> Run:
    """Run a suite in which warnings are errors; of a Kafka elsewhere it knows what is said here."""
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_example.py").write_text(EXAMPLE)
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=directory,
        env={k: v for k, v in environment(load()).items() if "KAFKA" not in k} | told,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        said, _ = process.communicate(timeout=SECONDS)
    return Run(process.pid, process.returncode, said)


def names(bootstrap_servers: str) -> set[str]:
    """Return the topics and groups that the fixtures could have made."""
    with KafkaAdminClient(bootstrap_servers=bootstrap_servers) as client:
        groups = [each["group_id"] for each in client.list_groups()]
        return {name for name in (*client.list_topics(), *groups) if name.startswith("pytest-")}


@pytest.mark.kafka
def test_the_example_runs_as_it_stands_and_failures_say_why_and_nothing_is_left(
    gradewatch_broker: Broker, gradewatch_namespace: str, tmp_path: Path
) -> None:
    servers = gradewatch_broker.bootstrap_servers
    before = names(servers)
    event = EXAMPLE.partition("\n\ndef test_")[0]
    (tmp_path / "test_vain.py").write_text(event + IN_VAIN)
    (tmp_path / "test_own.py").write_text(event + OWN.replace("NAMESPACE", gradewatch_namespace))

    told = ran(tmp_path, KAFKA_BOOTSTRAP_SERVERS=servers).told
    assert re.search(r"test_example.py::\w+ PASSED", told), told
    assert re.search(r"test_own.py::\w+ PASSED", told), told
    assert re.search(
        r"2 alerts did not come within 0 s\n"
        r"  alerts: 0 came, 1 before\n"
        r"  events: intake passed: 1; intake refused: 1; scoring alerted: 1; refused, not_json: 1\n"
        r"  log of the worker:\n"
        r"(  .*\n)+"
        r"  next: the whole log is .*gradewatch-worker.log\n",
        told,
    ), told
    assert re.search(r"E +Failed: the worker ended\n(E .*\n)*E +next: the whole log is ", told), (
        told
    )
    assert "1 failed, 2 passed" in told
    assert names(servers) == before


@pytest.mark.kafka
def test_no_broker_outlives_a_pytest_that_is_killed_while_its_processes_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_waiting.py").write_text(WAITING)
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n", "1", f"--basetemp={tmp_path / 'base'}"],
        cwd=tmp_path,
        env={k: v for k, v in environment(load()).items() if "KAFKA" not in k},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            until((tmp_path / "pid").exists)
            pid = int((tmp_path / "pid").read_text())
            assert "kafka.Kafka" in psutil.Process(pid).cmdline()
        finally:
            process.kill()

    until(lambda: not psutil.pid_exists(pid))


def test_every_fixture_and_choice_is_on_the_page() -> None:
    fixtures = [name for name in vars(testing) if name.startswith("gradewatch_")]
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)

    assert sorted(rows) == sorted([*fixtures, *Choice])


def test_a_broker_that_cannot_be_had_fails_the_tests_without_a_trace(tmp_path: Path) -> None:
    _, code, told = ran(tmp_path, "--broker=external")

    assert code == 1
    _, _, report = told.partition("ERROR at setup of")
    assert report.splitlines()[1:3] == [
        "--broker=external: KAFKA_BOOTSTRAP_SERVERS does not say where it is",
        "  next: set it, or leave --broker out for an embedded Kafka",
    ]
    assert "During handling" not in report


@pytest.mark.parametrize(
    ("choice", "told", "said"),
    [
        (
            Choice.CONTAINER,
            {"DOCKER_HOST": "tcp://127.0.0.1:9"},
            r"no Docker engine answers: .*\n  next: start one, or say .* DOCKER_HOST; or choose",
        ),
        (
            Choice.EMBEDDED,
            {"GRADEWATCH_KAFKA_SECURITY_PROTOCOL": "SSL"},
            r"=embedded speaks PLAINTEXT, and GRADEWATCH_KAFKA_SECURITY_PROTOCOL is SSL\n  next: ",
        ),
    ],
)
def test_what_is_in_the_way_of_a_choice_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    choice: Choice,
    told: dict[str, str],
    said: str,
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(GradewatchError, match=said), running(choice, tmp_path):
        pass


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """A Docker engine that has Kafka's image, or the test is skipped."""
    image = load().kafka_image
    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine: {error}")
    try:
        client.images.get(image)
        yield client
    except docker.errors.ImageNotFound:
        pytest.skip(f"the Docker engine has no image {image}: docker pull it")
    finally:
        client.close()


@pytest.mark.kafka
def test_the_example_runs_in_a_container_that_is_gone_afterwards(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    pid, code, told = ran(tmp_path, "--broker=container", GRADEWATCH_KAFKA_IMAGE=load().kafka_image)

    assert (code, told.count(" PASSED ")) == (0, 1), told
    assert engine.containers.list(all=True, filters={"label": f"{LABEL}={pid}"}) == []


@pytest.mark.parametrize(
    ("missing", "script", "said"),
    [
        ("pytest", "import streams.testing", "ImportError: streams.testing is a plugin of pytest,"),
        (
            "testcontainers.core.config",
            "from streams.testing.container import running\nwith running('image'): pass",
            "--broker=container needs testcontainers, which is not installed",
        ),
    ],
)
def test_without_the_extra_it_says_what_to_install(missing: str, script: str, said: str) -> None:
    script = f"import sys\nsys.modules[{missing!r}] = None\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert said in done.stderr
    assert "pip install 'gradewatch[testing]'" in done.stderr
