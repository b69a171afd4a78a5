"""Who is counted as who: no caller's bucket is emptied by others, no header chooses a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from streams.errors import ConfigurationError
from streams.settings import load
from streams.web.callers import Callers
from tests.access.files import TOKENS
from tests.web.served import served

if TYPE_CHECKING:
    from pathlib import Path

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


class Asking:
    """A request, as far as its address goes."""

    def __init__(self, remote: str | None, *forwarded: str) -> None:
        self.remote, self.headers = remote, self
        self._forwarded = list(forwarded)

    def getall(self, _: str, default: list[str]) -> list[str]:
        return self._forwarded or default


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.5", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # what the caller wrote itself
        ("10.0.0.5", ["198.51.100.1", "203.0.113.9, 10.1.2.3"], "203.0.113.9"),  # two proxies
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no proxy of ours
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["203.0.113.9, nonsense"], "10.0.0.5"),
        ("::ffff:10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8::1", ["203.0.113.9"], "2001:db8::/64"),
        ("10.0.0.5", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (None, [], "None"),
    ],
)
def test_the_address_is_what_the_last_trusted_proxy_saw(
    remote: str | None, forwarded: list[str], address: str
) -> None:
    callers = Callers(1, load(trusted_proxies="10.0.0.5, 10.1.0.0/16").proxies)

    assert callers.address(Asking(remote, *forwarded)) == address  # type: ignore[arg-type]


@pytest.mark.parametrize("proxies", ["proxy.example", "10.0.0.0/33", "10.0.0.5/16"])
def test_what_is_no_network_is_refused(proxies: str) -> None:
    with pytest.raises(ConfigurationError, match="GRADEWATCH_TRUSTED_PROXIES"):
        load(trusted_proxies=proxies)


def test_who_guesses_keeps_nobody_from_signing_in(tmp_path: Path) -> None:
    right, wrong = (urlencode({"token": token}) for token in (TOKENS["ada"], "a-guess"))
    with served(tmp_path, web_rate=2) as (_, client, _):
        assert [client.ask("/api/v1/me").status for _ in range(12)][-1] == 429
        assert client.ask("/sign-in", "", "POST", wrong, **FORM).status == 401
        assert [client.ask("/sign-in", "", "POST", wrong, **FORM).status for _ in range(12)][
            -1
        ] == 429
        assert client.ask("/sign-in", "", "POST", right, **FORM).status == 303
        assert client.ask("/sign-out", "", "POST").status == 303


def test_behind_a_trusted_proxy_callers_are_counted_apart(tmp_path: Path) -> None:
    with served(tmp_path, web_rate=2, trusted_proxies="127.0.0.1") as (_, client, _):
        first = {"X_Forwarded_For": "203.0.113.9"}
        assert [client.ask("/api/v1/me", **first).status for _ in range(12)][-1] == 429
        assert client.ask("/api/v1/me", X_Forwarded_For="203.0.113.10").status == 401
    with served(tmp_path, web_rate=2) as (_, client, _):
        told = [
            client.ask("/api/v1/me", X_Forwarded_For=f"203.0.113.{n}").status for n in range(12)
        ]
        assert told[-1] == 429, "a header of anybody chooses no bucket"
