"""What each role may do, and which fields it is shown. What is not said here is denied."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Right(StrEnum):
    """What an endpoint asks for; each names exactly one."""

    PUBLIC = "public"  # anybody, signed in or not: nothing of anybody is told
    SIGNED_IN = "signed_in"  # whoever said who they are
    SCORES = "scores"  # rows and charts of those in one's scope
    ALERTS = "alerts"  # alerts about those in one's scope
    ACT = "act"  # say what was done about an alert in one's scope
    RULES = "rules"  # the rules in force
    OPERATE = "operate"  # lag, fates, workers, refused records, metrics: no scores


class Role(StrEnum):
    """What a person, or a program, is to the students."""

    OPERATOR = "operator"
    """Keeps it running; sees no scores."""
    ADVISOR = "advisor"
    """Advises students; sees what is posted and overrides, so that nothing slips out in a talk."""
    INSTRUCTOR = "instructor"
    """Teaches courses; sees all about them, as in Canvas's gradebook."""
    STUDENT = "student"
    """Sees what is posted of themselves."""
    SERVICE = "service"
    """A program that reads everything."""
    LOCAL = "local"
    """Any user of this machine, where no access is set up; nobody can be given it."""


RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.OPERATOR: frozenset({Right.SIGNED_IN, Right.ALERTS, Right.RULES, Right.OPERATE}),
    Role.ADVISOR: frozenset({Right.SIGNED_IN, Right.SCORES, Right.ALERTS, Right.ACT, Right.RULES}),
    Role.INSTRUCTOR: frozenset(
        {Right.SIGNED_IN, Right.SCORES, Right.ALERTS, Right.ACT, Right.RULES}
    ),
    Role.STUDENT: frozenset({Right.SIGNED_IN, Right.SCORES, Right.ALERTS}),
    Role.SERVICE: frozenset(
        {Right.SIGNED_IN, Right.SCORES, Right.ALERTS, Right.RULES, Right.OPERATE}
    ),
    Role.LOCAL: frozenset(Right),
}
"""Role → what it may do, within its scope. `Right.PUBLIC` needs no role."""


class Eyes(NamedTuple):
    """Which fields are shown; others are absent, not null.

    Attributes:
        unposted: Unposted scores and muted grade changes.
        overrides: Overrides, and what the final score is with them.
        actor: Who graded.
        work: What staff did about an alert.
    """

    unposted: bool
    overrides: bool
    actor: bool
    work: bool


EYES: Final[dict[Role, Eyes]] = {
    Role.OPERATOR: Eyes(unposted=False, overrides=False, actor=False, work=True),
    Role.ADVISOR: Eyes(unposted=False, overrides=True, actor=False, work=True),
    Role.INSTRUCTOR: Eyes(unposted=True, overrides=True, actor=True, work=True),
    Role.STUDENT: Eyes(unposted=False, overrides=False, actor=False, work=False),
    Role.SERVICE: Eyes(unposted=True, overrides=True, actor=True, work=True),
    Role.LOCAL: Eyes(unposted=True, overrides=True, actor=True, work=True),
}
"""Role → which fields it is shown."""


class Person(NamedTuple):
    """Who asks: a person, or a program.

    Attributes:
        name: What the access file calls them.
        role: Theirs.
        tenant: The one they belong to; None: all.
        students: Whom they may see; None: anybody.
        courses: In which courses they may see them; None: in any.
    """

    name: str
    role: Role
    tenant: str | None = None
    students: frozenset[str] | None = None
    courses: frozenset[str] | None = None

    def may(self, right: Right) -> bool:
        """Tell whether a right is theirs.

        Example:
            >>> Person("ada", Role.ADVISOR).may(Right.OPERATE)
            False
        """
        return right is Right.PUBLIC or right in RIGHTS[self.role]

    def sees(self, tenant: str, student_id: str, course_id: str) -> bool:
        """Tell whether a student in a course is in their scope.

        Args:
            tenant: Whose student.
            student_id: As rows and alerts spell it.
            course_id: Likewise.

        Example:
            >>> ada = Person("ada", Role.ADVISOR, "t", students=frozenset({"48"}))
            >>> ada.sees("t", "48", "565"), ada.sees("t", "49", "565"), ada.sees("u", "48", "565")
            (True, False, False)
        """
        return (
            self.tenant in {None, tenant}
            and (self.students is None or student_id in self.students)
            and (self.courses is None or course_id in self.courses)
        )

    @property
    def eyes(self) -> Eyes:
        """Which fields they are shown."""
        return EYES[self.role]


ANYBODY_HERE: Final = Person("local", Role.LOCAL)
"""Who asks on loopback where no access is set up."""
