"""Which of several statements is the newer, as staff and as students see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.core.history import Statement
    from streams.core.rows import Scores

T = TypeVar("T")


def newness(statement: Statement) -> str:
    """Return text that sorts as statements of one kind do: by event time, then ``updated_at``."""
    return f"{statement.event_time}{statement.updated_at or ''}"


def posted_first(held: Sequence[Scores]) -> Scores:
    """Return the statement that holds for those who see posted scores alone.

    Which of two of one instant it is must not depend on what they do not see.
    """
    if len(held) == 1:
        return held[0]
    return in_order(held, posted=True)[-1]


def is_withdrawn(held: Sequence[Scores]) -> bool:
    """Tell whether Canvas withdrew the scores, as those see it who see posted scores alone."""
    return bool(held) and posted_first(held).workflow_state == "deleted"


def in_order(statements: Sequence[Scores], *, posted: bool) -> list[Scores]:
    """Return statements of one instant, the one that holds last, as one view has them.

    Args:
        statements: With the same ``newness``.
        posted: Whether by posted scores, or by unposted ones. Of several that differ in unposted
            scores alone, posted has the first.
    """
    view = slice(0, 2) if posted else slice(2, 4)
    told = {one.posted_id if posted else one.event_id: one for one in reversed(statements)}
    return chained(told, lambda one: one.old[view], lambda one: one.new[view])


def chained(
    told: Mapping[str, T], old_of: Callable[[T], object], new_of: Callable[[T], object]
) -> list[T]:
    """Return statements of one fact and instant, the one that holds last.

    Those that another follows from (its old value is their new one) come first, then those of the
    smaller id: a function of the set alone, so that the order of arrival cannot matter.

    Args:
        told: Statements by their ids.
        old_of: What was before, as a statement says it.
        new_of: What it says is now.
    """
    if len(told) == 1:
        return [*told.values()]

    def followed(one: T) -> bool:
        new = new_of(one)
        return any(other is not one and old_of(other) == new for other in told.values())

    return [
        one for _, one in sorted(told.items(), key=lambda each: (not followed(each[1]), each[0]))
    ]
