"""What the table says, as the JSON people get: a student, a student in a course, a course.

Nothing here knows HTTP but the status that a ``Problem`` carries. Scores are percent, grades of
assignments points, null is unknown; what is not for whoever asks is absent. A row that only
``grade_change`` events touched is no row to the world (``Row.known``). A deleted one is out of its
course's roster and stays in the student's own view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.core import ids
from streams.core.events import student_key
from streams.core.rows import UnreadableError, decode_row
from streams.web import shown
from streams.web.history import history
from streams.web.problem import Problem, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.access.roles import Person
    from streams.core.rows import Override, Row, Scores
    from streams.engine.table import PartitionStore
    from streams.web.problem import Answer

ROW_FIELDS: Final = (
    "tenant", "student_id", "course_id",
    "current_score", "final_score", "unposted_current_score", "unposted_final_score",
    "override_score", "effective_final_score", "workflow_state", "updated_at", "event_time",
    "account_id", "period_overrides", "override_grader_id", "grade_changes",
    "history", "unposted_history",
)  # fmt: skip
"""The fields of a row, in the order of the answer."""


def student(
    table: PartitionStore, person: Person, student_id: str, tenant: str | None = None
) -> Answer:
    """Return a student with every course we hold scores of, in the order of the course ids.

    Args:
        table: The rows.
        person: Who asks.
        student_id: Local or global.
        tenant: Whose student; needed only where several tenants have one of that id.

    Raises:
        Problem: ``bad_id``, ``not_found`` or ``tenant_required``.
    """
    for spelled in spellings(student_id):
        found = dict[str, _Rows]()
        for owner in _owners(spelled, tenant, table.owners()):
            for item in table.items_of(owner):
                _Rows.of(found, owner).add(table, owner, item, person)
        found = {whose: rows for whose, rows in found.items() if rows}
        if found:
            whose = only(found)
            rows = found[whose]
            courses = sorted(rows.answers, key=lambda row: int(row["course_id"]))
            told = {"tenant": whose, "student_id": spelled, "courses": courses}
            return told | rows.unreadable_if_any()
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
    table: PartitionStore, person: Person, course_id: str, tenant: str | None = None
) -> Answer:
    """Return a course with its students, in the order of their ids; deleted ones left out.

    Args:
        table: The rows.
        person: Who asks.
        course_id: Local or global.
        tenant: Whose course; needed only where several tenants have one of that id.

    Raises:
        Problem: ``bad_id``, ``not_found`` or ``tenant_required``.
    """
    for spelled in spellings(course_id):
        item, found = spelled.encode(), dict[str, _Rows]()
        for owner in table.owners_of(item):
            if tenant in {None, _tenant(owner)}:
                _Rows.of(found, owner).add(table, owner, item, person)
        found = {whose: rows for whose, rows in found.items() if rows}
        if found:
            whose = only(found)
            rows = found[whose]
            there = (row for row in rows.answers if row["workflow_state"] != "deleted")
            students = sorted(there, key=lambda row: int(row["student_id"]))
            told = {"tenant": whose, "course_id": spelled, "students": students}
            return told | rows.unreadable_if_any()
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

    @classmethod
    def of(cls, found: dict[str, _Rows], owner: bytes) -> _Rows:
        return found.setdefault(_tenant(owner), cls())

    def add(self, table: PartitionStore, owner: bytes, item: bytes, person: Person) -> None:
        try:
            row = row_of(table, owner, item, person)
        except UnreadableError:
            self._unreadable += 1
        else:
            if row:
                self.answers.append(row)

    def unreadable_if_any(self) -> Answer:
        return {"unreadable": self._unreadable} if self._unreadable else {}

    def __bool__(self) -> bool:
        return bool(self.answers or self._unreadable)


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
    whole = _answer(owner, item, row)
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


def _answer(owner: bytes, item: bytes, row: Row) -> Answer:
    """Return a row as people get it; its keys are ``ROW_FIELDS``."""
    held = row.scores[0] if row.scores else None
    latest = held or _latest_override(row)
    unposted = held.new[2:] if held else (None, None)
    values = (
        _tenant(owner), _student(owner), item.decode(),
        row.current_score, row.final_score, *unposted,
        row.override_score, row.effective_final_score, held.workflow_state if held else None,
        latest.updated_at, latest.event_time,
        row.account_id, _period_overrides(row),
        row.override[0].grader_id if row.override else None, _grade_changes(row),
        history(row.posted, held, 0), history(row.staff, held, 2),
    )  # fmt: skip
    return dict(zip(ROW_FIELDS, values, strict=True))


def _latest_override(row: Row) -> Override | Scores:
    """Return the override that dates a row without scores: the course's, else the newest."""
    if row.override:
        return row.override[0]
    held = (overrides[0] for overrides in row.period_overrides.values())
    return max(held, key=lambda override: (override.event_time, override.updated_at or ""))


def _period_overrides(row: Row) -> Answer:
    """Return the overrides that are set, by grading period."""
    return {
        period: held[0].new
        for period, held in sorted(row.period_overrides.items())
        if held[0].new is not None
    }


def _grade_changes(row: Row) -> list[Answer]:
    """Return the assignments graded last, newest first. Points."""
    return [
        {
            "assignment_id": change.assignment_id,
            "event_time": change.event_time,
            "score": change.new[0],
            "old_score": change.old[0],
            "points_possible": change.new[1],
            "old_points_possible": change.old[1],
            "muted": change.muted,
            "grader_id": change.grader_id,
        }
        for change in reversed(row.grade_changes)
    ]
