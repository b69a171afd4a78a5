"""What the table says, as the JSON people get: a student, a student in a course, a course.

Nothing here knows HTTP but the status that a ``Problem`` carries. Scores are percent, grades of
assignments points, null is unknown; what is not for whoever asks is absent. A row that only
``grade_change`` events touched is no row to the world (``Row.known``). A deleted one is out of its
course's roster and stays in the student's own view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.core import ids
from streams.core.events import student_key
from streams.core.rows import UnreadableError, decode_row
from streams.web import row_fields, shown
from streams.web.history import history
from streams.web.parts import FIRST
from streams.web.problem import Problem, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.access.roles import Person
    from streams.engine.table import PartitionStore
    from streams.web.parts import Part
    from streams.web.problem import Answer


def student(
    table: PartitionStore,
    person: Person,
    student_id: str,
    tenant: str | None = None,
    part: Part = FIRST,
) -> Answer:
    """Return a student with the courses we hold scores of, in the order of the course ids.

    Args:
        table: The rows.
        person: Who asks.
        student_id: Local or global.
        tenant: Whose student; needed only where several tenants have one of that id.
        part: Which of the courses; `next_cursor` is there if there are more.

    Raises:
        Problem: ``bad_id``, ``not_found`` or ``tenant_required``.
    """
    for spelled in spellings(student_id):
        found = dict[str, _Rows]()
        for owner in _owners(spelled, tenant, table.owners()):
            items = sorted((int(item), item) for item in table.items_of(owner))
            places = [(owner, item) for number, item in items if number > part.after]
            found.setdefault(_tenant(owner), _Rows()).take(table, places, person, part)
        found = {whose: rows for whose, rows in found.items() if rows}
        if found:
            whose = only(found)
            rows = found[whose]
            told = {"tenant": whose, "student_id": spelled, "courses": rows.answers}
            return told | rows.besides("course_id")
    raise not_found("no scores of such a student are held here")


def enrolment(
    table: PartitionStore,
    person: Person,
    student_id: str,
    course_id: str,
    tenant: str | None = None,
) -> Answer:
    """Return a student's scores in one course.

    Args:
        table: The rows.
        person: Who asks.
        student_id: Local or global.
        course_id: Local or global.
        tenant: Whose; needed only where several tenants have such a student in such a course.

    Raises:
        Problem: ``bad_id``, ``not_found`` or ``tenant_required``.
    """
    students = spellings(student_id)
    for item in spellings(course_id):
        for spelled in students:
            found = {
                _tenant(owner): row
                for owner in _owners(spelled, tenant, table.owners_of(item.encode()))
                if (row := row_of(table, owner, item.encode(), person))
            }
            if found:
                return found[only(found)]
    raise not_found("no scores of such a student in such a course are held here")


def course(
    table: PartitionStore,
    person: Person,
    course_id: str,
    tenant: str | None = None,
    part: Part = FIRST,
) -> Answer:
    """Return a course with its students, in the order of their ids; deleted ones left out.

    Args:
        table: The rows.
        person: Who asks.
        course_id: Local or global.
        tenant: Whose course; needed only where several tenants have one of that id.
        part: Which of the students; `next_cursor` is there if there are more.

    Raises:
        Problem: ``bad_id``, ``not_found`` or ``tenant_required``.
    """
    for spelled in spellings(course_id):
        item, found = spelled.encode(), dict[str, _Rows]()
        owners = sorted((int(_student(owner)), owner) for owner in table.owners_of(item))
        places = dict[str, list[tuple[bytes, bytes]]]()
        for number, owner in owners:
            if tenant in {None, _tenant(owner)} and number > part.after:
                places.setdefault(_tenant(owner), []).append((owner, item))
        for whose, listed in places.items():
            found.setdefault(whose, _Rows()).take(table, listed, person, part, roster=True)
        found = {whose: rows for whose, rows in found.items() if rows}
        if found:
            whose = only(found)
            rows = found[whose]
            told = {"tenant": whose, "course_id": spelled, "students": rows.answers}
            return told | rows.besides("student_id")
    raise not_found("no scores of such a course are held here")


def spellings(given: str) -> list[str]:
    """Return the ids that an id in a path may be kept as, the likelier first.

    Raises:
        Problem: ``bad_id``.
    """
    try:
        return ids.spellings(given)
    except ValueError:
        raise Problem(400, "bad_id", "an id is a number from 1 to 2^63 - 1") from None


def _owners(student_id: str, tenant: str | None, among: Iterable[bytes]) -> list[bytes]:
    """Return the keys of the students of that id; without a tenant, those among some keys."""
    if tenant is not None:
        return [student_key(tenant, student_id)]
    ending = f":{student_id}".encode()
    return [owner for owner in among if owner.endswith(ending)]


class _Rows:
    """A tenant's rows of an answer; one that cannot be read does not hide the others."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._unreadable = 0
        self._there = self._more = False

    def take(
        self,
        table: PartitionStore,
        places: Iterable[tuple[bytes, bytes]],
        person: Person,
        part: Part,
        *,
        roster: bool = False,
    ) -> None:
        """Take rows until the part is full; ``roster`` leaves deleted ones out."""
        for owner, item in places:
            try:
                row = row_of(table, owner, item, person)
            except UnreadableError:
                self._unreadable += 1
                continue
            self._there = self._there or row is not None
            if row is None or (roster and row["workflow_state"] == "deleted"):
                continue
            if len(self.answers) == part.limit:
                self._more = True
                return
            self.answers.append(row)

    def besides(self, number: str) -> Answer:
        """Return what an answer says besides rows that are sorted by the field ``number``."""
        more = {"next_cursor": self.answers[-1][number]} if self._more else {}
        return more | ({"unreadable": self._unreadable} if self._unreadable else {})

    def __bool__(self) -> bool:
        return self._there or bool(self._unreadable)


