"""What is settled of a row, in the order of event time, with the timers of its alerts in between.

A function of the row and the rules alone: however a log is cut, or stopped in between, the same
comes of it. docs/alerts.md, "Time", says the order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.core.clock import Since
from streams.core.episodes import Episodes
from streams.core.instants import LAST
from streams.core.order import chained, in_order, newness
from streams.core.rows import Change, Override, Row, Scores, Settled
from streams.core.transitions import in_order as by_rule
from streams.core.view import View, known_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streams.core.events import Instant
    from streams.core.ruleset import RuleSet
    from streams.core.transitions import Transition, Who

_replace: Final = msgspec.structs.replace


def settle(
    rules: RuleSet, row: Row, who: Who, upto: Instant, since: Since
) -> tuple[Row, list[Transition]]:
    """Return a row with everything settled up to an instant, and what became of its alerts.

    Args:
        rules: In force.
        row: The row.
        who: Whom it is about.
        upto: The last instant that is settled.
        since: From where on the rules judge.

    Returns:
        The row (the same object where there was nothing to settle) and the transitions, in order.
    """
    if _next(row) > upto:
        return row, []
    settling = _Settling(rules, row, who, since)
    while True:
        event, (due, posted, key) = settling.next_event(), settling.next_timer()
        if min(event, due) > upto:
            return settling.result(upto), settling.transitions
        if event <= due:
            settling.take(event)
        else:
            settling.views[posted].alerts.ring(key, due)


def settle_quietly(row: Row, upto: Instant) -> Row | None:
    """Return a row that need not be looked at, with its scores settled up to an instant.

    What `wake` found not to matter opens nothing, so nothing is judged: this is the way of nearly
    every event, and comes to the same.

    Args:
        row: The row; its ``wake`` is 0.
        upto: The last instant that is settled.

    Returns:
        The row; None where there is more to settle than scores.
    """
    if row.waiting_overrides or row.waiting_changes:
        return None
    due: Sequence[Scores] = row.waiting_scores
    rest: tuple[Scores, ...] = ()
    if len(due) == 1:  # as nearly always
        if due[0].event_time > upto:
            return row
    else:
        rest = tuple([one for one in due if one.event_time > upto])
        due = sorted([one for one in due if one.event_time <= upto], key=newness)
        if not due:
            return row
        if any(newness(one) == newness(other) for one, other in pairwise(due)):
            return None
    posted, settled = known_after(row.posted, due, 0), row.settled
    alike = row.staff == row.posted and all(map(_alike, due))
    return _replace(
        row,
        staff=posted if alike else known_after(row.staff, due, 2),
        posted=posted,
        settled=_replace(settled, scores=max(newness(due[-1]), settled.scores)),
        waiting_scores=rest,
    )


def _alike(one: Scores) -> bool:
    """Tell whether both views say the same."""
    return one.new[:2] == one.new[2:] and one.old[:2] == one.old[2:]


def withdraw(
    old: RuleSet, new: RuleSet, row: Row, who: Who, at: Instant
) -> tuple[Row, list[Transition]]:
    """Return a row without the alerts of rules that are gone, and their resolutions.

    Args:
        old: In force until now.
        new: In force from now on.
        row: The row.
        who: Whom it is about.
        at: When the new ones were announced.
    """
    settling = _Settling(old, row, who, Since())
    for view in settling.views:
        for key in sorted(view.alerts.held, key=by_rule):
            if not _stays(old, new, key, posted=view.posted):
                view.alerts.end(key, at, "rule_removed", cooldown=False)
    return settling.result(""), settling.transitions


def _stays(old: RuleSet, new: RuleSet, key: str, *, posted: bool) -> bool:
    """Tell whether an alert's rule is still there: of the same kind, for the same eyes."""
    was, now = (rules.by_id.get(key.partition(":")[0]) for rules in (old, new))
    return (
        was is not None
        and now is not None
        and now.lives
        and now.kind is was.kind
        and now.is_posted is was.is_posted
        and new.is_of(now, posted=posted)
    )


