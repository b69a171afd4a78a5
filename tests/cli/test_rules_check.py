"""``gradewatch rules check`` says what is wrong or odd with its place, and by its exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.settings import shipped

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "rules: [{id: drop-10, kind: score_drop, points: 10, severity: warning}]\n"
ODD = "rules: []\n"
WRONG = "rules:\n- {id: drop-10, kind: score_drop, points: 10, severity: loud}\ngraze: 1h\n"


def run(*arguments: str | Path, **environment: str) -> Result:
    done = CliRunner(env=environment).invoke(
        cli, ["rules", *map(str, arguments)], standalone_mode=False
    )
    assert done.exception is None
    return done


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


def test_a_good_file_is_valid_and_its_hash_told(file: Path) -> None:
    file.write_text(GOOD)
    done = run("check", file)

    assert done.return_value == 0
    assert done.stdout == f"{file}: 1 rule, hash 4f2d8bb654cf8d9c: valid\n"
    assert done.stderr == ""


def test_all_that_is_wrong_is_told(file: Path) -> None:
    file.write_text(WRONG)
    done = run("check", file)

    assert done.return_value == 78
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"error: {file}:2:57: severity: must be 'info', 'warning' or 'critical'",
        f"error: {file}:3:1: unknown key 'graze', did you mean 'grace'?",
    ]


@pytest.mark.parametrize(("flags", "code"), [([], 0), (["--strict"], 2)])
def test_what_is_odd_fails_only_a_strict_check(flags: list[str], code: int, file: Path) -> None:
    file.write_text(ODD)
    done = run("check", file, *flags)

    assert done.return_value == code
    assert done.stderr == f"warning: {file}:1:8: no rule: nothing alerts\n"
    assert done.stdout.endswith(": valid, 1 odd\n")


def test_every_file_is_checked_and_the_worst_counts(file: Path, tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("good.yaml", "odd.yaml", "missing.yaml")]
    file.write_text(WRONG)
    others[0].write_text(GOOD)
    others[1].write_text(ODD)
    done = run("check", "--strict", file, *others)

    assert done.return_value == 78
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        str(others[0]), str(others[1]),
    ]  # fmt: skip
    assert f"error: {others[2]}: cannot be read: No such file or directory\n  next: " in done.stderr


def test_without_a_file_that_of_the_settings_is_checked(file: Path) -> None:
    file.write_text(GOOD)

    assert run("check", GRADEWATCH_RULES=str(file)).stdout.startswith(f"{file}: 1 rule")
    assert run("check", "--strict").stdout.startswith(f"{shipped('rules.yaml')}: ")


def test_text_that_is_not_utf_8_is_told_with_its_place(file: Path) -> None:
    file.write_bytes(b"rules: []\n# \xff\n")

    assert run("check", file).stderr == f"error: {file}:2:3: not UTF-8 text\n"


def test_the_schema_is_shown_as_json() -> None:
    shown = json.loads(run("schema").stdout)

    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(shown["properties"]) == {"grace", "rules"}
