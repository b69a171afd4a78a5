"""The image's wheel, built without Docker from what the Dockerfile copies, holds all it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from streams.cli.demo import RULES as DEMO_RULES

ROOT = Path(__file__).parents[2]
DATA = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "streams").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
"""Every file of the package, templates and jar checksums included."""

SHIPPED = {"streams/topics.yaml", "streams/rules.yaml"} | {
    f"streams/rules/{path.name}" for path in (ROOT / "rules").iterdir()
}
"""What stands at the top of the repository, and inside the package once it is installed."""


class Copy(NamedTuple):
    """One ``COPY`` of the builder stage: files and folders of the repository, and where to."""

    sources: list[str]
    target: str


def builder_copies(dockerfile: str) -> list[Copy]:
    """Return every ``COPY`` from the repository, in order."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    return [Copy(words[:-1], words[-1]) for words in map(str.split, lines)]


def copied(copies: list[Copy], target: Path) -> Path:
    """Copy as ``docker build`` would: a folder's content goes into the folder that is named."""
    for copy in copies:
        for source in copy.sources:
            to = target / copy.target
            if (ROOT / source).is_dir():
                shutil.copytree(
                    ROOT / source, to, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__"),
                )  # fmt: skip
            else:
                shutil.copy(ROOT / source, to / source if copy.target.endswith("/") else to)
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, as ``pip install`` lays it out."""
    scratch = tmp_path_factory.mktemp("image")
    (scratch / "build").mkdir()
    build = copied(builder_copies((ROOT / "Dockerfile").read_text()), scratch / "build")
    # The same command as in the Dockerfile; cwd is the copy, so nothing else can be found.
    command = "-m pip wheel --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir"
    done = subprocess.run(
        [sys.executable, *command.split(), str(scratch), "."],
        cwd=build, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "installed")
    return scratch / "installed"


def test_the_wheel_holds_every_file_of_the_package_and_what_is_shipped_with_it(
    installed: Path,
) -> None:
    held = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}

    assert DATA - held == set()
    assert SHIPPED - held == set()


def test_what_is_shipped_is_found_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Commands and pages use the wheel alone: this repository is not on the path."""

    def said(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path, env={"PYTHONPATH": str(installed), "HOME": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert str(installed / "streams/topics.yaml") in said("-m", "streams", "topics", "validate")
    assert str(installed / "streams/rules.yaml") in said("-m", "streams", "rules", "check")
    demo = f"from streams.settings import shipped; print(shipped({DEMO_RULES!r}))"
    assert said("-c", demo).strip() == str(installed / "streams" / DEMO_RULES)
    pages = "from streams.pages import render; print(*render._environment().list_templates())"
    assert "student.html" in said("-c", pages).split()
