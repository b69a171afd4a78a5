"""Rules without a life: an event that reaches one alerts at once, and each such alert stands alone.

A drop is judged by the event's own old and new, whatever caused it, posting included; an override
by how far it moves the effective final score. Late events are judged, too, as long as the row can
tell that they were not judged before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from streams.core.conditions import holds, size_of
from streams.core.episodes import Episodes
from streams.core.events import CourseGradeChange, GradeChange, GradeOverride
from streams.core.evidence import likely_causes
from streams.core.history import Standing
from streams.core.openings import assignment_fall, moved, of_other_section, reached_by
from streams.core.order import is_withdrawn, posted_first
from streams.core.rows import Row
from streams.core.ruleset import AUTOMATIC, matches
from streams.core.tracks import FIRING, Cause, Episode
from streams.core.transitions import FALLS, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.core.events import GradeEvent, Percent
    from streams.core.rows import Override
    from streams.core.rules import Rule
    from streams.core.ruleset import Least, RuleSet
    from streams.core.scores import Applied
    from streams.core.transitions import Who

_replace: Final = msgspec.structs.replace


class Judgement(Struct, frozen=True, gc=False):
    """What the rules without a life said of one event.

    Attributes:
        row: The row to keep: it remembers what staff were told of unposted falls.
        steps: One for each rule that the event reached.
        no_baseline: Whether an override could not be judged: nothing to measure it against.
    """

    row: Row
    steps: Sequence[Transition] = ()
    no_baseline: bool = False


def judge(
    rules: RuleSet,
    before: Row | None,
    event: GradeEvent,
    applied: Applied,
    who: Who,
    *,
    offset: int,
) -> Judgement:
    """Return what rules without a life say of an event.

    Args:
        rules: In force.
        before: The row before the event.
        event: The event.
        applied: What ``scores.apply`` made of it; with a row.
        who: Whom it is about.
        offset: On ``grade-events``.
    """
    row = applied.row
    assert row is not None  # noqa: S101 - an event that was applied leaves a row
    if isinstance(event, GradeChange) and not rules.at_once_assignments:
        return Judgement(row)
    steps: list[Transition] = []
    if isinstance(event, CourseGradeChange):
        posted = applied.judged_posted and _may_reach(
            rules.at_once_least[True], event.old_current_score, event.current_score
        )
        unposted = applied.judged and _may_reach(
            rules.at_once_least[False],
            event.old_unposted_current_score,
            event.unposted_current_score,
        )
        if event.workflow_state == "deleted" or not (posted or unposted):
            return Judgement(row)
        cause = Cause(
            offset, "course_grade_change", event.event_time, event.event_id,
            event.posted_id or event.event_id,
        )  # fmt: skip
        judging = _Judging(rules, row, who, steps)
        if unposted:
            judging.unposted(event, cause, applied)
        if posted:
            judging.posted(event, cause, before)
        return Judgement(judging.row(), steps)
    if isinstance(event, GradeOverride):
        judging = _Judging(rules, row, who, steps)
        return Judgement(row, steps, judging.override(before, event, applied, offset))
    if applied.standing is Standing.NEWER:
        _Judging(rules, row, who, steps).assignment(event, offset)
    return Judgement(row, steps)


def _may_reach(least: Least, old: Percent | None, new: Percent | None) -> bool:
    """Tell whether a move from one score to another may reach a rule."""
    return least.may_drop(old, new) or (least.vanished and new is None and old is not None)


class _Judging:
    def __init__(self, rules: RuleSet, row: Row, who: Who, steps: list[Transition]) -> None:
        self._rules, self._row, self._who, self._steps = rules, row, who, steps
        self._staff = Episodes(rules, row, who, steps.append, posted=False)

    def row(self) -> Row:
        track = self._staff.track
        return self._row if track is self._row.staff else _replace(self._row, staff=track)

    def unposted(self, event: CourseGradeChange, cause: Cause, applied: Applied) -> None:
        """Judge what staff alone see."""
        old, new = event.old_unposted_current_score, event.unposted_current_score
        late = applied.standing is Standing.LATE
        now = self._row.scores[0].new[2] if late else None
        for rule in self._reached(old, new, posted=False):
            step = self._step(rule, cause, old, new, posted=False, late=late, score_now=now)
            self._steps.append(step)
            if rule.kind in FALLS and not late:
                self._staff.track = _replace(self._staff.track, told={rule.id: step.episode})

    def posted(self, event: CourseGradeChange, cause: Cause, before: Row | None) -> None:
        """Judge what everybody sees, by nothing else."""
        old, new = event.old_current_score, event.current_score
        reached = [*self._reached(old, new, posted=True)]
        if not reached:
            return
        newest = posted_first(self._row.scores)
        late = newest.posted_id != cause.posted_id
        extra: dict[str, Any] = {"late": late, "score_now": newest.new[0] if late else None}
        if before is not None and before.scores and not late:
            known = posted_first(before.scores)
            extra["gap"] = known.new[:2] != (old, event.old_final_score)
        for rule in reached:
            step = self._step(rule, cause, old, new, posted=True, **extra)
            covering = self._staff.covering(step, self._staff.track.told)
            self._steps.append(_replace(step, to_staff=not covering))
            if covering:
                self._staff.posted_now(covering, step.at, self._staff.track.told)

    def _reached(self, old: Percent | None, new: Percent | None, *, posted: bool) -> Iterator[Rule]:
        for rule in self._rules.at_once_scores[posted]:
            if old is not None and holds(rule, old, new) and self._is_about(rule):
                yield rule

    def override(
        self, before: Row | None, event: GradeOverride, applied: Applied, offset: int
    ) -> bool:
        """Judge an override; return whether there was nothing to measure it against."""
        row, period = self._row, event.grading_period_id
        if not applied.judged or _second_section(before, event):
            return False
        # A grading period's override is measured by its own pair: its final score is not in any
        # event. What is known by the posted scores alone is the same for everybody.
        final = posted_first(row.scores).new if row.scores and period is None else (None, None)
        baseline = None if final[0] is None else final[1]
        move = moved(event.old_override_score, event.override_score, baseline)
        if move is None:
            return True
        cause = Cause(offset, "grade_override", event.event_time, event.event_id, event.event_id)
        late = applied.standing is Standing.LATE
        for rule in reached_by(move, self._rules.at_once_moves):
            if self._is_about(rule, event.grader_id or AUTOMATIC):
                self._steps.append(
                    self._step(
                        rule, cause, move.before, move.after, posted=True, subject=period,
                        late=late, score_now=_now(row, period) if late else None,
                    )
                )  # fmt: skip
        return False

    def assignment(self, event: GradeChange, offset: int) -> None:
        """Judge one assignment's score: muted ones are for staff alone."""
        fall = assignment_fall(
            (event.old_score, event.old_points_possible), (event.score, event.points_possible)
        )
        if fall is None or is_withdrawn(self._row.scores):
            return
        before, after = fall
        cause = Cause(offset, "grade_change", event.event_time, event.event_id, event.event_id)
        for rule in self._rules.at_once_assignments:
            grader = event.grader_id or AUTOMATIC
            if holds(rule, before, after) and self._is_about(rule, grader):
                self._steps.append(
                    self._step(
                        rule, cause, before, after, posted=not event.muted,
                        subject=event.assignment_id,
                    )
                )  # fmt: skip

    def _is_about(self, rule: Rule, grader: str | None = None) -> bool:
        who = self._who
        return matches(rule, who.tenant, self._row.account_id, who.course_id, grader)

    def _step(
        self,
        rule: Rule,
        cause: Cause,
        before: Percent | None,
        after: Percent | None,
        *,
        posted: bool,
        subject: str | None = None,
        gap: bool = False,
        late: bool = False,
        score_now: Percent | None = None,
    ) -> Transition:
        size = size_of(rule, before, after)
        row, moment = self._row, cause.event_time
        changes = row.posted_grade_changes if posted else row.grade_changes
        episode = Episode(
            state=FIRING, kind=rule.kind, since=moment, began=cause, before=before,
            subject=subject, opened_at=moment, seq=1, severity=rule.severity_at(size),
            old=before, new=after,
            likely=likely_causes(changes, moment) if cause.event == "course_grade_change" else (),
        )  # fmt: skip
        return Transition(
            posted, rule.id, rule, episode, "opened", "threshold_reached", moment, None, before,
            after, gap=gap, inputs={"before": before, "now": after}, late=late,
            score_now=score_now,
        )  # fmt: skip


def _now(row: Row, period: str | None) -> Percent | None:
    """Return what holds now of that which an override is about: the course, or a period."""
    if period is not None:
        return row.period_overrides[period][0].new
    if row.override_score is not None or not row.scores:
        return row.override_score
    return posted_first(row.scores).new[1]


def _second_section(before: Row | None, event: GradeOverride) -> bool:
    """Tell whether this is the same override, told again for the student's other enrolment."""
    if before is None:
        return False
    period = event.grading_period_id
    held: tuple[Override, ...] = (
        before.override if period is None else before.period_overrides.get(period, ())
    )
    return bool(held) and of_other_section(
        (held[0].new, held[0].event_time, held[0].enrollment_id),
        (event.override_score, event.event_time, event.enrollment_id),
    )
