"""The one token that lets a program in as a service, from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.errors import ConfigurationError
from streams.security import read_secret

if TYPE_CHECKING:
    from pathlib import Path

LEAST_TOKEN: Final = 16
"""Characters that a token has, at least."""

_SETTING: Final = "GRADEWATCH_WEB_TOKEN_FILE"
_CREATE: Final = "umask 077; openssl rand -hex 32 > FILE"


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
