"""Scores are open on loopback to this machine alone, elsewhere to the bearer of the token only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.errors import ConfigurationError
from streams.settings import load
from streams.web.access import Access, granted
from streams.web.views import Problem

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of this test
LOCAL = {"Host": "127.0.0.1:6066"}


def a_token_file(tmp_path: Path, text: str = TOKEN, mode: int = 0o600) -> Path:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


def refused(access: Access, path: str, headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(Problem) as told:
        access.check(path, headers)
    return told.value.status, told.value.code


def test_loopback_needs_no_token() -> None:
    granted(load()).check("/api/v1/students/48", LOCAL)


def test_another_address_without_a_token_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="GRADEWATCH_WEB_TOKEN_FILE"):
        granted(load(web_host="0.0.0.0"))  # noqa: S104 - that is refused


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
        granted(load(web_token_file=a_token_file(tmp_path, text, mode)))
    assert text not in str(told.value)


def test_a_missing_token_file_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        granted(load(web_token_file=tmp_path / "none"))


@pytest.mark.parametrize("path", ["/api/v1/students/48", "/metrics", "/nothing"])
@pytest.mark.parametrize("shown", [None, "Bearer wrong", f"Basic {TOKEN}", "Bearer", f"{TOKEN}"])
def test_everything_but_the_probes_needs_the_token(
    tmp_path: Path, path: str, shown: str | None
) -> None:
    access = granted(load(web_token_file=a_token_file(tmp_path)))
    headers = LOCAL | ({"Authorization": shown} if shown else {})

    assert refused(access, path, headers) == (401, "unauthorized")
    access.check("/livez", headers)
    access.check("/readyz", headers)
    access.check(path, LOCAL | {"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.parametrize("host", ["grades.example", "127.0.0.1.example", "", "[", "10.0.0.1"])
def test_on_loopback_another_host_name_is_misdirected(host: str) -> None:
    access = Access(None, loopback=True)

    assert refused(access, "/livez", {"Host": host}) == (421, "misdirected_request")
