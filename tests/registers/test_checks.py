"""Each strict check of ``make check`` is seen failing on a deliberate violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the checks read, to be spoilt."""
    shutil.copytree(ROOT / "streams", tmp_path / "streams")
    for name in ("pyproject.toml", "topics.yaml", "rules.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def fails(copy: Path, *command: str) -> str:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=copy, env={"PATH": str(BIN), "PYTHONPATH": str(copy), "HOME": str(copy)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0, "the check let a violation pass"
    return done.stdout + done.stderr


def spoil(copy: Path, module: str, line: str) -> None:
    path = copy / "streams" / module
    path.write_text(
        path.read_text().replace("\n\nif TYPE_CHECKING", f"\n{line}\n\nif TYPE_CHECKING", 1)
        if "\n\nif TYPE_CHECKING" in path.read_text()
        else path.read_text() + line + "\n"
    )


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/scores.py", "import faust", "The core knows no Kafka"),
        ("core/events.py", "import os", "The core knows no Kafka"),
        ("core/events.py", "from streams.core import scores", "Data flows one way"),
        ("core/scores.py", "from streams import settings", "Data flows one way"),
        ("worker.py", "from streams import web", "Data flows one way"),
        ("engine/routing.py", "from streams.core import events", "The engine knows nothing"),
    ],
)
def test_an_import_against_the_flow_breaks_its_contract(
    copy: Path, module: str, line: str, contract: str
) -> None:
    spoil(copy, module, line)

    told = fails(copy, "lint-imports", "--no-cache").replace("\n", " ")
    assert f"{contract}" in told
    assert "BROKEN" in told


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n", "TID251"),
        ("import os\n\nHOME = os.environ['HOME']\n", "TID251"),
        ("def public(x: int) -> int:\n    return x\n", "D103"),
        ("def f() -> None:\n    raise Exception('no')\n", "TRY002"),
        ("DATA = open('x').read()\n", "SIM115"),
    ],
)
def test_ruff_refuses_what_the_house_forbids(copy: Path, text: str, code: str) -> None:
    (copy / "streams" / "wrong.py").write_text(text)

    assert code in fails(copy, "ruff", "check", "--no-cache", "streams/wrong.py")


def test_ruff_refuses_a_file_that_is_not_formatted(copy: Path) -> None:
    (copy / "streams" / "wrong.py").write_text("x = {  'a':1 }\n")

    assert "wrong.py" in fails(copy, "ruff", "format", "--check", "--no-cache", "streams")


def test_mypy_refuses_a_wrong_type(copy: Path) -> None:
    (copy / "wrong.py").write_text("def f(x: int) -> str:\n    return x\n")

    told = fails(copy, "mypy", "--config-file", "pyproject.toml", "--no-incremental", "wrong.py")
    assert "return-value" in told


def test_a_doctest_that_is_wrong_fails(copy: Path) -> None:
    (copy / "wrong.py").write_text('"""Say.\n\n>>> 1 + 1\n3\n"""\n')

    assert "Expected" in fails(copy, "pytest", "-q", "-p", "no:cacheprovider", "wrong.py")
