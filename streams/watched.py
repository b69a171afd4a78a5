"""A file that people write while a worker runs: looked at again and again, read when it changed.

Stat and read happen in a thread: a slow disk, or a large file, does not stop the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from streams import files
from streams.engine.blocking import Hung, beside
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READ_SECONDS: Final = 30.0
"""How long a file may take to be read; network file systems hang."""

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """One file, and the version of it that was read last."""

    def __init__(self, path: Path, read: Callable[[], T]) -> None:
        """Remember the file; `read` is for the caller to call once at the start.

        Args:
            path: The file.
            read: Returns what the file says, or raises `ConfigurationError`. Called in a thread.
        """
        self._path, self._read = path, read
        self._stamp = files.stamp(path)

    async def changed(self, *, always: bool = False) -> T | None:
        """Return what the file says if it has changed since the last call; else None.

        Args:
            always: Read the file even if it has not changed.

        Raises:
            ConfigurationError: The file is wrong, cannot be read, or was not read in time. The next
                call returns None unless the file has changed again.
        """
        try:
            return await beside(lambda: self._look(always), READ_SECONDS)
        except Hung:
            raise ConfigurationError(
                f"{self._path} was not read within {READ_SECONDS:.0f} s",
                "look at the disk or file server that holds it",
            ) from None

    def _look(self, always: bool) -> T | None:  # noqa: FBT001 - of `changed` alone
        stamp = files.stamp(self._path)
        if stamp == self._stamp and not always:
            return None
        self._stamp = stamp  # before the read: a change during it is seen by the next look
        return self._read()
