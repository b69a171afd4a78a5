"""Access files, and who is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.access import people
from streams.access.people import Assignment, Named, People, Relation
from streams.access.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

T = "t"
ID_KEY = "a key of the tests alone"
"""With an access file the published key is refused."""

TOKENS = {
    name: f"token-of-{name}-0123456789" for name in ("ops", "ada", "ines", "stu", "etl", "lone")
}
"""Name → token: an operator, an advisor, an instructor, a student, a service, and an advisor to
whom nobody is assigned."""

ROLES = {
    "ops": Role.OPERATOR, "ada": Role.ADVISOR, "ines": Role.INSTRUCTOR, "stu": Role.STUDENT,
    "etl": Role.SERVICE, "lone": Role.ADVISOR,
}  # fmt: skip


def a_person(name: str, tenant: str | None = T) -> Named:
    """Return one of those above; the student is 48."""
    student = "48" if ROLES[name] is Role.STUDENT else None
    return Named(
        name=name, role=ROLES[name], tenant=tenant, student_id=student,
        token_sha256=people.hashed(TOKENS[name]), made_at="2026-02-03T10:00:00.000Z",
    )  # fmt: skip


def everybody(
    advises: Iterable[str] = ("48",), teaches: Iterable[str] = ("565",), tenant: str = T
) -> People:
    """Return all of them."""
    assigned = [
        Assignment(name=name, relation=relation, tenant=tenant, id=number)
        for name, relation, numbers in (
            ("ada", Relation.ADVISES, advises), ("ines", Relation.TEACHES, teaches),
        )
        for number in numbers
    ]  # fmt: skip
    return People(
        people=tuple(a_person(name, tenant) for name in TOKENS), assignments=tuple(assigned)
    )


def written(folder: Path, told: People | None = None) -> Path:
    """Return an access file."""
    file = folder / "access.json"
    people.save(file, told or everybody())
    return file