def row_of(table: PartitionStore, owner: bytes, item: bytes, person: Person) -> Answer | None:
    """Return a row as a person is shown it; None: there is none, or none for them.

    Raises:
        UnreadableError: Another version of gradewatch wrote it.
    """
    held = table.items_of(owner).get(item)
    if held is None or not person.sees(_tenant(owner), _student(owner), item.decode()):
        return None
    row = decode_row(held)
    if not row.known:
        return None
    whole = row_fields.answer(owner, item, row)
    return shown.cut(whole, person.eyes) if shown.is_there(whole, person.eyes) else None


def past(
    table: PartitionStore, person: Person, owner: bytes, item: bytes, *, unposted: bool
) -> list[tuple[str, float]]:
    """Return a row's score history, as a person is shown it; empty where there is none for them.

    Args:
        table: The rows.
        person: Who asks.
        owner: The student's key.
        item: The course.
        unposted: Whether of the score with unposted work.

    Raises:
        UnreadableError: Another version of gradewatch wrote the row.
    """
    held = table.items_of(owner).get(item)
    if held is None or (unposted and not person.eyes.unposted):
        return []
    if not person.sees(_tenant(owner), _student(owner), item.decode()):
        return []
    row = decode_row(held)
    scores = row.scores[0] if row.scores else None
    return history(row.staff, scores, 2) if unposted else history(row.posted, scores, 0)


def only(found: Iterable[str]) -> str:
    """Return the one tenant that has it.

    Raises:
        Problem: Several have. Which ones is not said: that is data too.
    """
    tenants = set(found)
    if len(tenants) > 1:
        raise Problem(400, "tenant_required", "several tenants have this: say which, ?tenant=")
    return tenants.pop()


def _tenant(owner: bytes) -> str:
    return owner.rpartition(b":")[0].decode()


def _student(owner: bytes) -> str:
    return owner.rpartition(b":")[2].decode()
