"""The tree keeps the shape it promises: small modules, one configuration file, imports that do
nothing, no drawer for odds and ends."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "streams").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_over_500_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


def test_nothing_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}

    assert [path for path in MODULES if drawers & {path.stem, path.parent.name}] == []


def test_pyproject_is_the_only_tool_configuration() -> None:
    strays = ["ruff.toml", ".ruff.toml", "mypy.ini", "setup.cfg", "setup.py", "pytest.ini",
              "tox.ini", ".importlinter", ".flake8"]  # fmt: skip

    assert [name for name in strays if (ROOT / name).exists()] == []


def test_importing_everything_opens_no_socket_and_makes_no_app() -> None:
    """An audit hook in a fresh interpreter sees what our own modules do when they are imported."""
    script = """
import importlib, pathlib, sys
paths = [path for path in sorted(pathlib.Path("streams").rglob("*.py")) if path.stem != "__main__"]
names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]
for name in names:  # what libraries do is their business: load them first
    importlib.import_module(name)
for name in names:
    sys.modules.pop(name, None)
seen = []
def hook(event, args):
    if event in {"socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir"}:
        seen.append(event)
sys.addaudithook(hook)
for name in names:
    module = importlib.import_module(name)
    apps = [n for n, v in vars(module).items() if type(v).__name__ in {"App", "BatchApp"}]
    seen.extend(f"{name}.{app}" for app in apps)
sys.exit(" ".join(seen) or 0)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")
