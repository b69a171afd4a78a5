"""``gradewatch access``: a token is shown once and kept nowhere; a wrong line changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from streams.access import people
from streams.access.people import Relation
from streams.cli.access import access
from streams.errors import ConfigurationError, GradewatchError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(file: Path, *words: str) -> Result:
    return CliRunner().invoke(access, [*words, "--file", str(file)], catch_exceptions=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An access file with an advisor, an instructor and a student."""
    file = tmp_path / "access.json"
    for words in (
        ("ada", "--role", "advisor", "--tenant", "t"),
        ("ines", "--role", "instructor", "--tenant", "t"),
        ("stu", "--role", "student", "--tenant", "t", "--student", "48"),
    ):
        assert run(file, "add", *words).exit_code == 0
    return file


def csv(tmp_path: Path, *lines: str) -> str:
    table = tmp_path / "assigned.csv"
    table.write_text("\n".join(["name,relation,tenant,id", *lines]) + "\n")
    return str(table)


def test_the_token_is_alone_on_stdout_and_its_hash_alone_in_the_file(file: Path) -> None:
    result = run(file, "add", "etl", "--role", "service")
    token = result.stdout.strip()

    assert len(token) == 43
    assert token not in file.read_text()
    assert people.load(file).by_token()[people.hashed(token)].name == "etl"


def test_a_new_token_ends_the_old_one(file: Path) -> None:
    before = people.load(file).one("ada")
    token = run(file, "add", "ada", "--renew").stdout.strip()

    after = people.load(file).one("ada")
    assert after == before.model_copy(update={"token_sha256": people.hashed(token)})
    assert before.token_sha256 not in people.load(file).by_token()


@pytest.mark.parametrize(
    "words",
    [
        ("bea",),
        ("bea", "--role", "student"),
        ("b e a", "--role", "advisor"),
        ("bea", "--role", "x"),
    ],
)
def test_who_cannot_be_is_not_added(file: Path, words: tuple[str, ...]) -> None:
    before = file.read_bytes()

    assert run(file, "add", *words).exit_code == 2
    assert file.read_bytes() == before


def test_nobody_is_called_as_somebody_is(file: Path) -> None:
    with pytest.raises(GradewatchError, match="somebody is called ada"):
        run(file, "add", "ada", "--role", "operator")


def test_who_is_revoked_is_gone_with_their_assignments(file: Path, tmp_path: Path) -> None:
    run(file, "assign", csv(tmp_path, "ada,advises,t,48", "ines,teaches,t,565"))
    run(file, "revoke", "ada")

    told = people.load(file)
    assert [one.name for one in told.people] == ["ines", "stu"]
    assert [one.relation for one in told.assignments] == [Relation.TEACHES]
    with pytest.raises(NotFoundError, match="nobody is called ada"):
        run(file, "revoke", "ada")


def test_the_list_tells_everybody_and_no_hash(file: Path, tmp_path: Path) -> None:
    run(file, "assign", csv(tmp_path, "ada,advises,t,48", "ada,advises,t,49"))
    told = run(file, "list").stdout

    assert "ada   advisor     t       2 students" in told
    assert [one.name for one in people.load(file).people if one.token_sha256[:8] in told] == []


def test_a_file_stands_for_all_assignments(file: Path, tmp_path: Path) -> None:
    run(file, "assign", csv(tmp_path, "ada,advises,t,48"))
    dry = run(file, "assign", "--dry-run", csv(tmp_path, "ada,advises,t,49"))
    assert "1 assignments would be in force: 1 new, 1 gone" in dry.stdout
    assert [one.id for one in people.load(file).assignments] == ["48"]
    run(file, "assign", csv(tmp_path, "ada,advises,t,49"))
    assert [one.id for one in people.load(file).assignments] == ["49"]


def test_every_wrong_line_is_named_and_nothing_changes(file: Path, tmp_path: Path) -> None:
    wrong = {
        "ada,advises,t,x": "id: an id is a number",
        "bob,advises,t,48": "name: nobody is called so",
        "ines,advises,t,48": "relation: advises is for the role advisor",
        "ada,teaches,t,565": "relation: teaches is for the role instructor",
        "ada,advises,u,48": "tenant: a person is of one tenant",
        "ada,likes,t,48": "relation: Input should be",
        "ada,advises,t": "must have 4 fields",
        "ada,advises,t,48,1": "must have 4 fields",
        "ada,advises,t,48": "",
        "ada,advises,t, 48": "the same as line 10",
    }
    before = file.read_bytes()
    with pytest.raises(ConfigurationError) as told:
        run(file, "assign", csv(tmp_path, *wrong))
    for line, message in enumerate(wrong.values(), 2):
        assert (f"assigned.csv:{line}: {message}" in str(told.value)) is bool(message)
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ["", "name,id\n", 'name,relation,tenant,id\n"ada', "\x00"])
def test_what_is_no_table_is_refused(file: Path, tmp_path: Path, text: str) -> None:
    table = tmp_path / "wrong.csv"
    table.write_text(text)
    with pytest.raises(ConfigurationError, match=r"wrong\.csv:"):
        run(file, "assign", str(table))
