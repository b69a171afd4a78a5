"""Our image on its own: who it runs as, what it may, and how it says that a setting is wrong."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from streams.core import topic_file
from tests.containers.engine import docker, run
from tests.containers.project import GROUP, token_file
from tests.containers.standins import ROOT
from tests.kafka.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.containers.conftest import Images

pytestmark = pytest.mark.containers

LOCKED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
TOKEN = "/run/secrets/web-token"  # noqa: S105 - a path
ONE_NODE = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
}
TOPICS = len(
    topic_file.load((ROOT / "topics.yaml").read_bytes(), "topics.yaml", "one-broker").specs
)
"""How many topics ``topics apply --create-external`` makes on an empty Kafka."""

OURS = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "GRADEWATCH_INSECURE_KAFKA": "1"}


@contextmanager
def network() -> Iterator[str]:
    """Give a network; whatever was started in it is gone afterwards."""
    name = f"gradewatch-test-{secrets.token_hex(4)}"
    docker("network", "create", name)
    try:
        yield name
    finally:
        for one in docker("ps", "--all", "--quiet", "--filter", f"network={name}").split():
            docker("rm", "--force", "--volumes", one)
        docker("network", "rm", name)


@pytest.fixture(scope="module")
def beside_kafka(images: Images) -> Iterator[tuple[str, ...]]:
    """Options for a container of ours beside a Kafka that has the topics; one Kafka for all."""
    with network() as name:
        alias = ("--network", name, "--network-alias", "kafka")
        docker("run", "--detach", *alias, *environment(ONE_NODE), images.kafka)
        options = ("--network", name, *LOCKED, *environment(OURS))
        wait = ("--yes", "--create-external", "--wait", "60")
        said = docker("run", "--rm", *options, images.ours, "topics", "apply", *wait)
        assert f"changes: {TOPICS} changes, 0 blocked" in said
        yield options


def environment(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in values.items() for word in ("--env", f"{name}={value}"))


def state(container: str) -> dict[str, Any]:
    found = json.loads(docker("inspect", "--format", "{{json .State}}", container))
    assert isinstance(found, dict)
    return found


def await_health(container: str, health: str) -> None:
    """Return once Docker finds a container to be so; its own words where that fails."""
    try:
        until(lambda: ended(container) or state(container)["Health"]["Status"] == health)
        assert not ended(container), "it ended"
    except AssertionError as error:
        said = run("docker", "logs", "--tail", "40", container).stderr
        raise AssertionError(f"{error}; {state(container)}\n{said}") from None


def ended(container: str) -> bool:
    return not state(container)["Running"]


def status(container: str) -> dict[str, str]:
    """Return what the kernel says of the container's first process."""
    lines = docker("exec", container, "python3", "-c", "print(open('/proc/1/status').read())")
    return dict(line.split(":\t", 1) for line in lines.splitlines() if ":\t" in line)


def test_it_is_healthy_as_an_unknown_user_who_may_nothing(
    images: Images, beside_kafka: tuple[str, ...]
) -> None:
    container = docker("run", "--detach", *beside_kafka, images.ours)
    await_health(container, "healthy")

    told = status(container)
    assert told["Uid"].split() == ["10001"] * 4
    assert told["Gid"].split() == ["10001"] * 4
    assert {told[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert told["NoNewPrivs"] == "1"
    assert docker("diff", container) == "", "something was written outside the volume"
    docker("stop", container)
    assert state(container)["ExitCode"] == 0


def test_health_is_asked_of_the_port_that_was_chosen(
    images: Images, beside_kafka: tuple[str, ...]
) -> None:
    chosen = environment({"GRADEWATCH_WEB_PORT": "7077"})
    container = docker("run", "--detach", *beside_kafka, *chosen, images.ours)

    await_health(container, "healthy")


def test_a_worker_that_does_not_answer_is_unhealthy(images: Images) -> None:
    with network() as name:
        often = ("--health-interval", "1s", "--health-start-period", "1s", "--health-retries", "1")
        idle = ("-c", "import time; time.sleep(600)")
        start = ("--detach", "--network", name, *often, "--entrypoint", "python3")
        container = docker("run", *start, images.ours, *idle)

        await_health(container, "unhealthy")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ((None, 0), "cannot be read: No such file or directory"),
        (("0123456789abcdef", 0o644), "is open to every user"),
        (("0123456789abcdef", 0o600), "cannot be read: Permission denied"),
        (("short", 0o640), "holds 5 characters, fewer than 16"),
    ],
)
def test_a_token_that_is_no_good_is_said_once_and_ends_it(
    images: Images,
    beside_kafka: tuple[str, ...],
    tmp_path: Path,
    bad: tuple[str | None, int],
    said: str,
) -> None:
    token, mode = bad
    given = environment({"GRADEWATCH_WEB_HOST": "0.0.0.0", "GRADEWATCH_WEB_TOKEN_FILE": TOKEN})  # noqa: S104 - refused
    if token is not None:
        file = token_file(images, tmp_path, token, mode)
        given += ("--volume", f"{file}:{TOKEN}:ro")

    done = run("docker", "run", "--rm", *beside_kafka, *given, images.ours, check=False)

    assert done.returncode == 78
    error, step = done.stderr.splitlines()
    assert f"error: GRADEWATCH_WEB_TOKEN_FILE {TOKEN} {said}" in error
    assert step.startswith("  next: ")
    assert token is None or token not in done.stderr


def test_beyond_loopback_without_a_token_is_refused(
    images: Images, beside_kafka: tuple[str, ...]
) -> None:
    given = environment({"GRADEWATCH_WEB_HOST": "0.0.0.0"})  # noqa: S104 - refused

    done = run("docker", "run", "--rm", *beside_kafka, *given, images.ours, check=False)

    assert done.returncode == 78
    assert "GRADEWATCH_WEB_TOKEN_FILE" in done.stderr


def test_it_holds_what_runs_and_nothing_that_builds(images: Images) -> None:
    listing = (
        "import os; from importlib.metadata import distributions; "
        "print(*sorted(d.name for d in distributions())); "
        "print(os.getuid(), os.access('/', os.W_OK))"
    )
    python = ("--entrypoint", "python3", images.ours, "-c", listing)
    names, rest = docker("run", "--rm", "--network", "none", *python).splitlines()

    assert "gradewatch" in names.split()
    assert not {"pip", "pytest", "mypy", "ruff", "hatchling", "testcontainers"} & {*names.split()}
    assert rest == f"{GROUP} False"
    version = docker("run", "--rm", "--network", "none", *LOCKED, images.ours, "--version")
    assert version.startswith("gradewatch, version ")
