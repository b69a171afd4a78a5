"""Which living rules an event reaches: what would open, judged by what was known before it.

Whether it does is for ``view`` to say: an alert may be under way already, or the rule may be about
other courses.
"""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from streams.core.conditions import crosses, decimal, holds, size_of
from streams.core.events import LARGEST, Percent
from streams.core.instants import DAY_SECONDS, milliseconds
from streams.core.rules import Kind, Rule, ScoreBelow, ScoreDrop, ScoreSlide
from streams.core.ruleset import AUTOMATIC
from streams.core.tracks import peak, window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.core.events import Instant, Points
    from streams.core.rows import Change, Override
    from streams.core.rules import OverrideMoved
    from streams.core.ruleset import Least, RuleSet
    from streams.core.tracks import Track

Pair = tuple["Points | None", "Points | None"]
"""Score and points possible."""


class Opening(Struct, frozen=True, gc=False):
    """A rule that an event reaches. Percent and percentage points.

    Attributes:
        rule: The rule.
        before: What it is measured from.
        old: What was before, as the event says it.
        new: What the event says.
        subject: The grading period or assignment it is about; None: the course.
        basis: The scores of a slide's window.
        known: The score known before the event, of a floor; the final score, of an override.
        grader: Who graded; None: nobody is asked for.
    """

    rule: Rule
    before: Percent | None
    old: Percent | None
    new: Percent | None
    subject: str | None = None
    basis: tuple[Percent, ...] = ()
    known: Percent | None = None
    grader: str | None = None


def of_scores(
    rules: RuleSet,
    track: Track,
    at: Instant,
    old: Percent | None,
    new: Percent | None,
    *,
    posted: bool,
) -> Iterator[Opening]:
    """Yield the rules on scores that a move from one score to another reaches.

    Args:
        rules: In force.
        track: What was known before.
        at: When.
        old: What was before, as the event says it.
        new: What it is now.
        posted: Which view.
    """
    least = rules.least[posted]
    drops, slides = least.may_drop(old, new), _may_slide(least, track, old, new)
    if not (drops or slides or (least.vanished if new is None else new <= least.floor)):
        return
    earlier = track.current if old is None else old
    for rule in rules.scores[posted]:
        if isinstance(rule, ScoreDrop):
            if drops and holds(rule, old, new):
                yield Opening(rule, old, old, new)
        elif isinstance(rule, ScoreSlide):
            if slides and old is not None:
                yield from _of_slide(rule, track, at, old, new)
        elif isinstance(rule, ScoreBelow):
            if crosses(rule, track.current, old, new):
                # Where something was lost, the event's own old value may be below the floor, too.
                above = old is not None and decimal(old) > rule.floor
                before = old if above else track.current
                yield Opening(rule, before, old, new, known=track.current)
        elif new is None and earlier is not None:
            yield Opening(rule, earlier, old, new, known=track.current)


def _may_slide(least: Least, track: Track, old: Percent | None, new: Percent | None) -> bool:
    """Tell whether a score may have slid far enough for a rule: the event must lower it."""
    if not least.slides or old is None or new is None or new >= old:
        return False
    return least.may_slide(max(peak(track.closings), old) if track.closings else old, new)


