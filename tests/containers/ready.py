"""``make test-containers``: a Docker engine, the images, then the tests marked ``containers``.

What is missing is brought: Debian's packages where we are root, an engine of our own where none
answers, stand-ins where no image registry can be reached. Our engine ends with the tests.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from os import getuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.settings import environment, load
from tests.containers import engine, standins
from tests.containers.engine import DockerError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES: Final = ("docker.io", "docker-compose", "debootstrap", "iptables")
COMMANDS: Final = ("docker", "debootstrap", "iptables")
CGROUPS: Final = Path("/sys/fs/cgroup")
START_SECONDS: Final = 60
STOP_SECONDS: Final = 30
_BEGAN: Final = time.monotonic()


def say(words: str) -> None:
    """Print what goes on, and since when."""
    print(f"[{time.monotonic() - _BEGAN:4.0f} s] {words}", flush=True)  # noqa: T201 - a command


def install_packages() -> None:
    """Docker, compose and debootstrap are installed, where that can be done here."""
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if not missing and engine.compose_commands():
        return
    if getuid() or shutil.which("apt-get") is None:
        say(
            f"not installed: {', '.join(missing) or 'docker compose'}; only done on Debian, as root"
        )
        return
    say(f"apt-get install {' '.join(PACKAGES)}")
    told = environment(load()) | {"DEBIAN_FRONTEND": "noninteractive"}
    engine.run("apt-get", "update", "-q", environment=told)
    engine.run("apt-get", "install", "-q", "-y", *PACKAGES, environment=told)
    engine.compose_commands.cache_clear()


@contextmanager
def an_engine() -> Iterator[dict[str, str]]:
    """Give the environment in which docker finds an engine, if one can run here.

    One of our own has its socket where nobody else looks for it, and keeps its images beside the
    embedded broker's data from one run to the next.
    """
    told = environment(load())
    why = engine.why_no_engine()
    if why is None or getuid() or shutil.which("dockerd") is None:
        yield told
        return
    say(f"{why}; starting one")
    if not CGROUPS.is_mount() and shutil.which("cgroupfs-mount"):  # no systemd: nobody did it yet
        engine.run("cgroupfs-mount", check=False)
    with tempfile.TemporaryDirectory(prefix="gw-docker-") as scratch:
        home, log = Path(scratch), Path(scratch) / "dockerd.log"
        told["DOCKER_HOST"] = f"unix://{home}/docker.sock"
        command = [
            "dockerd", "--host", told["DOCKER_HOST"], "--pidfile", f"{home}/docker.pid",
            "--exec-root", f"{home}/run", "--data-root", str(load().data_dir / "docker"),
        ]  # fmt: skip
        with log.open("wb") as output:
            daemon = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _await_answer(daemon, told)
            yield told
        finally:
            daemon.terminate()
            try:
                daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
            if daemon.returncode:
                say("the engine's last words:\n" + "\n".join(log.read_text().splitlines()[-5:]))


def _await_answer(daemon: subprocess.Popen[bytes], told: dict[str, str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    asked = ("docker", "version", "--format", "{{.Server.Version}}")
    while time.monotonic() < deadline and daemon.poll() is None:
        done = engine.run(*asked, environment=told, check=False)
        if done.returncode == 0:
            say(f"dockerd {done.stdout.strip()} answers, pid {daemon.pid}")
            return
        time.sleep(0.5)
    say("the engine did not start: the tests are skipped")


def main(arguments: list[str]) -> int:
    """Return pytest's exit code, with everything at hand that can be."""
    try:
        install_packages()
    except DockerError as error:
        say(str(error))
    with an_engine() as told:
        images = [sys.executable, "-m", standins.__name__]
        if subprocess.run(images, env=told, check=False).returncode == 0:
            say("pytest -m containers")
        tests = [sys.executable, "-m", "pytest", "-m", "containers", "tests/containers"]
        return subprocess.run([*tests, *arguments], env=told, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
