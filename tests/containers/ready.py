"""``make test-containers``: a Docker engine, the images, then the tests marked ``containers``.

Brings what is missing: Debian's packages where we are root, an engine of our own where none
answers, stand-ins where no image registry can be reached. Our engine ends with the tests.
Where no engine can run, no test runs: the reason is printed, and the exit code is 0.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from os import getpid, getuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.broker import guard
from streams.settings import environment, load
from tests import tiers
from tests.containers import engine, standins
from tests.containers.engine import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterator

TIER: Final = "test-containers"
PACKAGES: Final = ("docker.io", "docker-compose", "debootstrap", "iptables")
ENGINE: Final = ("docker", "dockerd", "iptables")
"""Commands that an engine of our own needs."""

CGROUPS: Final = Path("/sys/fs/cgroup")
START_SECONDS: Final = 60
STOP_SECONDS: Final = guard.GRACE_SECONDS + 15
_BEGAN: Final = time.monotonic()


class NoEngineError(Exception):
    """No Docker engine can be used here; says why, and what would help."""


def say(words: str) -> None:
    """Print what goes on, and since when."""
    print(f"[{time.monotonic() - _BEGAN:4.0f} s] {words}", flush=True)  # noqa: T201 - a command


def install_packages() -> None:
    """Install Debian's packages for what is missing: the engine, compose, debootstrap.

    Raises:
        NoEngineError: An engine is missing, and it cannot be installed here.
    """
    silent = engine.why_no_engine()
    missing = [name for name in (ENGINE if silent else ()) if shutil.which(name) is None]
    useful = [] if engine.compose_commands() else ["docker compose"]
    if shutil.which("debootstrap") is None and (silent or not standins.official()):
        useful.append("debootstrap")
    if not missing and not useful:
        return
    absent = ", ".join([*missing, *useful])
    why: str | None
    if getuid() or shutil.which("apt-get") is None:
        why = f"not installed: {absent}; only root on Debian installs it"
    else:
        say(f"not installed: {absent}; apt-get install {' '.join(PACKAGES)}")
        why = _apt_get_install()
    if why and missing:
        raise NoEngineError(f"{silent}; {why}")
    if why:
        say(why)


def _apt_get_install() -> str | None:
    """Return why the packages cannot be installed; None where they now are."""
    told = environment(load()) | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        engine.run("apt-get", "update", "-q", environment=told)
        engine.run("apt-get", "install", "-q", "-y", *PACKAGES, environment=told)
    except (DockerError, subprocess.TimeoutExpired) as error:
        return f"apt-get failed: {error}"
    engine.compose_commands.cache_clear()
    return None


@contextmanager
def an_engine() -> Iterator[dict[str, str]]:
    """Give the environment in which docker finds an engine: one that answers, else our own.

    Our own has its socket where nobody else looks for it, and keeps its images beside the
    embedded broker's data from one run to the next.

    Raises:
        NoEngineError: None answers, and ours does not start.
    """
    told = environment(load())
    why = engine.why_no_engine()
    if why is None:
        yield told
        return
    if getuid():
        raise NoEngineError(f"{why}; only root starts one")
    say(f"{why}; starting one")
    if not CGROUPS.is_mount() and shutil.which("cgroupfs-mount"):  # no systemd: nobody did it yet
        engine.run("cgroupfs-mount", check=False)
    with tempfile.TemporaryDirectory(prefix="gw-docker-") as scratch:
        home, log = Path(scratch), Path(scratch) / "dockerd.log"
        told["DOCKER_HOST"] = f"unix://{home}/docker.sock"
        # Under a guard: the engine ends with us, even if we are killed.
        command = [
            sys.executable, "-I", "-S", guard.__file__, str(getpid()),
            "dockerd", "--host", told["DOCKER_HOST"], "--pidfile", f"{home}/docker.pid",
            "--exec-root", f"{home}/run", "--data-root", str(load().data_dir / "docker"),
        ]  # fmt: skip
        with log.open("wb") as output:
            daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output)
        try:
            _await_answer(daemon, told, log)
            yield told
        finally:
            daemon.terminate()
            try:
                daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _await_answer(daemon: subprocess.Popen[bytes], told: dict[str, str], log: Path) -> None:
    """Return once the engine answers.

    Raises:
        NoEngineError: It ended, or did not answer in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        if engine.why_no_engine(told) is None:
            say("the engine answers")
            return
        time.sleep(0.5)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise NoEngineError(f"dockerd did not start here; its last words:\n{last}")


def main(arguments: list[str]) -> int:
    """Run the tests with all at hand that can be.

    Args:
        arguments: For pytest.

    Returns:
        pytest's exit code, also where no test was found (5); 0 where no engine can run.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # our engine ends too
    tree = tiers.tree()
    try:
        install_packages()
        with an_engine() as told:
            images = [sys.executable, "-m", standins.__name__]
            if subprocess.run(images, env=told, check=False).returncode:
                say("an image could not be made: no test runs")
                return 1
            say("pytest -m containers")
            tests = [sys.executable, "-m", "pytest", "-m", "containers", "tests/containers"]
            code = subprocess.run([*tests, *arguments], env=told, check=False).returncode
    except NoEngineError as error:
        say(f"{TIER}: skipped, no test ran: {error}")
        return 0
    if code == 0 and not arguments:
        tiers.passed(TIER, tree)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
