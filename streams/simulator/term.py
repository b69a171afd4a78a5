"""A term as it is taught: classes graded, grades posted, corrected, rescaled, excused, overridden.

Time moves with the events, not with a clock: the n-th of N records lies n/N of the way through
sixteen weeks of working days. Event times only rise, so each event's ``old_*`` is what the one
before it said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.simulator import wire
from streams.simulator.school import HOST, SHARD, Assignment, Course, Enrollment, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Event = tuple[int, wire.Fields, wire.Fields]
"""Event time in milliseconds since 1970, metadata, body."""

OVERRIDES_FROM: Final = 0.96
"""From this part of the term on, teachers only set final grades."""

_DAY: Final = 86_400_000
_DAYS: Final = 112
_WORKING: Final = 14 * 3_600_000  # of each day: the rest is night
_MARGIN: Final = 2 * 3_600_000  # before the end: room for a class begun last, and for late events


class Term:
    """What happens in some courses until ``end``.

    Attributes:
        made: How many records exist so far; whoever takes the events keeps it, and time follows.
    """

    def __init__(self, rng: Random, courses: list[Course], records: int, end: int) -> None:
        """Begin the term.

        Args:
            rng: Decides everything.
            courses: Taught at the same time.
            records: How many records will be made of the term.
            end: When it ends, milliseconds since 1970.
        """
        self.made = 0
        self._rng = rng
        self._courses = courses
        self._records = records
        self._start = start(end)
        self._now = self._start
        # No event may take longer than its share of the term, so that time never runs ahead.
        self._share = max(1, _DAYS * _WORKING // records)

    def events(self) -> Iterator[Event]:
        """Yield what happens, in the order of event times, without end."""
        while True:
            number = self._rng.randrange(len(self._courses))
            if self.made < OVERRIDES_FROM * self._records:
                # Courses take turns with their assignments; the first begins at once.
                yield from self._teach(self._courses[number], number / len(self._courses))
            else:
                yield from self._override(self._courses[number])

    def _teach(self, course: Course, lag: float) -> Iterator[Event]:
        """Grade what is due by now; where nothing is, do one of the smaller things.

        Args:
            course: Whose.
            lag: How much later than other courses it grades: 0 to 1 of an assignment.
        """
        self._catch_up()
        due = self.made / (OVERRIDES_FROM * self._records) * len(course.assignments)
        graded = [n for n, column in enumerate(course.assignments) if column.graded]
        if len(graded) < len(course.assignments) and len(graded) + lag <= due:
            yield from self._class(course, len(graded))
            return
        if not graded:
            return
        hidden = [n for n in graded if not course.assignments[n].posted]
        roll = self._rng.random()
        if hidden and roll < 0.3:
            yield from self._post(course, hidden[0])
        elif roll < 0.31:
            yield from self._rescale(course, self._rng.choice(graded))
        elif roll < 0.36:
            yield from self._override(course)
        else:
            yield from self._regrade(course, excuse=roll < 0.45)

    def _class(self, course: Course, place: int) -> Iterator[Event]:
        """Grade an assignment, or let the class sit a quiz that grades itself."""
        assignment = course.assignments[place]
        assignment.graded = True
        for number, enrollment in enumerate(course.enrollments):
            if number and self._rng.random() < 0.04:
                continue  # nothing handed in
            score = self._score(assignment, enrollment.student.ability)
            if assignment.quiz:
                yield from self._quiz(course, place, enrollment, score)
                continue
            if self._rng.random() < 0.03:  # a slip, mended before Canvas recomputes: one new score
                yield self._marked(course, place, enrollment, round(score / 10, 1))
            yield self._marked(course, place, enrollment, score)
            yield from self._recomputed(course, enrollment)

    def _quiz(
        self, course: Course, place: int, enrollment: Enrollment, score: float
    ) -> Iterator[Event]:
        """Hand in a quiz: the student's own request grades it. Some have an essay to be read."""
        assignment, student = course.assignments[place], enrollment.student
        essay = self._rng.random() < 0.1
        reached = score / 2 if essay else score
        first = Mark(
            self._submission_id(course, place, enrollment),
            reached, self._grade(assignment, reached), assignment.posted,
        )  # fmt: skip
        at = self._pass(4_000, 40_000)
        url = f"https://{HOST}/courses/{course.local_id}/quizzes/{assignment.local_id}/submissions"
        metadata = wire.by_request(
            self._rng, "grade_change", at, course, student, url=url, role="StudentEnrollment"
        )
        body = wire.grade_change(
            assignment, student, first,
            old=None, old_points=assignment.points, grader=None, complete=not essay,
        )  # fmt: skip
        yield at, metadata, body
        enrollment.marks[place] = first
        if essay:  # until it is read, Canvas leaves the quiz out of the course score
            yield self._marked(course, place, enrollment, score)
        yield from self._recomputed(course, enrollment)

    def _post(self, course: Course, place: int) -> Iterator[Event]:
        """Show a hidden assignment's grades: one job for the class, then the course scores."""
        assignment = course.assignments[place]
        assignment.posted = True
        for enrollment, mark in self._marks(course, place):
            mark.posted = True
            yield self._unchanged(
                course, assignment, enrollment, mark,
                old_points=assignment.points, tag="Assignment#post_submissions",
            )  # fmt: skip
        yield from self._class_recomputed(course)

    def _rescale(self, course: Course, place: int) -> Iterator[Event]:
        """Change what an assignment is worth: same scores, other percentages."""
        assignment = course.assignments[place]
        old = assignment.points
        assignment.points = round(old * self._rng.choice((0.8, 1.1, 1.25)), 1)
        for enrollment, mark in self._marks(course, place):
            yield self._unchanged(
                course, assignment, enrollment, mark,
                old_points=old, tag="Assignment#update_submissions",
            )  # fmt: skip
        yield from self._class_recomputed(course)

    def _regrade(self, course: Course, *, excuse: bool) -> Iterator[Event]:
        """Correct one mark, or excuse it."""
        enrollment = self._rng.choice(course.enrollments)
        if not enrollment.marks:
            return
        place = self._rng.choice(list(enrollment.marks))
        score = self._score(course.assignments[place], enrollment.student.ability + 3)
        yield self._marked(course, place, enrollment, None if excuse else score)
        yield from self._recomputed(course, enrollment)

    def _override(self, course: Course) -> Iterator[Event]:
        """Set, change or remove a student's final grade; each section is told on its own."""
        self._catch_up()
        overridden = [e for e in course.enrollments if e.override is not None]
        again = overridden and self._rng.random() < 0.3
        enrollment = self._rng.choice(overridden if again else course.enrollments)
        before = enrollment.override
        if before is not None and self._rng.random() < 0.5:
            new = None
        else:
            least = 10 if self._rng.random() < 0.3 else 1
            move = self._rng.randrange(least, least + 9) * self._rng.choice((1, 1, -1))
            new = max(0.0, round((enrollment.scores[1] if before is None else before) + move, 1))
        if new == before:
            return
        at = self._pass(3_000, 30_000)
        url = f"https://{HOST}/api/graphql"
        metadata = wire.by_request(self._rng, "grade_override", at, course, course.teacher, url=url)
        for section in enrollment.sections:
            time = wire.instant(at)
            body = wire.grade_override(course, enrollment, section, new, time)
            yield at, {**metadata, "event_time": time}, body
            at = self._pass(40, 700)
        enrollment.override = new

    def _marked(
        self, course: Course, place: int, enrollment: Enrollment, score: float | None
    ) -> Event:
        """Give a mark and return its event: from the teacher, their tool, or somebody as them."""
        assignment, student = course.assignments[place], enrollment.student
        old = enrollment.marks.get(place)
        grade = None if score is None else self._grade(assignment, score)
        mark = Mark(
            old.submission_id if old else self._submission_id(course, place, enrollment),
            score, grade, assignment.posted,
        )  # fmt: skip
        enrollment.marks[place] = mark
        at = self._pass(4_000, 25_000)
        roll = self._rng.random()
        if roll < 0.08:
            metadata = wire.by_tool(self._rng, "grade_change", at, course, student)
        else:
            url = f"https://{HOST}/courses/{course.local_id}/gradebook/update_submission"
            role = "Grader (no email)" if roll < 0.1 else "TeacherEnrollment"
            metadata = wire.by_request(
                self._rng, "grade_change", at, course, course.teacher, url=url, role=role
            )
            if roll > 0.98:
                metadata["real_user_id"] = str(SHARD + 3)  # an administrator, masquerading
        body = wire.grade_change(
            assignment, student, mark,
            old=old, old_points=assignment.points, grader=course.teacher,
        )  # fmt: skip
        return at, metadata, body

    def _unchanged(
        self,
        course: Course,
        assignment: Assignment,
        enrollment: Enrollment,
        mark: Mark,
        *,
        old_points: float,
        tag: str,
    ) -> Event:
        """Return the event of a mark that stays what it is while something around it changes."""
        at = self._pass(20, 200)
        metadata = wire.by_job(self._rng, "grade_change", at, course, tag)
        body = wire.grade_change(
            assignment, enrollment.student, mark,
            old=mark, old_points=old_points, grader=course.teacher,
        )  # fmt: skip
        return at, metadata, body

    def _recomputed(self, course: Course, enrollment: Enrollment) -> Iterator[Event]:
        """Let the job run that computes course scores: it speaks up only where one moved."""
        new = course.computed(enrollment)
        if new != enrollment.scores:
            at = self._pass(1_500, 9_000)
            tag = "Enrollment.recompute_final_score_in_singleton"
            metadata = wire.by_job(self._rng, "course_grade_change", at, course, tag)
            body = wire.course_grade_change(course, enrollment, new, metadata["event_time"])
            enrollment.scores = new
            yield at, metadata, body

    def _class_recomputed(self, course: Course) -> Iterator[Event]:
        for enrollment in course.enrollments:
            yield from self._recomputed(course, enrollment)

    def _marks(self, course: Course, place: int) -> list[tuple[Enrollment, Mark]]:
        return [(e, e.marks[place]) for e in course.enrollments if place in e.marks]

    def _score(self, assignment: Assignment, ability: float) -> float:
        """Return points for one piece of work, to the half point; some hand in next to nothing."""
        if not assignment.points:
            return float(self._rng.randrange(1, 6))
        percent = self._rng.gauss(ability, 6.5)
        if self._rng.random() < 0.015:
            percent = 0.0
        return round(min(100.0, max(0.0, percent)) * assignment.points / 50) / 2

    def _grade(self, assignment: Assignment, score: float) -> str:
        return wire.grade_text(assignment.grading, score, assignment.points)

    def _submission_id(self, course: Course, place: int, enrollment: Enrollment) -> str:
        column = course.assignments[place].local_id
        return str(SHARD + column * 10_000 + int(enrollment.sections[0][0]) % 10_000)

    def _pass(self, least: int, most: int) -> int:
        """Let some milliseconds go by, at most one record's share of the term; return the time."""
        gap = least + int((most - least) * self._rng.random())
        self._now += max(1, min(gap, self._share))
        return self._now

    def _catch_up(self) -> None:
        """Move to where the records made so far put us: in working hours, never back."""
        days, part = divmod(self.made * _DAYS / self._records, 1)
        self._now = max(self._now, self._start + int(days * _DAY + part * _WORKING))


def start(end: int) -> int:
    """Return when the term that ends at ``end`` began; both in milliseconds since 1970."""
    return end - _MARGIN - (_DAYS - 1) * _DAY - _WORKING