def _of_slide(
    rule: ScoreSlide, track: Track, at: Instant, old: Percent, new: Percent | None
) -> Iterator[Opening]:
    basis = window(track.closings, at, rule.window // DAY_SECONDS)
    before = baseline(rule, basis, old)
    if before is not None and holds(rule, before, new):
        yield Opening(rule, before, old, new, basis=basis)


def baseline(rule: ScoreSlide, basis: tuple[Percent, ...], old: Percent) -> Percent | None:
    """Return what a slide is measured from: peak, median or first score of its window.

    Args:
        rule: Which of them.
        basis: The scores of the window, oldest first.
        old: The score just before the event; a peak too.

    Returns:
        None where no score of the window is known.
    """
    if rule.from_ == "peak":
        return max((*basis, old))
    if not basis:
        return None
    return basis[0] if rule.from_ == "first" else float(median(map(decimal, basis)))


SECTION_SECONDS: Final = 60
"""A student with two sections gets one override event per enrolment, this far apart at most."""


def of_other_section(
    held: tuple[Percent | None, Instant, str | None],
    told: tuple[Percent | None, Instant, str | None],
) -> bool:
    """Tell whether an override is told again for the student's other enrolment.

    Args:
        held: Score, time and enrolment of the override that is known.
        told: Of the one at hand.
    """
    return (
        held[0] == told[0]
        and held[2] is not None
        and told[2] is not None
        and held[2] != told[2]
        and abs(milliseconds(told[1]) - milliseconds(held[1])) <= 1000 * SECTION_SECONDS
    )


class Moved(NamedTuple):
    """How an override moves the effective final score. Percent."""

    kind: Kind
    before: Percent
    after: Percent


def moved(old: Percent | None, new: Percent | None, final: Percent | None) -> Moved | None:
    """Return how far an override moves the effective final score.

    Args:
        old: The override before; None: there was none.
        new: The override now; None: removed.
        final: The final score that holds without one; None: unknown.

    Returns:
        None where there is nothing to measure it against.

    Example:
        >>> moved(None, 90.0, 84.25)
        Moved(kind=<Kind.OVERRIDE_RAISED: 'override_raised'>, before=84.25, after=90.0)
        >>> moved(None, 90.0, None) is None
        True
    """
    before, after = (final if old is None else old), (final if new is None else new)
    if before is None or after is None:
        return None
    if new is None:
        return Moved(Kind.OVERRIDE_REMOVED, before, after)
    kind = Kind.OVERRIDE_RAISED if after > before else Kind.OVERRIDE_LOWERED
    return Moved(kind, before, after)


def reached_by(move: Moved, rules: Iterable[OverrideMoved]) -> Iterator[OverrideMoved]:
    """Yield the rules on overrides that a move reaches."""
    for rule in rules:
        size = size_of(rule, move.before, move.after)
        if rule.kind is move.kind and size is not None and size >= rule.threshold:
            yield rule


def of_override(rules: RuleSet, track: Track, override: Override) -> Iterator[Opening]:
    """Yield the rules that an override's move of the effective final score reaches.

    An override of a grading period is measured by its own pair alone: its final score is in no
    event.
    """
    final = track.known_final if override.period is None else None
    move = moved(override.old, override.new, final) if rules.moves else None
    if move is None:
        return
    for rule in reached_by(move, rules.moves):
        yield Opening(
            rule, move.before, override.old, override.new, override.period,
            known=final, grader=override.grader_id or AUTOMATIC,
        )  # fmt: skip


def of_gap(rules: RuleSet, track: Track) -> Iterator[Opening]:
    """Yield the rules by which an override and the computed score are too far apart."""
    for rule in rules.gaps if track.override is not None else ():
        computed = computed_of(rule.against, track)
        if computed is not None and holds(rule, computed, track.override):
            yield Opening(rule, computed, computed, track.override)


def computed_of(against: str, track: Track) -> Percent | None:
    """Return the computed score that an override is held against; None: unknown."""
    return track.current if against == "current_score" else track.known_final


_MOST: Final = Decimal(LARGEST)
_SCALE: Final = 4
"""Digits of an assignment's percent: 1 of 3 points is 33.3333."""


def percent_of_possible(pair: Pair) -> Percent | None:
    """Return an assignment's score as percent of points possible; None where it has none.

    Example:
        >>> percent_of_possible((1, 3)), percent_of_possible((5, 0)), percent_of_possible((None, 5))
        (33.3333, None, None)
        >>> percent_of_possible((1, 1e-300))
        1000000.0
    """
    score, possible = pair
    if score is None or possible is None or possible <= 0:
        return None
    percent = 100 * decimal(score) / decimal(possible)  # of nearly no points it may be anything
    return float(round(max(-_MOST, min(percent, _MOST)), _SCALE))


def assignment_fall(old: Pair, new: Pair) -> tuple[Percent, Percent] | None:
    """Return an assignment's percent before and after; None where it cannot have fallen.

    A change that only posts, hides, excuses or rescales leaves the score as it was.
    """
    before, after = percent_of_possible(old), percent_of_possible(new)
    if before is None or after is None or old[0] == new[0]:
        return None
    return before, after


def of_change(rules: RuleSet, change: Change) -> Iterator[Opening]:
    """Yield the rules that one assignment's fall reaches."""
    fall = assignment_fall(change.old, change.new)
    if fall is None:
        return
    before, after = fall
    for rule in rules.assignments:
        if holds(rule, before, after) and change.assignment_id is not None:
            yield Opening(
                rule, before, before, after, change.assignment_id,
                grader=change.grader_id or AUTOMATIC,
            )  # fmt: skip
