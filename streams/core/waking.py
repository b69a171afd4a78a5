"""When a row is to be looked at although no event of it comes.

Whatever need not be looked at is settled with the row's next event, and comes to the same: so most
events are settled in passing.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from streams.core.instants import LAST, milliseconds
from streams.core.openings import of_scores
from streams.core.packed import NO_TIMER
from streams.core.tracks import QUIET, peak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.rows import Change, Row, Scores
    from streams.core.ruleset import Least, RuleSet
    from streams.core.tracks import Track


def wake(rules: RuleSet, row: Row) -> int:
    """Return when a row is to be looked at although no event of it comes.

    Whatever need not be looked at is settled with the row's next event, and comes to the same.

    Args:
        rules: In force.
        row: The row.

    Returns:
        Milliseconds since 1970; `NO_TIMER` where an alert is open, and nothing due; 0 for never.
    """
    is_open, due = False, LAST
    for track in (row.posted, row.staff):
        for episode in track.episodes.values():
            is_open |= episode.state != QUIET
            due = min(due, episode.due or LAST)
    if is_open or _may_matter(rules, row):
        for waiting in (row.waiting_scores, row.waiting_overrides, row.waiting_changes):
            for one in waiting:
                due = min(due, one.event_time)
    if due < LAST:
        return max(milliseconds(due), 1)
    return NO_TIMER if is_open else 0


def _may_matter(rules: RuleSet, row: Row) -> bool:
    """Tell whether an event that waits may open an alert; rather once too often."""
    if row.waiting_changes and rules.assignments and any(map(_fell, row.waiting_changes)):
        return True
    if row.waiting_overrides and (rules.moves or rules.gaps):
        return True
    waiting = row.waiting_scores
    if not waiting:
        return False
    if rules.gaps and row.posted.overrides:
        return True
    return _may_open(rules, row.posted, waiting, posted=True) or _may_open(
        rules, row.staff, waiting, posted=False
    )


def _may_open(rules: RuleSet, track: Track, waiting: Sequence[Scores], *, posted: bool) -> bool:
    """Tell whether scores that wait may open an alert of a view; of one alone, whether it does."""
    least, first = rules.least[posted], 0 if posted else 2
    if not least.any:
        return False
    if len(waiting) > 1:
        return _falls(least, track, waiting, first)
    [one] = waiting
    old, new, known = one.old[first], one.new[first], track.current
    if (old is not None and new is not None and old <= new and (known is None or known <= new)) or (
        one.workflow_state == "deleted"
    ):
        return False
    for opening in of_scores(rules, track, one.event_time, old, new, posted=posted):
        rule, held = opening.rule, track.episodes.get(opening.rule.id)
        if track.history >= rule.min_history and (held is None or held.until <= one.event_time):
            return True
    return False


def _fell(change: Change) -> bool:
    """Tell whether an assignment's score fell, as percent of points possible."""
    (old, old_possible), (new, possible) = change.old, change.new
    if old is None or new is None or old == new or not old_possible or not possible:
        return False
    return old / old_possible > new / possible


def _falls(least: Least, track: Track, waiting: Sequence[Scores], which: int) -> bool:
    """Tell whether moves of a score may reach a rule, in whatever order they are settled."""
    olds = [one.old[which] for one in waiting]
    news = [one.new[which] for one in waiting]
    if any(map(least.may_drop, olds, news)):
        return True
    known = [score for score in (*olds, *news, track.current) if score is not None]
    lowest = min((new for new in news if new is not None), default=inf)
    highest = max(known, default=-inf)
    if least.vanished and known and None in news:
        return True
    if lowest <= least.floor and least.may_cross(
        lowest, highest, unknown=track.current is None or None in olds
    ):
        return True
    if not least.slides or lowest == inf:
        return False
    if track.closings:
        highest = max(highest, peak(track.closings))
    return least.may_slide(highest, lowest)
