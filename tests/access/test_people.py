"""The access file holds hashes alone, is never half written, and says what is wrong with it."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING

import pytest

from streams.access import people
from streams.access.people import Assignment, Named, People, Relation
from streams.access.roles import Role
from streams.errors import ConfigurationError
from tests.access.files import TOKENS, a_person, everybody, written

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_saved_is_loaded_and_holds_no_token(tmp_path: Path) -> None:
    file = written(tmp_path)

    assert people.load(file) == everybody()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [name for name, token in TOKENS.items() if token in file.read_text()]


def test_a_global_id_is_known_by_either_spelling() -> None:
    told = everybody(advises=["21070000000000048"])

    ada = told.by_token()[people.hashed(TOKENS["ada"])]
    assert ada.students == frozenset({"48", "21070000000000048"})


@pytest.mark.parametrize("tenant", [None, "t"])
def test_nobody_sees_in_one_tenant_who_is_theirs_in_another(tenant: str | None) -> None:
    told = People(
        people=(a_person("ada", tenant),),
        assignments=tuple(
            Assignment(name="ada", relation=Relation.ADVISES, tenant=whose, id=number)
            for whose, number in (("t", "48"), ("u", "49"))
        ),
    )
    ada = told.by_token()[people.hashed(TOKENS["ada"])]
    assert ada.sees("t", "48", "565")
    assert not ada.sees("t", "49", "565")
    assert not ada.sees("u", "49", "565")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "local"}, "nobody can be given the role local"),
        ({"role": "student"}, "a student has a tenant and a student_id"),
        ({"student_id": "48"}, "only a student has a student_id"),
        ({"name": "no spaces"}, "name"),
        ({"token_sha256": "abc"}, "token_sha256"),
        ({"token": "abc"}, "token: Extra inputs"),
        ({"role": "student", "tenant": "t", "student_id": "x"}, "an id is a number"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_repeats_nothing(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    file = written(tmp_path, People(people=(a_person("etl"),)))
    told = json.loads(file.read_text())
    told["people"][0] |= change
    file.write_text(json.dumps(told))

    with pytest.raises(ConfigurationError, match=message) as raised:
        people.load(file)
    assert "people.0" in str(raised.value)
    assert not [value for value in change.values() if repr(value) in str(raised.value)]


def test_a_file_open_to_every_user_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.chmod(0o644)

    with pytest.raises(ConfigurationError, match="open to every user"):
        people.load(file)


def test_many_who_add_at_once_lose_nobody(tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    adding = [
        multiprocessing.get_context("fork").Process(target=_add, args=(file, f"p{n}"))
        for n in range(8)
    ]
    for each in adding:
        each.start()
    for each in adding:
        each.join(30)

    assert {one.name for one in people.load(file).people} == {f"p{n}" for n in range(8)}


def _add(file: Path, name: str) -> None:
    one = Named(name=name, role=Role.OPERATOR, token_sha256=people.hashed(name))
    with people.editing(file) as told:
        told[0] = told[0].model_copy(update={"people": (*told[0].people, one)})
