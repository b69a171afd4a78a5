"""Docker's command line, as these tests use it: the engine found, and its commands run."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_SECONDS: Final = 20
"""What an engine may take to say that it is there."""


class DockerError(Exception):
    """A command of Docker's failed; its own last words say why."""


def run(
    *command: str,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    seconds: float = 600,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Return a command that ended, with what it said.

    Raises:
        DockerError: It failed, and that was to be told (``check``).
    """
    done = subprocess.run(
        command, env=environment, cwd=directory, timeout=seconds,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if check and done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise DockerError(f"{' '.join(command)}: exit {done.returncode}\n" + "\n".join(said[-30:]))
    return done


def docker(*words: str, seconds: float = 600) -> str:
    """Return what a docker command wrote to its standard output, without the last line's end.

    Raises:
        DockerError: It failed.
    """
    return run("docker", *words, seconds=seconds).stdout.strip()


def why_no_engine(environment: Mapping[str, str] | None = None) -> str | None:
    """Return why no Docker engine can be used here; None where one answers."""
    if shutil.which("docker") is None:
        return "no docker command: make test-containers installs one on Debian, as root"
    ask = ("docker", "version", "--format", "{{.Server.Version}}")
    try:
        run(*ask, environment=environment, seconds=ANSWER_SECONDS)
    except (DockerError, subprocess.TimeoutExpired) as error:
        return f"no Docker engine answers: {str(error).splitlines()[-1]}"
    return None


@cache
def compose_commands() -> tuple[tuple[str, ...], ...]:
    """Return what can read a compose file here: Docker's plugin, then the classic command."""
    docker_is_here = shutil.which("docker") is not None
    plugin = docker_is_here and run("docker", "compose", "version", check=False).returncode == 0
    classic = shutil.which("docker-compose") is not None
    return (("docker", "compose"),) * plugin + (("docker-compose",),) * classic


def has_image(name: str) -> bool:
    """Tell whether the engine has an image already."""
    return run("docker", "image", "inspect", name, check=False).returncode == 0
