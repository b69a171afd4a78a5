"""Who advises or teaches whom, as a file that another system writes: every line is checked."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from streams.access.people import FITTING, Assignment, People
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS: Final = ("name", "relation", "tenant", "id")
"""Of a file, in any order: who, ``advises`` or ``teaches``, whose, the student's or course's id."""

TOLD: Final = 20
"""Mistakes that are told of at once."""

MOST_BYTES: Final = 64 << 20


def assigned(people: People, text: str, file: str) -> People:
    """Return people with the assignments of a file in place of all they had.

    Args:
        people: Who there is.
        text: CSV with a heading.
        file: Its name, for the messages.

    Raises:
        ConfigurationError: A line is wrong; each as ``file:line: message``.
    """
    mistakes, found = list[str](), dict[Assignment, int]()
    for line, problem, assignment in _read(people, text):
        if assignment is None:
            mistakes.append(f"{file}:{line}: {problem}")
        elif (first := found.setdefault(assignment, line)) != line:
            mistakes.append(f"{file}:{line}: the same as line {first}")
    if mistakes:
        more = f"\n  and {len(mistakes) - TOLD} more" if len(mistakes) > TOLD else ""
        raise ConfigurationError(
            "nothing is assigned; the file is wrong:\n  " + "\n  ".join(mistakes[:TOLD]) + more,
            "correct these lines; every assignment stays as it was",
        )
    return people.model_copy(update={"assignments": tuple(found)})


def _read(people: People, text: str) -> Iterator[tuple[int, str, Assignment | None]]:
    """Yield each line: its number, what is wrong with it, what it says."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    roles = {one.name: one.role for one in people.people}
    tenants = {one.name: one.tenant for one in people.people}
    try:
        heading = tuple(name.strip() for name in reader.fieldnames or ())
        if sorted(heading) != sorted(COLUMNS):
            yield 1, f"the heading must be {','.join(COLUMNS)}", None
            return
        reader.fieldnames = list(heading)
        for row in reader:
            yield reader.line_num, *_checked(row, roles, tenants)
    except csv.Error as error:
        yield reader.line_num, str(error), None


def _checked(
    row: dict[str, str], roles: Mapping[str, str], tenants: dict[str, str | None]
) -> tuple[str, Assignment | None]:
    if None in row or None in row.values():
        return f"must have {len(COLUMNS)} fields", None
    try:
        told = Assignment.model_validate({name: value.strip() for name, value in row.items()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        return f"{first['loc'][0]}: {message}", None
    role = roles.get(told.name)
    if role is None:
        return "name: nobody is called so: gradewatch access add", None
    if role != FITTING[told.relation]:
        return f"relation: {told.relation} is for the role {FITTING[told.relation]}", None
    # Ids are numbers of one tenant: somebody of two would see the other's who have the same.
    tenants[told.name] = whose = tenants[told.name] or told.tenant
    if whose != told.tenant:
        return "tenant: a person is of one tenant, and this is another", None
    return "", told
