"""What a partition asks of whoever keeps its rows: the worker's table, or a dict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.rows import Row


class Rows(Protocol):
    """A partition's rows, as of the record before."""

    def of(self, owner: bytes, item: bytes) -> Row | None:
        """Return a student's row in a course.

        Raises:
            UnreadableError: Another version wrote it.
        """

    def keep(self, owner: bytes, item: bytes, row: Row) -> None:
        """Keep it."""

    def drop(self, owner: bytes) -> Iterable[tuple[bytes, Row]]:
        """Forget a student's rows; return those that can be read, with their courses, in order."""

    def waking(self, before: int) -> Iterable[tuple[int, bytes, bytes]]:
        """Return the rows that are to be looked at before a time: when, owner, item."""

    def recent(self, after: int) -> Iterable[tuple[bytes, bytes]]:
        """Return owner and item of the rows in which an event waits that is after a time."""

    def every(self) -> Iterable[tuple[bytes, bytes]]:
        """Return owner and item of every row."""
