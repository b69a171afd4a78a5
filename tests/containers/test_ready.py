"""``make test-containers`` on machines of all kinds: fake commands on ``PATH`` stand for Docker's.

It needs no engine. What it must never do: pass without a test and without a word.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.containers import engine, ready

ANSWERS = """
case "$1" in version) test -e "$0.answers" || { echo "Cannot connect" >&2; exit 1; } ;; esac
"""
"""``docker``: says yes to everything, once a daemon has left its mark."""

DAEMON = """
for word; do case "$last" in --pidfile) echo $$ > "$0.pid" ;; esac; last=$word; done
: > "${0%d}.answers"
while :; do /bin/sleep 0.1; done
"""
"""``dockerd``: runs until it is ended."""


class Machine:
    """A machine that has these commands and no others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str, script: str = "") -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """An empty machine where we are root, with data of its own."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(ready, "getuid", lambda: 0)
    engine.compose_commands.cache_clear()
    return Machine(tmp_path / "bin")


def test_who_is_not_root_is_told_what_is_missing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ready, "getuid", lambda: 1000)
    machine.has("apt-get")

    assert ready.main([]) == 0

    said = capfd.readouterr().out
    assert "test-containers: skipped, no test ran: no docker command" in said
    assert "not installed: docker, dockerd, iptables, docker compose, debootstrap" in said
    assert "only root on Debian" in said


def test_a_client_without_an_engine_is_no_engine(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    """A ``docker`` command alone once made it install nothing, and skip every test."""
    machine.has("docker", ANSWERS)
    machine.has("iptables")
    machine.has("apt-get", 'test "$1" = update || { echo "E: no docker.io" >&2; exit 100; }')

    assert ready.main([]) == 0

    said = capfd.readouterr().out
    assert "not installed: dockerd, debootstrap; apt-get install docker.io" in said
    assert "skipped, no test ran: no Docker engine answers: Cannot connect; apt-get failed" in said
    assert "E: no docker.io" in said


def test_an_engine_that_does_not_start_is_quoted(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.has("docker", ANSWERS)
    machine.has("dockerd", 'echo "failed to mount: permission denied" >&2; exit 1')
    for name in ("iptables", "debootstrap"):
        machine.has(name)

    assert ready.main([]) == 0

    said = capfd.readouterr().out
    assert "skipped, no test ran: dockerd did not start here; its last words:" in said
    assert "failed to mount: permission denied" in said


def test_where_no_test_is_found_it_fails_and_our_engine_is_gone(machine: Machine) -> None:
    docker = machine.has("docker", ANSWERS)
    daemon = machine.has("dockerd", DAEMON)
    for name in ("iptables", "debootstrap"):
        machine.has(name)

    assert ready.main(["-q", "-k", "nothing_is_called_this"]) == pytest.ExitCode.NO_TESTS_COLLECTED

    assert Path(f"{docker}.answers").exists(), "invalid: the daemon never ran"
    pid = int(Path(f"{daemon}.pid").read_text())
    assert not psutil.pid_exists(pid)


def test_an_image_that_cannot_be_made_fails(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    docker = machine.has(
        "docker", f'{ANSWERS}\ncase "$1" in build) echo "no rules" >&2; exit 1 ;; esac'
    )
    Path(f"{docker}.answers").touch()

    assert ready.main([]) == 1

    assert "no rules" in capfd.readouterr().out
