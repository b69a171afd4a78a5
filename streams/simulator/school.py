"""A made-up university on one Canvas shard: people, courses, enrolments, and each mark they hold.

Names are drawn from short lists, hosts end in ``.example`` and addresses are of the ranges kept for
documentation (RFC 2606, RFC 5737): realistic, and nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from random import Random

SHARD: Final = 2107 * 10**13
"""Added to a local id it gives the global one (Canvas's example shard)."""

FOREIGN_SHARD: Final = 3011 * 10**13
"""Another shard of the same trust; its users take courses here."""

HOST: Final = "canvas.riverside.example"
_MAIL: Final = "riverside.example"
_ROOT_ACCOUNT: Final = {
    "root_account_id": str(SHARD + 1),
    "root_account_uuid": "44fJ8PnQzXo2sVbKcT7mRyLdWgE5hAu9iN3xFqB1",
    "root_account_lti_guid": f"44fJ8PnQzXo2sVbKcT7mRyLdWgE5hAu9iN3xFqB1.{HOST}",
}
_FIRST: Final = (
    "amara", "bruno", "chidi", "dana", "elif", "farid", "grace", "hanna", "ivan", "jun", "kofi",
    "lucia", "mei", "noor", "olga", "pablo", "quinn", "rosa", "sven", "tariq", "uma", "vera",
    "wanda", "xenia", "yusuf", "zoe",
)  # fmt: skip
_LAST: Final = (
    "abara", "bakker", "costa", "dahl", "eze", "fischer", "garcia", "haddad", "ito", "jensen",
    "kaya", "lopez", "moreau", "novak", "okafor", "petrov", "quist", "rossi", "silva", "tanaka",
    "ueda", "varga", "weber", "xu", "yilmaz", "zhou",
)  # fmt: skip
_SUBJECTS: Final = ("BIO", "CHEM", "ENGL", "HIST", "MATH", "PHYS", "PSYC", "SPAN")
_AGENTS: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
)
_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")
# Name and how its grade text is written; points and pass/fail are what most courses use.
_GRADINGS: Final = ("points", "points", "points", "percent", "letter_grade", "pass_fail")
_TITLES: Final = ("Essay", "Homework", "Lab report", "Midterm", "Problem set", "Project")


@dataclass(slots=True)
class Person:
    """Somebody with a Canvas login.

    Attributes:
        local_id: What ``course_grade_change`` calls them: local, or the full global id of a user
            from another shard.
        global_id: What ``grade_change`` and all metadata call them.
        sis_id: Their id in the student information system; None for guests.
        request: The metadata that any request of theirs carries.
        ability: Percent they usually reach.
    """

    local_id: str
    global_id: str
    sis_id: str | None
    request: dict[str, Any]
    ability: float


@dataclass(slots=True)
class Assignment:
    """One column of a gradebook.

    Attributes:
        quiz: Graded by Canvas itself the moment a student hands in.
        posted: False while its post policy keeps grades from students.
        graded: Whether the class has been graded.
    """

    local_id: int
    name: str
    points: float
    grading: str
    quiz: bool
    posted: bool
    graded: bool = False


@dataclass(slots=True)
class Mark:
    """What one student got for one assignment. ``score`` None: excused."""

    submission_id: str
    score: float | None
    grade: str | None
    posted: bool


Scores = tuple[float | None, float, float | None, float]
"""The four course scores in the order of ``streams.core.events.SCORES``."""


@dataclass(slots=True)
class Enrollment:
    """One student in one course, in one section or two.

    Attributes:
        created_at: When Canvas made the score row.
        sections: ``(enrollment_id, score_id)`` of each section.
        scores: As last sent. Canvas says null and 0.0 before anything is graded.
        marks: By place in the course's assignments.
    """

    student: Person
    created_at: str
    sections: tuple[tuple[str, str], ...]
    scores: Scores = (None, 0.0, None, 0.0)
    override: float | None = None
    marks: dict[int, Mark] = field(default_factory=dict)