class _Settling:
    """A row on its way: both views of it, and the events that wait.

    Attributes:
        views: The staff view, then the posted one: whoever learns of a fall by both learns of it
            by the first.
        transitions: What was told.
    """

    def __init__(self, rules: RuleSet, row: Row, who: Who, since: Since) -> None:
        self._since = since
        self.transitions: list[Transition] = []
        self.views = (
            View(rules, Episodes(rules, row, who, self.transitions.append, posted=False)),
            View(rules, Episodes(rules, row, who, self._tell, posted=True)),
        )
        self._linked = set(row.staff.linked)
        self._row = row
        self._changes = _oldest_last(row.waiting_changes)
        self._scores = _oldest_last(row.waiting_scores)
        self._overrides = _oldest_last(row.waiting_overrides)

    def next_event(self) -> Instant:
        """Return when the next event is."""
        first = LAST
        for queue in (self._changes, self._scores, self._overrides):
            if queue and queue[-1].event_time < first:
                first = queue[-1].event_time
        return first

    def next_timer(self) -> tuple[Instant, bool, str]:
        """Return when the next timer is due, whether of the posted view, and of which alert."""
        staff, posted = self.views
        (first, one), (second, other) = staff.alerts.next_timer(), posted.alerts.next_timer()
        return (first, False, one) if first <= second else (second, True, other)

    def take(self, at: Instant) -> None:
        """Settle the events of an instant: grade changes, scores, overrides."""
        staff, posted = self.views
        if changes := self._taken(self._changes, at):
            for change in _of_facts(changes, lambda one: one.assignment_id):
                staff.change(change, judged=self._judged(change))
            seen = [change for change in changes if not change.muted]
            for change in _of_facts(seen, lambda one: one.assignment_id):
                posted.change(change, judged=self._judged(change))
        while scores := self._taken(self._scores, at):
            for view in self.views:
                for one in in_order(scores, posted=view.posted):
                    view.score(one, judged=self._judged(one))
        while overrides := self._taken(self._overrides, at):
            for override in _of_facts(overrides, lambda one: one.period):
                for view in self.views:
                    view.override(override, judged=self._judged(override))

    def _judged(self, one: Scores | Override | Change) -> bool:
        """Tell whether the rules in force judge an event: not one that others have judged."""
        since = self._since
        return one.offset > since.offset or one.event_time > since.horizon

    def _taken(self, queue: list[Any], at: Instant) -> list[Any]:
        """Return the events of an instant and the least newness, and take them off."""
        taken: list[Any] = []
        while queue and queue[-1].event_time == at:
            if taken and newness(queue[-1]) != newness(taken[0]):
                break
            taken.append(queue.pop())
        return taken

    def _tell(self, step: Transition) -> None:
        """Tell what the posted view says, to staff too, unless they know from the other view."""
        staff = self.views[0].alerts
        opened = step.transition == "opened"
        covering = staff.covering(step, staff.held) if opened else ""
        if covering:
            self._linked.add(step.key)
        self.transitions.append(_replace(step, to_staff=step.key not in self._linked))
        if covering:
            staff.posted_now(covering, step.at, staff.held)
        if step.transition == "resolved":
            self._linked.discard(step.key)

    def result(self, upto: Instant) -> Row:
        """Return the row; what waits still is in the order of its arrival."""
        staff, posted = self.views
        row, linked = self._row, tuple(sorted(self._linked))
        unposted = staff.result()
        if linked != unposted.linked:
            unposted = _replace(unposted, linked=linked)
        return _replace(
            row,
            staff=unposted,
            posted=posted.result(),
            settled=_settled(row, upto),
            waiting_changes=_after(row.waiting_changes, upto),
            waiting_scores=_after(row.waiting_scores, upto),
            waiting_overrides=_after(row.waiting_overrides, upto),
        )


def _settled(row: Row, upto: Instant) -> Settled:
    """Return up to where events of each kind are settled."""
    was = row.settled
    if not (row.waiting_scores or row.waiting_changes or row.waiting_overrides):
        return was
    muted = [one for one in row.waiting_changes if one.muted]
    seen = [one for one in row.waiting_changes if not one.muted]
    return Settled(
        _newest(seen, upto, was.changes),
        _newest(muted, upto, was.muted_changes),
        _newest(row.waiting_scores, upto, was.scores),
        _newest(row.waiting_overrides, upto, was.overrides),
    )


def _newest(waiting: Sequence[Any], upto: Instant, was: str) -> str:
    if not waiting:
        return was
    return max((newness(one) for one in waiting if one.event_time <= upto), default=was)


def _oldest_last(waiting: Sequence[Any]) -> list[Any]:
    """Return what waits to be taken off one by one; of one newness the first that came first."""
    return sorted(waiting, key=newness)[::-1] if len(waiting) > 1 else [*waiting]


def _of_facts(statements: list[Any], fact_of: Callable[[Any], str | None]) -> Iterator[Any]:
    """Yield statements of one instant: fact by fact, the one that holds last."""
    for fact in sorted({fact_of(one) for one in statements}, key=lambda fact: fact or ""):
        told = {one.event_id: one for one in statements if fact_of(one) == fact}
        yield from chained(told, lambda one: one.old, lambda one: one.new)


def _after(waiting: tuple[Any, ...], upto: Instant) -> tuple[Any, ...]:
    if not waiting or min(one.event_time for one in waiting) > upto:
        return waiting
    return tuple(one for one in waiting if one.event_time > upto)


def _next(row: Row) -> Instant:
    """Return when something is to be settled."""
    first = LAST
    for waiting in (row.waiting_scores, row.waiting_overrides, row.waiting_changes):
        for one in waiting:
            first = min(first, one.event_time)
    for track in (row.posted, row.staff):
        for episode in track.episodes.values():
            if "" < (due := episode.due) < first:
                first = due
    return first
