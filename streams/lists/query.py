"""What a list of alerts is asked for: filters, order, how many, from where on."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from streams.core import ids
from streams.core.actions import Work
from streams.core.events import TENANT_LENGTH
from streams.core.instants import parsed
from streams.core.rules import Kind
from streams.lists.held import RANK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.core.events import Instant
    from streams.lists.held import Held, Order

LIMIT: Final = 50
"""Alerts of one page, where nobody says how many."""

MOST: Final = 500
"""Alerts of one page, at most."""

LONGEST: Final = TENANT_LENGTH
"""Characters of a value that is asked for, at most."""

STATES: Final = ("firing", "resolved")


class Sort(IntEnum):
    """What comes first: where in `Held.orders` an alert's place is."""

    SEVERITY = 0  # the loudest, then the newest
    RECENT = 1  # the newest
    SIZE = 2  # the greatest, each in its own rule's measure


class BadQueryError(ValueError):
    """What is asked for does not make sense.

    Attributes:
        field: The parameter.
        message: What it should be; it repeats nothing of what it is.
    """

    def __init__(self, field: str, message: str) -> None:
        """Say which and why."""
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message


class Query(NamedTuple):
    """A list that is asked for; None filters nothing.

    Attributes:
        state: firing | resolved.
        kind: A rule's kind.
        severity: critical | warning | info.
        rule: A rule's id.
        work: How far somebody has come.
        tenant: Whose.
        student_ids: The spellings of a student's id; empty: anybody's.
        course_ids: The spellings of a course's id; empty: any.
        since: Whose last step is not before.
        sort: What comes first.
        limit: How many, 1 to `MOST`.
        after: The place of the last alert of the page before.
    """

    state: str | None = None
    kind: str | None = None
    severity: str | None = None
    rule: str | None = None
    work: str | None = None
    tenant: str | None = None
    student_ids: frozenset[str] = frozenset()
    course_ids: frozenset[str] = frozenset()
    since: Instant | None = None
    sort: Sort = Sort.SEVERITY
    limit: int = LIMIT
    after: Order | None = None


FILTERS: Final = {
    "state": "state", "kind": "kind", "severity": "severity", "rule": "rule", "work": "work",
    "tenant": "tenant", "student_id": "student_id", "course_id": "course_id",
    "since": "changed_at",
}  # fmt: skip
"""Parameter that filters → the field of an alert, as a list shows it, that it filters by."""

PARAMETERS: Final = (*FILTERS, "sort", "limit", "cursor")
"""What may be asked for."""


def parse(
    asked: Mapping[str, str],
    besides: frozenset[str] = frozenset(),
    hidden: frozenset[str] = frozenset(),
) -> Query:
    """Return the list that is asked for.

    Args:
        asked: Parameter → value; an empty value is none, as a form without script sends it.
        besides: Parameters that somebody else reads.
        hidden: Fields that the caller is not shown, and so may not filter by.

    Raises:
        BadQueryError: A parameter is unknown, filters by a hidden field, or its value makes no
            sense.

    Example:
        >>> parse({"state": "firing", "limit": "5"}).limit
        5
        >>> parse({"state": "open"})
        Traceback (most recent call last):
            ...
        streams.lists.query.BadQueryError: state: one of firing, resolved
    """
    for name, value in asked.items():
        if name not in PARAMETERS and name not in besides:
            raise BadQueryError("query", f"an unknown parameter; there are {', '.join(PARAMETERS)}")
        if value and FILTERS.get(name) in hidden:
            raise BadQueryError(name, "you are not shown what this filters by")
        if len(value) > LONGEST:
            raise BadQueryError(name, f"at most {LONGEST} characters")
    sort = Sort[
        (_one_of(asked, "sort", [sort.name.lower() for sort in Sort]) or "severity").upper()
    ]
    return Query(
        _one_of(asked, "state", STATES),
        _one_of(asked, "kind", list(Kind)),
        _one_of(asked, "severity", list(RANK)),
        asked.get("rule") or None,
        _one_of(asked, "work", list(Work)),
        asked.get("tenant") or None,
        _ids(asked, "student_id"),
        _ids(asked, "course_id"),
        _since(asked),
        sort,
        _limit(asked),
        _place(asked, sort),
    )


def cursor(held: Held, sort: Sort) -> str:
    """Return what asks for the page after an alert; it holds no student's id."""
    told = msgspec.json.encode([int(sort), *held.orders[sort]])
    return urlsafe_b64encode(told).rstrip(b"=").decode()


def filters(query: Query) -> list[Callable[[Held], bool]]:
    """Return what an alert must pass to be in a list, save for what people did about it."""
    found = [
        _is(name, value)
        for name in ("state", "kind", "severity", "rule", "tenant")
        if (value := getattr(query, name)) is not None
    ]
    if students := query.student_ids:
        found.append(lambda held: held.listed.student_id in students)
    if courses := query.course_ids:
        found.append(lambda held: held.listed.course_id in courses)
    if (since := query.since) is not None:
        found.append(lambda held: held.listed.changed_at >= since)
    return found


def _is(name: str, value: str) -> Callable[[Held], bool]:
    return lambda held: bool(getattr(held.listed, name) == value)


def _one_of(
    asked: Mapping[str, str], name: str, allowed: list[str] | tuple[str, ...]
) -> str | None:
    value = asked.get(name) or None
    if value is not None and value not in allowed:
        raise BadQueryError(name, f"one of {', '.join(allowed)}")
    return value


def _ids(asked: Mapping[str, str], name: str) -> frozenset[str]:
    value = asked.get(name)
    if not value:
        return frozenset()
    try:
        return frozenset(ids.spellings(value))
    except ValueError:
        raise BadQueryError(name, "an id is a number from 1 to 2^63 - 1") from None


def _since(asked: Mapping[str, str]) -> Instant | None:
    value = asked.get("since")
    if not value:
        return None
    try:
        return parsed(value)
    except ValueError:
        raise BadQueryError("since", "a time with its offset: 2026-02-03T10:15:30Z") from None


def _limit(asked: Mapping[str, str]) -> int:
    value = asked.get("limit") or str(LIMIT)
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MOST):
        raise BadQueryError("limit", f"a number from 1 to {MOST}")
    return int(value)


def _place(asked: Mapping[str, str], sort: Sort) -> Order | None:
    value = asked.get("cursor")
    if not value:
        return None
    try:
        told = urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
        place = msgspec.json.decode(told, type=_PLACES[sort])
    except (binascii.Error, UnicodeError, msgspec.MsgspecError):
        place = None
    if place is None or place[0] != sort:
        raise BadQueryError("cursor", "the next_cursor of an answer in the same order, unchanged")
    rest: Order = place[1:]
    return (float("inf"), *rest[1:]) if rest[0] is None else rest  # JSON knows no infinity


_PLACES: Final = {
    Sort.SEVERITY: tuple[int, int, int, str],
    Sort.RECENT: tuple[int, int, str],
    Sort.SIZE: tuple[int, float | None, int, str],
}
