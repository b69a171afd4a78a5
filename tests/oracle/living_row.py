"""One student in one course, for one audience: what waits, what is known, the alerts alive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.oracle.living_facts import Facts, id_for, in_order
from tests.oracle.living_kinds import (
    Standing,
    Start,
    after,
    computed,
    is_concerned,
    item_of,
    size,
    standing,
)
from tests.oracle.living_kinds import start as begin
from tests.oracle.living_life import Episode, Subject, Timer, is_within, record, recovered
from tests.oracle.living_rules import FALLS, LOUDNESS, OVERRIDE_KINDS, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tests.oracle.living_rules import Rule

Fields = dict[str, Any]

DEEPENS: Final = ("score_drop", "score_slide", "assignment_drop", *OVERRIDE_KINDS)
"""Kinds with a size in points or percent."""


@dataclass
class Row:
    """See the module. ``told`` is what has been told, in order."""

    audience: str
    facts: dict[str, Facts] = field(default_factory=dict)
    waiting: list[tuple[str, Fields]] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    episodes: dict[Subject, Episode] = field(default_factory=dict)
    cooling: dict[Subject, datetime] = field(default_factory=dict)
    told: list[Fields] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing known."""
        views = ["posted"] if self.audience == "posted" else ["unposted", "posted"]
        self.facts = {view: Facts(view) for view in views}

    def hear(self, event: Fields, horizon: datetime | None) -> None:
        """Let an event wait that no view has seen, unless it comes too late to be taken."""
        for view, facts in self.facts.items():
            is_hidden = view == "posted" and bool(event.get("muted"))
            mark = view, id_for(view, event)
            if is_hidden or mark in self.seen:
                continue
            self.seen.add(mark)
            is_late = horizon is not None and moment(event["event_time"]) < horizon
            if not is_late or facts.is_newer(event):
                self.waiting.append((view, event))

    @property
    def due(self) -> datetime | None:
        """When the first thing is due that waits: an event, or the end of a time."""
        times = [moment(event["event_time"]) for _, event in self.waiting]
        return min([*times, *(timer.due for timer, _ in self._timers())], default=None)

    def work(self, horizon: datetime, rules: Sequence[Rule]) -> None:
        """Settle all that is before the horizon, in the order of time; events before timers."""
        every = in_order(self.waiting)
        ripe = [one for one in every if moment(one[1]["event_time"]) < horizon]
        self.waiting = every[len(ripe) :]
        for view, event in ripe:
            now = moment(event["event_time"])
            self._run_timers(now, rules)
            self._judge(view, event, now, rules)
        self._run_timers(horizon, rules)

    def switch(self, before: Sequence[Rule], rules: Sequence[Rule], at: datetime) -> None:
        """End what belongs to rules that are gone, or no longer live, or look elsewhere."""
        left = {(rule.id, rule.kind, rule.is_for("posted")) for rule in rules}
        for episode in self._in_order():
            [old] = [one for one in before if one.id == episode.rule.id]
            self._measure(episode, old, self.facts[episode.view])
            if (old.id, old.kind, old.is_for("posted")) not in left:
                self._end(episode, "rule_removed", at)

    # Time

    def end_cooldowns(self, rules: Sequence[Rule], at: datetime) -> None:
        """End the cooldowns that began after a time."""
        lengths = {rule.id: rule.seconds("cooldown") for rule in rules}
        self.cooling = {
            subject: until
            for subject, until in self.cooling.items()
            if until <= at + lengths.get(subject[0], timedelta())
        }

    def _timers(self) -> Iterator[tuple[Timer, Episode]]:
        for one in self.episodes.values():
            rule = one.rule
            for is_expiry, due in enumerate([one.due, one.expires]):
                if due is not None:
                    is_posted = one.view == "posted"
                    yield Timer(due, is_posted, rule.id, one.item or "", bool(is_expiry)), one

    def _run_timers(self, before: datetime, rules: Sequence[Rule]) -> None:
        while True:
            ripe = [each for each in self._timers() if each[0].due < before]
            if not ripe:
                return
            timer, episode = min(ripe, key=lambda each: each[0])
            [rule] = [one for one in rules if one.id == episode.rule.id]
            self._measure(episode, rule, self.facts[episode.view])
            if timer.is_expiry:
                self._end(episode, "expired", timer.due)
            elif episode.state == "recovering":
                self._end(episode, recovered(rule), timer.due)
            elif standing(rule, episode.begun, episode.item, self.facts[episode.view]) is (
                Standing.HOLDS
            ):
                self._open(episode, rule, timer.due)
            else:
                del self.episodes[episode.subject]

    # Events

    def _judge(self, view: str, event: Fields, now: datetime, rules: Sequence[Rule]) -> None:
        facts = self.facts[view]
        known = facts.copy()
        facts.take(event)
        if facts.is_deleted:
            for episode in self._in_order():
                if episode.view == view:
                    [rule] = [one for one in rules if one.id == episode.rule.id]
                    self._measure(episode, rule, known)  # what is withdrawn does not count
                    episode.event_time = now
                    self._end(episode, "score_deleted", now)
            return
        if known.is_second_section(event):
            return
        # What everybody sees of an assignment opens in the posted view.
        may_open = view == "posted" or event["type"] != "grade_change" or event.get("muted")
        for rule in rules:
            if not is_concerned(rule, event, view):
                continue
            alive = self.episodes.get((rule.id, item_of(rule, event), view))
            if alive is not None:
                self._follow(alive, rule, now)
            elif (
                may_open
                and rule.matches(event, facts.account)
                and (known.settled_scores >= rule.min_history)
            ):
                self._begin(rule, event, known, now, view)

    def _begin(self, rule: Rule, event: Fields, known: Facts, now: datetime, view: str) -> None:
        item = item_of(rule, event)
        begun = begin(rule, event, known, self.facts[view])
        until = self.cooling.get((rule.id, item, view))
        is_cooling = until is not None and now < until
        if begun is None or is_cooling:
            return
        episode = Episode(rule, item, view, begun, pending_since=now, event_time=now)
        self.episodes[episode.subject] = episode
        if rule.seconds("for"):
            episode.due = now + rule.seconds("for")
        else:
            self._open(episode, rule, now)

    def _follow(self, episode: Episode, rule: Rule, now: datetime) -> None:
        """Let an alert that is open follow what is known now."""
        episode.event_time = now
        if episode.state == "pending":
            return  # the state at the end of ``for`` decides
        self._measure(episode, rule, self.facts[episode.view])
        found = standing(rule, episode.begun, episode.item, self.facts[episode.view])
        if found is Standing.WITHDRAWN:
            self._end(episode, "override_removed", now)
        elif found is Standing.RECOVERED:
            if not rule.keep_firing_for:
                self._end(episode, recovered(rule), now)
            elif episode.state == "firing":
                episode.state, episode.due = "recovering", now + rule.keep_firing_for
                self._tell(episode, "recovering", "recovered", now)
        elif found is not Standing.UNKNOWN:
            self._worsen(episode, rule, now)

    def _worsen(self, episode: Episode, rule: Rule, now: datetime) -> None:
        louder = rule.severity_at(episode.size)
        is_louder = LOUDNESS.index(louder) > LOUDNESS.index(episode.severity)
        if is_louder:
            episode.severity = louder
        if episode.state == "recovering":
            episode.state, episode.due = "firing", None
            self._tell(episode, "relapsed", "relapsed", now)
        elif is_louder:
            self._tell(episode, "updated", "severity_raised", now)
        elif rule.kind in DEEPENS and episode.size is not None:
            assert rule.threshold is not None
            if episode.size >= (episode.told_size or 0) + rule.threshold:
                self._tell(episode, "updated", "deepened", now)

    # Life

    def _open(self, episode: Episode, rule: Rule, at: datetime) -> None:
        self._measure(episode, rule, self.facts[episode.view])
        episode.state, episode.opened_at, episode.due = "firing", at, None
        episode.severity = rule.severity_at(episode.size)
        if self.audience == "staff" and rule.view == "posted" and rule.kind in FALLS:
            self._link(episode, at)
        self._tell(episode, "opened", "threshold_reached", at)
        episode.expires = rule.expiry(at)
        if episode.expires is not None and episode.expires <= at:
            self._end(episode, "expired", at)

    def _link(self, posted: Episode, at: datetime) -> None:
        """Leave out a posted fall that an unposted alert tells, and say there that it is posted."""
        for told in self._in_order():
            is_fall = told.view == "unposted" and told.rule.kind == posted.rule.kind
            is_quiet = LOUDNESS.index(told.severity or "info") < LOUDNESS.index(posted.severity)
            if not is_fall or is_quiet or told.state == "pending" or not is_within(posted, told):
                continue
            posted.is_left_out = True
            if told.opened_at != at and not told.is_posted_told:
                told.is_posted_told = True
                self._tell(told, "updated", "posted", at)
            return

    def _end(self, episode: Episode, reason: str, at: datetime) -> None:
        del self.episodes[episode.subject]
        if episode.state == "pending":
            return
        if reason != "rule_removed" and episode.rule.seconds("cooldown"):
            self.cooling[episode.subject] = at + episode.rule.seconds("cooldown")
        self._tell(episode, "resolved", reason, at)

    def _measure(self, episode: Episode, rule: Rule, facts: Facts) -> None:
        episode.rule = rule
        episode.after = after(rule, episode.item, facts)
        if rule.kind == "override_gap":  # both of it move
            episode.begun = Start(computed(rule, facts))
        episode.size = size(rule, episode.begun.before, episode.item, facts)

    def _in_order(self) -> list[Episode]:
        """Return what is alive: what unposted rules told first, then by rule id."""
        return sorted(
            self.episodes.values(),
            key=lambda one: (one.view == "posted", one.rule.id, one.item or ""),
        )

    def _tell(self, one: Episode, transition: str, reason: str, at: datetime) -> None:
        one.seq += 1
        one.told_size = one.told_size if one.size is None else one.size
        if not one.is_left_out:
            gap = self.facts[one.view].gap
            has_gap = gap is not None and gap >= one.pending_since
            self.told.append(record(one, transition, reason, at, gap_suspected=has_gap))
