"""Why a rule does not alert: each of its clauses, by the latest event that it could be about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from streams.core.clauses import Clause, clauses
from streams.core.clock import Since
from streams.core.conditions import size_of
from streams.core.events import Control, CourseGradeChange, GradeChange, GradeOverride, decode
from streams.core.evidence import plain
from streams.core.instants import DAY_SECONDS, instant, milliseconds, plus
from streams.core.life import settle
from streams.core.openings import baseline, computed_of, moved, percent_of_possible
from streams.core.replay import Replay
from streams.core.rules import (
    AssignmentDrop,
    Kind,
    OverrideGap,
    OverrideMoved,
    ScoreBelow,
    ScoreSlide,
)
from streams.core.ruleset import AUTOMATIC, ScoreRule, matches
from streams.core.tracks import FIRING, PENDING, QUIET, RECOVERING, Track, window
from streams.core.transitions import Who

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.core.events import GradeEvent, Instant
    from streams.core.rules import Rule, Rules
    from streams.core.tracks import Episode

_KEY: Final = b"nobody is told of this"
_STATES: Final = {
    PENDING: "pending: it settles until {until}",
    FIRING: "firing since {opened_at}",
    RECOVERING: "recovering until {until}",
    QUIET: "over, and silent until {until}",
}


class Answer(NamedTuple):
    """Why a rule does or does not alert.

    Attributes:
        rule: Its id.
        event: The latest event that it could be about; None: there was none.
        found: Its clauses by that event.
    """

    rule: str
    event: GradeEvent | None
    found: tuple[Clause, ...]


class History(NamedTuple):
    """What is known of a student in a course.

    Attributes:
        events: In the order of the log.
        rules: In force at its end.
        clock: Of the partition at its end; empty: none yet.
        held: The alerts under way at its end, by rule id, or rule id and subject.
    """

    events: Sequence[GradeEvent]
    rules: Rules
    clock: Instant
    held: dict[str, Episode]


def history(values: Sequence[bytes], replay: Replay, owner: bytes, course: str) -> History:
    """Return what is known of a student in a course once a log has been played.

    Args:
        values: The log's records about the student, and about nobody.
        replay: Has played them.
        owner: The student's key.
        course: The course's id.
    """
    told = []
    for value in values:
        try:
            event = decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if not isinstance(event, Control) and event.course_id == course:
            told.append(event)
    row = replay.rows.get((owner, course.encode()))
    held = {} if row is None else {**row.staff.episodes, **row.posted.episodes}
    partition = replay.partition
    return History(told, partition.rules.rules, partition.state.clock, held)


def why_not(known: History, rule: Rule) -> Answer:
    """Return a rule's clauses by the latest event that it could be about.

    Args:
        known: Of the student in the course.
        rule: The rule.
    """
    event = max(
        (one for one in known.events if isinstance(one, _looks_at(rule))),
        key=lambda one: one.event_time,
        default=None,
    )
    if event is None:
        return Answer(rule.id, None, (Clause("no event that it could be about", holds=False),))
    return Answer(rule.id, event, tuple(_found(known, rule, event)))


def _looks_at(rule: Rule) -> tuple[type[GradeEvent], ...]:
    if isinstance(rule, ScoreRule):
        return (CourseGradeChange,)
    if isinstance(rule, AssignmentDrop):
        return (GradeChange,)
    return (
        (GradeOverride,) if isinstance(rule, OverrideMoved) else (GradeOverride, CourseGradeChange)
    )


def _found(known: History, rule: Rule, event: GradeEvent) -> Iterator[Clause]:
    grader = getattr(event, "grader_id", None)
    if isinstance(event, GradeChange):
        grader = grader or AUTOMATIC
    if rule.match is not None:
        whom = f"account {event.account_id}, course {event.course_id}, graded by {grader}"
        about = matches(rule, event.tenant, event.account_id, event.course_id, grader)
        yield Clause(f"is about {whom}", about)
    before = _track(known, rule, event.event_time, seconds=-1)
    then = _track(known, rule, event.event_time, seconds=rule.for_)
    yield from _judged(rule, event, before, then)
    horizon = _horizon(known)
    if rule.lives:
        due = plus(event.event_time, rule.for_)
        text = f"due at {due}; judged up to {horizon or 'nothing yet'}, the clock less the grace"
        yield Clause(text, bool(horizon) and due <= horizon)
        for key, episode in sorted(known.held.items()):
            if key.partition(":")[0] == rule.id:
                words = _STATES[episode.state].format(
                    until=episode.until, opened_at=episode.opened_at
                )
                yield Clause(f"nothing under way; there is one {words}", holds=False)


def _horizon(known: History) -> Instant:
    if not known.clock:
        return ""
    return instant(milliseconds(known.clock) - 1000 * known.rules.grace - 1)


def _track(known: History, rule: Rule, at: Instant, seconds: int) -> Track:
    """Return what is known so many seconds after an instant; -1: just before it."""
    end = milliseconds(at) + 1000 * max(seconds, 0) - (1 if seconds < 0 else 0)
    replay = Replay(known.rules, _KEY)
    for event in known.events:
        if event.event_time <= instant(end):
            replay.event(event)
    replay.clock(instant(end + 1000 * known.rules.grace + 1))
    if not replay.rows:
        return Track()
    [(owner, item), row] = next(iter(replay.rows.items()))
    # Rows are not looked at where nothing can come of it; whoever asks looks all the same.
    tenant, _, student = owner.decode().rpartition(":")
    who = Who(tenant, student, item.decode())
    row, _ = settle(replay.partition.rules, row, who, instant(end), Since())
    unposted = isinstance(rule, ScoreRule) and not rule.is_posted
    return row.staff if unposted else row.posted


def _judged(rule: Rule, event: GradeEvent, before: Track, then: Track) -> Iterator[Clause]:
    inputs = _inputs(rule, event, before, then)
    if isinstance(event, CourseGradeChange) and event.workflow_state == "deleted":
        yield Clause("the scores are not deleted", holds=False)
    missing = [
        name for name in ("before", "new")
        if inputs[name] is None and not (name == "new" and _may_be_none(rule))
    ]  # fmt: skip
    if isinstance(rule, ScoreBelow) and inputs["new"] is not None:
        missing = []
    if missing:
        words = f"{plain(inputs['before'])} before, {plain(inputs['new'])} now: nothing to compare"
        yield Clause(words, holds=False)
        return
    if isinstance(rule, OverrideMoved):
        after = inputs["known"] if inputs["new"] is None else inputs["new"]
        size = size_of(rule, inputs["before"], after)
        kind = inputs["kind"]
        yield Clause(f"the event is {kind}, the rule {rule.kind}", kind == rule.kind)
        if size is None or kind != rule.kind:
            return
    yield from clauses(rule, "opened", "threshold_reached", inputs)


def _may_be_none(rule: Rule) -> bool:
    return rule.kind in {Kind.SCORE_VANISHED, Kind.OVERRIDE_REMOVED}


def _inputs(rule: Rule, event: GradeEvent, track: Track, then: Track) -> dict[str, Any]:
    """Return what a rule looks at, as an alert of it would say."""
    inputs: dict[str, Any] = {
        "before": None, "old": None, "new": None, "known": None, "basis": [],
        "history": track.history, "since": event.event_time,
        "due": plus(event.event_time, rule.for_), "now": then.current,
    }  # fmt: skip
    if isinstance(rule, OverrideGap):
        inputs |= {"before": computed_of(rule.against, then), "new": then.override}
        return inputs | {"old": inputs["before"], "now": then.override}
    if isinstance(event, CourseGradeChange):
        unposted = isinstance(rule, ScoreRule) and not rule.is_posted
        old = event.old_unposted_current_score if unposted else event.old_current_score
        new = event.unposted_current_score if unposted else event.current_score
        inputs |= {"before": old, "old": old, "new": new, "known": track.current}
        if isinstance(rule, ScoreSlide) and old is not None:
            basis = window(track.closings, event.event_time, rule.window // DAY_SECONDS)
            inputs |= {"basis": list(basis), "before": baseline(rule, basis, old)}
        elif isinstance(rule, ScoreBelow) and old is None:
            inputs["before"] = track.current
    elif isinstance(event, GradeChange):
        old = percent_of_possible((event.old_score, event.old_points_possible))
        new = percent_of_possible((event.score, event.points_possible))
        inputs |= {"before": old, "old": old, "new": new, "now": new}
    else:
        final = track.known_final if event.grading_period_id is None else None
        move = moved(event.old_override_score, event.override_score, final)
        inputs |= {
            "before": move and move.before, "old": event.old_override_score,
            "new": event.override_score, "known": final, "kind": move and move.kind,
            "now": then.override,
        }  # fmt: skip
    if not rule.lives:
        inputs["now"] = inputs["after"] = inputs["new"]
        if isinstance(rule, OverrideMoved) and inputs["new"] is None:
            inputs["after"] = inputs["known"]
    return inputs
