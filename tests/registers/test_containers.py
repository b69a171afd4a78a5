"""Dockerfile, docker-compose.yml and their page agree with the code, and keep what they promise."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from streams.broker import VERSION
from streams.cli import cli
from streams.core.topic_file import load
from streams.kafka_settings import environment_name
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PAGE = (ROOT / "docs" / "containers.md").read_text()
SERVICES: dict[str, Any] = YAML(typ="safe").load(COMPOSE)["services"]
OURS = {name: each for name, each in SERVICES.items() if not name.startswith("kafka-")}
WORKERS = {name: each for name, each in SERVICES.items() if name.startswith("worker-")}
BROKERS = {name: each for name, each in SERVICES.items() if name.startswith("kafka-")}
VARIABLES = {environment_name(name) for name in Settings.model_fields}
DEFAULTS = dict(re.findall(r"\$\{([A-Z0-9_]+):-([^}]*)\}", COMPOSE))


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of the image itself: word and rest."""
    lines = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    words = [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines if line]
    start = max(at for at, (word, _) in enumerate(words) if word == "FROM")
    return words[start:]


def cluster() -> dict[str, str]:
    """Return what deploy/cluster.env sets."""
    lines = (ROOT / "deploy" / "cluster.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def versions(name: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return dict(found)


def test_the_image_is_no_root_and_needs_no_shell() -> None:
    stage = last_stage()
    given = dict(stage)

    assert given["USER"] == "10001:10001"
    assert json.loads(given["ENTRYPOINT"]) == ["gradewatch"]
    assert json.loads(given["CMD"]) == ["worker"]
    assert "/livez" in json.loads(given["HEALTHCHECK"].partition(" CMD ")[2])[-1]
    assert [word for word, _ in stage].count("VOLUME") == 1
    assert "RUN" not in given, "what runs in the last stage leaves its traces in the image"


def test_every_file_the_image_is_built_from_passes_dockerignore() -> None:
    passed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert passed == {name for names in copies for name in names.split()}
    assert [name for name in passed if not (ROOT / name).exists()] == []


def test_the_image_holds_the_versions_that_were_tested() -> None:
    tested, runtime = versions("requirements.lock"), versions("requirements.runtime.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in project["dependencies"]}

    assert {name.replace(".", "-") for name in needed} <= set(runtime)
    assert runtime.items() <= tested.items()
    assert versions("requirements.build.lock").items() <= tested.items()
    assert not {"pytest", "mypy", "ruff", "hatchling"} & set(runtime)


def test_the_default_is_the_kafka_that_the_tests_run() -> None:
    assert DEFAULTS["GRADEWATCH_KAFKA_IMAGE"] == f"apache/kafka:{VERSION}"
    assert f"PYTHON_IMAGE={DEFAULTS['PYTHON_IMAGE']}" in DOCKERFILE


def test_ports_are_published_on_loopback_alone() -> None:
    ports = [port for each in SERVICES.values() for port in each.get("ports", ())]

    assert len(ports) == len(BROKERS) + len(WORKERS)
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_nothing(name: str) -> None:
    each = OURS[name]

    assert each["read_only"] is True
    assert each["cap_drop"] == ["ALL"]
    assert each["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_every_setting_and_command_exists(name: str) -> None:
    command: click.Command = cli
    words = list(OURS[name].get("command", ["worker"]))
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    numbers = [re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", word) for word in words]
    command.make_context(name, numbers)  # raises where an option is unknown or its value bad

    assert set(OURS[name]["environment"]) <= VARIABLES


def test_the_image_names_only_settings_that_exist() -> None:
    assert set(re.findall(r"GRADEWATCH_[A-Z_]+", DOCKERFILE)) <= VARIABLES


def test_every_worker_has_an_id_and_a_url_of_its_own() -> None:
    assert len(WORKERS) == 2
    for name, each in WORKERS.items():
        given = each["environment"]
        assert given["GRADEWATCH_WORKER_ID"] == name
        assert given["GRADEWATCH_CANONICAL_URL"] == f"http://{name}:6066"
        assert given["GRADEWATCH_WEB_TOKEN_FILE"] == "/run/secrets/web-token"  # noqa: S105 - a path
        assert given["GRADEWATCH_ID_KEY_FILE"] == "/run/secrets/id-key"
        assert each["secrets"] == ["web-token", "id-key"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file to a group without a password")
def test_token_and_key_are_for_their_owner_and_the_image_alone(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "deploy").mkdir()
    files = [tmp_path / "deploy" / name for name in ("id-key", "web-token")]

    def make() -> list[str]:
        subprocess.run(["make", "web-token"], cwd=tmp_path, check=True, capture_output=True)  # noqa: S607 - whichever
        return [file.read_text() for file in files]

    made = make()
    assert made[0] != made[1]
    for file, text in zip(files, made, strict=True):
        assert re.fullmatch(r"[0-9a-f]{64}\n", text)
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert file.stat().st_gid == int(dict(last_stage())["USER"].split(":")[1])
    assert make() == made, "those who have it would be shut out"
    assert sorted(each.name for each in files[0].parent.iterdir()) == ["id-key", "web-token"]


def test_no_broker_makes_a_topic_by_itself() -> None:
    assert {
        each["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] for each in BROKERS.values()
    } == {"false"}


def test_the_cluster_is_as_safe_as_the_profile_of_the_topics() -> None:
    told = cluster()
    profile = told["GRADEWATCH_TOPICS_PROFILE"]
    (spec,) = [
        each
        for each in load((ROOT / "topics.yaml").read_bytes(), "topics.yaml", profile).specs
        if each.name == "grade-events"
    ]

    assert told["KAFKA_REPLICATION"] == str(spec.replication) == str(len(BROKERS))
    assert told["KAFKA_MIN_ISR"] == spec.config["min.insync.replicas"]
    assert told["KAFKA_SERVERS"] == ",".join(f"{name}:9092" for name in BROKERS)
    assert told["KAFKA_VOTERS"] == ",".join(f"{name[-1]}@{name}:9093" for name in BROKERS)
    assert {name for name in told if not name.startswith("COMPOSE_")} <= set(DEFAULTS)


def test_every_variable_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \| (`.*?) \|", PAGE, re.MULTILINE)
    documented = dict[str, str]()
    for names, defaults in rows:
        pairs = zip(re.findall("`(.+?)`", names), re.findall("`(.+?)`", defaults), strict=True)
        documented.update(pairs)

    assert documented == DEFAULTS
