"""``make tiers`` says which tiers passed on this very tree; a narrowed run is recorded nowhere."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import tiers

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = (tiers.ROOT / "Makefile").read_text()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A work tree with one file, committed."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text(".tiers/\n")
    (tmp_path / "a.py").write_text("A = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one file")
    return tmp_path


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.edu")
    command = ["git", "-C", str(root), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def line_of(root: Path, tier: str) -> str:
    [line] = [line for line in tiers.report(root) if line.startswith(f"{tier}: ")]
    return line


def test_the_tree_is_what_a_commit_of_everything_would_have(root: Path) -> None:
    assert tiers.tree(root) == git(root, "rev-parse", "HEAD^{tree}")
    (root / "a.py").write_text("A = 2\n")
    (root / "new.py").write_text("B = 1\n")
    staged = git(root, "diff", "--cached", "--name-only")

    found = tiers.tree(root)

    assert git(root, "diff", "--cached", "--name-only") == staged == ""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "more")
    assert found == git(root, "rev-parse", "HEAD^{tree}")


def test_a_tier_that_passed_is_fresh_until_any_file_changes(root: Path) -> None:
    assert line_of(root, "test") == "test: stale: never passed here"
    tiers.start("test", root)

    assert tiers.passed("test", root=root).startswith("test: passed on this tree")

    passed_on = tiers.tree(root)
    assert line_of(root, "test") == "test: passed on this tree"
    assert line_of(root, "test-crash") == "test-crash: stale: never passed here"
    (root / "new.md").write_text("# New\n")
    assert line_of(root, "test").startswith(f"test: stale: last passed on tree {passed_on[:12]},")
    (root / "new.md").unlink()
    assert line_of(root, "test") == "test: passed on this tree"


def test_a_tree_that_changed_while_the_tier_ran_is_not_recorded(root: Path) -> None:
    tiers.start("test", root)
    (root / "a.py").write_text("A = 2\n")

    assert tiers.passed("test", root=root) == (
        "test: passed; not recorded, as files changed while it ran"
    )
    assert line_of(root, "test") == "test: stale: never passed here"


def test_without_git_nothing_is_recorded_and_nothing_fails(tmp_path: Path) -> None:
    tiers.start("test", tmp_path)

    assert "no git work tree" in tiers.passed("test", root=tmp_path)
    assert line_of(tmp_path, "test") == "test: stale: never passed here"


def test_a_run_that_is_narrowed_is_not_recorded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "ROOT", root)
    started = (root / ".tiers" / "test.begun",)
    tiers.start("test", root)

    assert tiers.main(["passed", "test", "-k", "name"]) == 0

    assert not any(path.exists() for path in started)
    assert line_of(root, "test") == "test: stale: never passed here"


@pytest.mark.parametrize("tier", ["test", "test-crash"])
def test_the_makefile_records_a_tier_only_after_every_command_of_it(tier: str) -> None:
    recipe = MAKEFILE.split(f"\n{tier}: ")[1].split("\n\n")[0].splitlines()[1:]

    assert recipe[0] == "\t@$(TIER) start $@"
    assert recipe[-1] == "\t@$(TIER) passed $@ $(NARROWED)"
    assert not [line for line in recipe if line.startswith("\t-") or " exec " in line]


def test_ci_runs_the_test_command_of_the_readme_and_then_the_containers() -> None:
    [command] = re.findall(
        r"^(make test\S*) ", (tiers.ROOT / "README.md").read_text(), re.MULTILINE
    )
    ci = (tiers.ROOT / ".ci" / "run").read_text().splitlines()

    assert [line for line in ci if line.startswith("make ")] == [command, "make test-containers"]
    assert "set -euo pipefail" in ci, "the first failure must be the run's"
