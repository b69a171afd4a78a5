"""One command at a time per directory, and disk failures said in words."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.errors import EmbeddedBrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def exclusive(directory: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a directory for this process alone; it exists and can be written to.

    The kernel drops the lock with its holder, so a killed command never leaves it behind.

    Args:
        directory: Made if it is not there.
        on_wait: Called once if another process holds it, before waiting for that process.

    Raises:
        EmbeddedBrokerError: The directory cannot be made or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / ".lock").open("w")
    except OSError as error:
        raise unwritable(directory, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def unwritable(directory: Path, error: OSError) -> EmbeddedBrokerError:
    """Return the error for a directory that the disk or its permissions refuse."""
    return EmbeddedBrokerError(
        f"cannot write to {directory}: {error.strerror or error}",
        "free some space or name another directory: --data-dir, or GRADEWATCH_DATA_DIR",
    )