@dataclass(slots=True)
class Course:
    """A course, its teacher and its class.

    Attributes:
        context: The metadata that every event of the course carries.
    """

    local_id: int
    context: dict[str, Any]
    teacher: Person
    assignments: list[Assignment]
    enrollments: list[Enrollment] = field(default_factory=list)

    def computed(self, enrollment: Enrollment) -> Scores:
        """Return the scores that Canvas's grade calculator gives these marks: points, unweighted.

        ``current`` counts graded work only; ``final`` counts what is not graded as 0.
        """
        earned = possible = seen_earned = seen_possible = 0.0
        total = sum(assignment.points for assignment in self.assignments)
        for place, mark in enrollment.marks.items():
            points = self.assignments[place].points
            if mark.score is None:
                total -= points
                continue
            earned += mark.score
            possible += points
            if mark.posted:
                seen_earned += mark.score
                seen_possible += points
        return (
            _percent(seen_earned, seen_possible),
            _percent(seen_earned, total) or 0.0,
            _percent(earned, possible),
            _percent(earned, total) or 0.0,
        )


def _percent(earned: float, possible: float) -> float | None:
    return round(100 * earned / possible, 2) if possible else None


def enrol(
    rng: Random, students: int, courses: int, assignments: int, created_at: str
) -> list[Course]:
    """Return a term's courses with their classes; every course has at least one student.

    Args:
        rng: Decides everything.
        students: How many, at least 1.
        courses: How many, at least 1; a student takes up to five.
        assignments: Per course, at least 1.
        created_at: When the enrolments were made, ISO 8601.
    """
    people = [_person(rng, 1000 + n, "u") for n in range(students)]
    offered = [_course(rng, 500 + n, assignments) for n in range(courses)]
    enrollment_id = 40_000
    for n, student in enumerate(people):
        # The first choice goes round, so that no course stays empty while there are students.
        chosen = {n % courses, *rng.sample(range(courses), min(4, courses))}
        for place in sorted(chosen):
            first = enrollment_id
            enrollment_id += 2
            ids = (first, first + 1) if rng.random() < 0.06 else (first,)
            sections = tuple((str(one), str(one + 100_000)) for one in ids)
            offered[place].enrollments.append(Enrollment(student, created_at, sections))
    return [course for course in offered if course.enrollments]


def _course(rng: Random, local_id: int, assignments: int) -> Course:
    code = f"{rng.choice(_SUBJECTS)}-{rng.randrange(100, 400)}"
    context = {
        "context_type": "Course",
        "context_id": str(SHARD + local_id),
        "context_account_id": str(SHARD + rng.randrange(2, 12)),
        "context_sis_source_id": None if rng.random() < 0.1 else f"{code}-{local_id}",
        **_ROOT_ACCOUNT,
    }
    teacher = _person(rng, 100_000 + local_id, "t")
    columns = [_assignment(rng, local_id * 100 + n) for n in range(assignments)]
    if len(columns) > 3 and rng.random() < 0.2:
        columns[-1].points = 0.0  # extra credit: points earned of none possible
    return Course(local_id, context, teacher, columns)


def _assignment(rng: Random, local_id: int) -> Assignment:
    quiz = rng.random() < 0.3
    name = f"{'Quiz' if quiz else rng.choice(_TITLES)} {local_id % 100 + 1}"
    grading = "points" if quiz else rng.choice(_GRADINGS)
    points = float(rng.choice((10, 20, 25, 50, 100)))
    return Assignment(local_id, name, points, grading, quiz, quiz or rng.random() < 0.7)


def _person(rng: Random, local_id: int, prefix: str) -> Person:
    name = f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}{local_id}"
    foreign = prefix == "u" and rng.random() < 0.02
    global_id = str((FOREIGN_SHARD if foreign else SHARD) + local_id)
    sis_id = None if foreign or rng.random() < 0.05 else f"{prefix}{local_id:07d}"
    request = {
        "user_id": global_id,
        "user_login": f"{name}@{_MAIL}",
        "user_account_id": str(SHARD + 1),
        "user_sis_id": sis_id,
        "time_zone": "America/Denver",
        "hostname": HOST,
        "session_id": f"{rng.getrandbits(128):032x}",
        "client_ip": f"{rng.choice(_NETWORKS)}.{rng.randrange(1, 255)}",
        "user_agent": rng.choice(_AGENTS),
    }
    local = global_id if foreign else str(local_id)
    return Person(local, global_id, sis_id, request, min(99.0, max(45.0, rng.gauss(81, 10))))
