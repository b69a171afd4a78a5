"""Secrets in files: never on a command line, never in a message, not open to every user."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from streams import files
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES: Final = 64 << 10
"""Size of the largest secret that is read: a token is a few KiB."""


def read_secret(setting: str, file: Path, make: str = "put it there, on one line") -> str:
    """Return the secret that a file holds, without the white space around it.

    Args:
        setting: The environment variable that names the file.
        file: Only its owner and group may have access to it.
        make: What to do where there is none.

    Raises:
        ConfigurationError: It is missing, not text, empty, of several lines, or open to every user.
            The message never shows it.
    """
    named = f"{setting} {file}"
    require_private(setting, file, make)
    try:
        secret = files.read(file, MOST_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{named} cannot be read: {error.strerror}", make) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{named} is not text", make) from None
    if not secret:
        raise ConfigurationError(f"{named} is empty", make)
    if not secret.isprintable():
        raise ConfigurationError(f"{named} holds more than one line of text", make)
    return secret


def require_private(setting: str, file: Path, make: str) -> None:
    """The file is there, and closed to users who are neither its owner nor of its group.

    Raises:
        ConfigurationError: It is not.
    """
    try:
        mode = file.stat().st_mode
    except OSError as error:
        cause = f"{setting} {file} cannot be read: {error.strerror}"
        raise ConfigurationError(cause, make) from None
    if mode & stat.S_IRWXO:
        raise ConfigurationError(f"{setting} {file} is open to every user", f"chmod o= {file}")
