"""Parts of a long answer: so many rows, from a number on. An answer of any size takes a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core import ids
from streams.web.problem import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS: Final = frozenset({"limit", "cursor"})

MOST: Final = 500
"""Rows of one answer, at most; of a course also where no limit is asked for."""

COURSES: Final = 100
"""Courses of a student where no limit is asked for: nearly everybody has fewer."""


class Part(NamedTuple):
    """Which rows of an answer are wanted; rows are in the order of their numbers.

    Attributes:
        limit: Number of rows, at most.
        after: Course or student id that the part before ended with; 0: from the first one on.
    """

    limit: int = MOST
    after: int = 0

    @property
    def query(self) -> dict[str, str]:
        """The parameters that ask another worker for this part."""
        cursor = {"cursor": str(self.after)} if self.after else {}
        return {"limit": str(self.limit)} | cursor


FIRST: Final = Part()


def part_of(query: Mapping[str, str], usual: int = MOST) -> Part:
    """Return the part that a query asks for.

    Args:
        query: The parameters, of which `PARAMETERS` are looked at.
        usual: Number of rows where no limit is asked for.

    Raises:
        Problem: ``bad_parameter``.

    Example:
        >>> part_of({"limit": "50", "cursor": "565"})
        Part(limit=50, after=565)
    """
    limit, cursor = query.get("limit") or str(usual), query.get("cursor")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MOST):
        raise bad_parameter("limit", f"a number from 1 to {MOST}")
    try:
        return Part(int(limit), ids.number(cursor) if cursor else 0)
    except ValueError:
        raise bad_parameter("cursor", "the next_cursor of an answer, unchanged") from None
