"""Who may read: this machine's users on loopback, elsewhere only the bearer of the token.

Nothing is logged: a path holds Canvas's ids, a header the token.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from streams.errors import ConfigurationError
from streams.security import is_loopback, read_secret
from streams.web.views import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streams.settings import Settings

LEAST_TOKEN: Final = 16
"""Characters that a token has, at least."""

OPEN_PATHS: Final = frozenset({"/livez", "/readyz"})
"""What needs no token: probes, which tell nothing of anybody."""

_SETTING: Final = "GRADEWATCH_WEB_TOKEN_FILE"
_CREATE: Final = "umask 077; openssl rand -hex 32 > FILE"


class Access:
    """What a request must show before it is answered.

    Attributes:
        token: The bearer token; None: none is asked for.
        loopback: Whether only this machine can connect.
    """

    def __init__(self, token: str | None, *, loopback: bool) -> None:
        """Remember the token; `granted` reads it from the settings."""
        self.token = token
        self.loopback = loopback

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Return where a request may go on.

        Args:
            path: Its path.
            headers: Its headers; names in any case.

        Raises:
            Problem: ``misdirected_request``: bound to loopback, and the name asked for is another
                (a web page that made its own name point here: DNS rebinding). ``unauthorized``:
                the token is missing or wrong.
        """
        if self.loopback and not is_loopback(_host_name(headers.get("Host", ""))):
            raise Problem(421, "misdirected_request", "ask for localhost, by that name")
        if self.token is None or path in OPEN_PATHS:
            return
        scheme, _, shown = headers.get("Authorization", "").partition(" ")
        # In constant time: how much of it is right must not be told by how long it takes.
        same = hmac.compare_digest(
            shown.strip().encode("utf-8", "surrogateescape"), self.token.encode()
        )
        if scheme.lower() != "bearer" or not same:
            raise Problem(
                401,
                "unauthorized",
                "this needs the token: Authorization: Bearer TOKEN",
                {"WWW-Authenticate": 'Bearer realm="gradewatch"'},
            )


def granted(settings: Settings) -> Access:
    """Return the access that the settings ask for.

    Raises:
        ConfigurationError: Scores would be open to other machines, or the token file is missing,
            readable by every user, or holds no good token.
    """
    loopback = is_loopback(settings.web_host)
    if settings.web_token_file is not None:
        return Access(read_token(settings.web_token_file), loopback=loopback)
    if not loopback:
        raise ConfigurationError(
            f"GRADEWATCH_WEB_HOST {settings.web_host} is open to other machines, and no token is "
            "asked for",
            "set GRADEWATCH_WEB_TOKEN_FILE to a file with a token, or leave GRADEWATCH_WEB_HOST "
            "at 127.0.0.1",
        )
    return Access(None, loopback=True)


def read_token(file: Path) -> str:
    """Return the token that a file holds.

    Args:
        file: One line. Only its owner and group may have access to it.

    Raises:
        ConfigurationError: There is none, or none that is safe. The message never shows it.
    """
    token = read_secret(_SETTING, file, f"make one: {_CREATE}")
    named = f"{_SETTING} {file}"
    if len(token) < LEAST_TOKEN:
        raise ConfigurationError(
            f"{named} holds {len(token)} characters, fewer than {LEAST_TOKEN}",
            f"make one: {_CREATE}",
        )
    if not token.isascii() or " " in token:
        raise ConfigurationError(
            f"{named} holds more than letters, digits and signs on one line", f"make one: {_CREATE}"
        )
    return token


def _host_name(header: str) -> str:
    """Return the name in a Host header, without port and brackets; "" where it holds none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
