"""Only who has a token is let in, while they have it; a session is as good as its token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.access import people
from streams.access.doors import Denied, Door
from streams.access.roles import ANYBODY_HERE, Person, Role
from streams.errors import ConfigurationError
from streams.settings import load
from tests.access.files import ID_KEY, TOKENS, everybody, written

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of this test
NOW = 1_770_000_000.0


def bearer(token: str) -> str:
    return f"Bearer {token}"


def a_door(folder: Path, token: str | None = TOKEN) -> Door:
    told: dict[str, Any] = {"access_file": written(folder), "id_key": ID_KEY}
    if token is not None:
        told["web_token_file"] = a_token_file(folder, token)
    return Door(load(**told))


def a_token_file(folder: Path, text: str = TOKEN, mode: int = 0o600) -> Path:
    file = folder / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


def denied(door: Door, authorization: str | None, cookie: str | None, now: float = NOW) -> str:
    with pytest.raises(Denied) as told:
        door.person(authorization, cookie, now)
    return told.value.message


def test_on_loopback_nobody_has_to_say_who_they_are() -> None:
    door = Door(load())

    assert (door.asks, door.person(None, None, NOW)) == (False, ANYBODY_HERE)


def test_another_address_where_nobody_is_asked_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="GRADEWATCH_ACCESS_FILE"):
        Door(load(web_host="0.0.0.0"))  # noqa: S104 - that is refused


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (TOKEN, 0o604, "open to every user"),
        ("short", 0o600, "fewer than 16"),
        ("two words are not a token", 0o600, "one line"),
    ],
)
def test_a_token_file_that_is_not_safe_does_not_start(
    tmp_path: Path, text: str, mode: int, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as told:
        Door(load(web_token_file=a_token_file(tmp_path, text, mode), id_key=ID_KEY))
    assert text not in str(told.value)


def test_a_missing_file_does_not_start(tmp_path: Path) -> None:
    for setting in ("web_token_file", "access_file"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            Door(load(id_key=ID_KEY, **{setting: tmp_path / "none"}))


@pytest.mark.parametrize("setting", ["web_token_file", "access_file"])
def test_with_the_published_key_nobody_is_kept_out_so_it_does_not_start(
    tmp_path: Path, setting: str
) -> None:
    files = {"web_token_file": a_token_file(tmp_path), "access_file": written(tmp_path)}
    told: dict[str, Any] = {setting: files[setting]}

    with pytest.raises(ConfigurationError, match="published development key") as raised:
        Door(load(**told))
    assert raised.value.exit_code == 78
    assert "openssl rand -hex 32 > id-key" in str(raised.value)
    assert "GRADEWATCH_ID_KEY_FILE" in str(raised.value)
    assert Door(load(**told, id_key=ID_KEY)).asks
    with pytest.raises(ConfigurationError, match="published development key"):
        Door(load(**told, web_host="0.0.0.0"))  # noqa: S104 - that is refused


def test_everybody_is_known_by_their_token_and_by_nothing_else(tmp_path: Path) -> None:
    door = a_door(tmp_path)

    assert door.person(bearer(TOKEN), None, NOW).role is Role.SERVICE
    assert door.person(bearer(TOKENS["ada"]), None, NOW) == Person(
        "ada", Role.ADVISOR, "t", students=frozenset({"48"})
    )
    assert door.person(bearer(TOKENS["ines"]), None, NOW).courses == frozenset({"565"})
    assert door.person(bearer(TOKENS["stu"]), None, NOW).students == frozenset({"48"})
    assert door.person(bearer(TOKENS["lone"]), None, NOW).students == frozenset()
    hashed = people.hashed(TOKENS["ada"])
    for shown in (
        None,
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        bearer("ada"),
        bearer(hashed),
    ):
        denied(door, shown, None)


@pytest.mark.parametrize("name", ["ada", "service"])
def test_a_session_is_the_person_until_it_expires(tmp_path: Path, name: str) -> None:
    door = a_door(tmp_path)
    token = TOKENS.get(name, TOKEN)
    cookie = door.sign_in(token, NOW)

    assert token not in cookie
    assert door.person(None, cookie, NOW) == door.person(bearer(token), None, NOW)
    assert door.person(None, cookie, NOW + 12 * 3600 - 1).name == name
    assert "over" in denied(door, None, cookie, NOW + 12 * 3600 + 1)
    denied(door, bearer("wrong"), cookie)  # a token counts for more


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_session_changed_in_any_character_is_none(tmp_path: Path, data: st.DataObject) -> None:
    door = a_door(tmp_path)
    cookie = door.sign_in(TOKENS["ada"], NOW)
    at = data.draw(st.integers(0, len(cookie) - 1))
    other = data.draw(st.characters(exclude_characters=cookie[at], codec="latin-1"))

    denied(door, None, cookie[:at] + other + cookie[at + 1 :])


@given(st.text(max_size=60))
def test_what_is_no_session_is_denied_and_never_fails(cookie: str) -> None:
    door = Door(load())
    door.asks = True
    denied(door, None, cookie)


def test_a_session_ends_with_its_token(tmp_path: Path) -> None:
    door = a_door(tmp_path)
    cookie = door.sign_in(TOKENS["ada"], NOW)
    told = everybody()
    renewed = told.one("ada").model_copy(update={"token_sha256": people.hashed("another-token")})
    kept = tuple(one for one in told.people if one.name != "ada")
    for changed in (kept, (*kept, renewed)):
        people.save(tmp_path / "access.json", told.model_copy(update={"people": changed}))
        asyncio.run(door.look())
        denied(door, None, cookie)
        denied(door, bearer(TOKENS["ada"]), None)


def test_a_file_that_is_wrong_or_gone_changes_nobody_and_is_told_of(tmp_path: Path) -> None:
    door = a_door(tmp_path)
    file = tmp_path / "access.json"
    for spoil in (lambda: file.write_text("{"), file.unlink):
        spoil()
        asyncio.run(door.look())
        assert door.person(bearer(TOKENS["ada"]), None, NOW).name == "ada"
        assert "not in force" in door.warnings()[0]
    people.save(file, everybody(advises=["50"]))
    asyncio.run(door.look())
    assert door.person(bearer(TOKENS["ada"]), None, NOW).students == frozenset({"50"})
    assert door.warnings() == []
