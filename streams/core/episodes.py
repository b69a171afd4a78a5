"""The alerts under way of one view of a row: each step of their lives, told as it is taken.

``inactive → pending → firing → (updated) → recovering → resolved``; docs/alerts.md says when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from streams.core.conditions import holds, is_known, recovered, size_of, threshold_of
from streams.core.evidence import likely_causes
from streams.core.instants import LAST, midnight, plus
from streams.core.openings import computed_of
from streams.core.rules import OverrideGap, OverrideMoved
from streams.core.ruleset import ScoreRule, matches
from streams.core.tracks import FIRING, PENDING, QUIET, RECOVERING, Cause, Episode, Track
from streams.core.transitions import (
    DEEPEN,
    FALLS,
    MOVED,
    OF_AN_OVERRIDE,
    Transition,
    grown,
    in_order,
    inputs_of,
    loudness,
    over,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from streams.core.events import Instant, Percent
    from streams.core.openings import Opening
    from streams.core.rows import Row
    from streams.core.rules import Rule
    from streams.core.ruleset import RuleSet
    from streams.core.transitions import Who

_replace: Final = msgspec.structs.replace


class _Step(NamedTuple):
    """What happens to an alert, and why."""

    transition: str
    reason: str
    at: Instant
    cause: Cause | None


class Episodes:
    """The alerts under way of one view.

    Attributes:
        posted: Whether it is the posted one.
        track: What is known; whoever changes that puts it here.
        held: The alerts, by key: the rule's id, or that and the subject.
    """

    def __init__(
        self,
        rules: RuleSet,
        row: Row,
        who: Who,
        tell: Callable[[Transition], None],
        *,
        posted: bool,
    ) -> None:
        """Take up those of a row."""
        self._rules, self._row, self._who, self._tell = rules, row, who, tell
        self.posted = posted
        self.track: Track = row.posted if posted else row.staff
        self.held = self.track.episodes

    def begin(self, key: str, one: Opening, cause: Cause, history: int) -> None:
        """Begin what an event reached, if the rule is about it."""
        rule, who, at = one.rule, self._who, cause.event_time
        if history < rule.min_history or not matches(
            rule, who.tenant, self.track.account_id, who.course_id, one.grader
        ):
            return
        changes = self._row.posted_grade_changes if self.posted else self._row.grade_changes
        episode = Episode(
            state=PENDING, kind=rule.kind, since=at, until=plus(at, rule.for_), began=cause,
            before=one.before, now=one.new, subject=one.subject, old=one.old, new=one.new,
            known=one.known, history=history, basis=one.basis,
            likely=likely_causes(changes, at) if isinstance(rule, ScoreRule) else (),
        )  # fmt: skip
        self.put(key, episode)
        if not rule.for_:
            self._decide(key, at, cause)

    def _decide(self, key: str, at: Instant, cause: Cause | None) -> None:
        """Open what was pending, or forget it."""
        episode, rule = self.held[key], self._rule(key)
        before, now = self._measured(rule, episode)
        if not holds(rule, before, now):
            self.put(key, None)
            return
        expires = rule.expire
        expires_at = (
            "" if expires is None
            else plus(at, expires) if isinstance(expires, int) else midnight(expires)
        )  # fmt: skip
        opened = _replace(
            episode, state=FIRING, until="", opened_at=at, expires_at=expires_at,
        )  # fmt: skip
        self._told(key, opened, _Step("opened", "threshold_reached", at, cause))
        if expires_at and expires_at <= at:
            self.end(key, at, "expired")

    def move(self, key: str, cause: Cause) -> None:
        """See what an event does to an alert under way."""
        episode, at = self.held[key], cause.event_time
        if episode.state not in {FIRING, RECOVERING}:
            return
        rule = self._rule(key)
        before, now = self._measured(rule, episode)
        if now is None and rule.kind in OF_AN_OVERRIDE:
            self.end(key, at, "override_removed", cause)
            return
        is_over = recovered(rule, before, now)
        if episode.state == RECOVERING:
            if not is_over and is_known(rule, before, now):
                again = _replace(episode, state=FIRING, until="")
                self._told(key, again, _Step("relapsed", "relapsed", at, cause))
            return
        if is_over:
            keep = rule.clear.keep_firing_for if rule.clear else 0
            if keep:
                waiting = _replace(episode, state=RECOVERING, until=plus(at, keep))
                self._told(key, waiting, _Step("recovering", "recovered", at, cause))
            else:
                self.end(key, at, over(rule), cause)
            return
        size = self._size(rule, episode, before, now)
        if size is None:
            return
        if loudness(rule.severity_at(size)) > loudness(episode.severity):
            self._told(key, episode, _Step("updated", "severity_raised", at, cause))
        elif rule.kind in DEEPEN and grown(size, episode) >= threshold_of(rule):
            self._told(key, episode, _Step("updated", "deepened", at, cause))

    def covering(self, step: Transition, held: dict[str, Episode]) -> str:
        """Return the unposted alert that told of a fall before it was posted; empty for none.

        Of the same kind, and at least as loud: nothing is kept from staff that they do not know.

        Args:
            step: The opening of the posted one.
            held: Where to look: those under way, or the last that was told at once.
        """
        if step.rule.kind not in FALLS or step.before is None or step.after is None:
            return ""
        for key, one in sorted(held.items()):
            after = self.track.current if held is self.held else one.new
            if (
                key in self._rules.by_id
                and one.kind == step.rule.kind
                and one.state in {FIRING, RECOVERING}
                and loudness(one.severity) >= loudness(step.episode.severity)
                and one.before is not None
                and after is not None
                and one.before >= step.before
                and after <= step.after
            ):
                return key
        return ""

    def posted_now(self, key: str, at: Instant, held: dict[str, Episode]) -> None:
        """Say that the fall an unposted alert told of is posted, unless that was so at once."""
        one = held[key]
        if one.opened_at >= at or one.is_posted:
            return
        one = _replace(one, is_posted=True)
        if held is self.held:
            self._told(key, one, _Step("updated", "posted", at, None))
            return
        step = _replace(one, seq=one.seq + 1)
        self.track = _replace(self.track, told={key: step})
        self._tell(
            Transition(
                self.posted, key, self._rule(key), step, "updated", "posted", at, None,
                one.before, one.new, gap=False,
                inputs={"before": one.before, "now": one.new},
            )
        )  # fmt: skip

    def end_all(self, at: Instant, reason: str, cause: Cause) -> None:
        """Resolve all that is under way."""
        for key in sorted(self.held, key=in_order):
            self.end(key, at, reason, cause)

    def end(
        self,
        key: str,
        at: Instant,
        reason: str,
        cause: Cause | None = None,
        *,
        cooldown: bool = True,
    ) -> None:
        """Resolve an alert, or forget what was pending."""
        episode, rule = self.held[key], self._rules.by_id.get(key.partition(":")[0])
        if rule is not None and episode.state in {FIRING, RECOVERING}:
            self._told(key, episode, _Step("resolved", reason, at, cause))
            if rule.cooldown and cooldown:
                self.put(key, Episode(
                    state=QUIET, kind=episode.kind, since=episode.since, began=episode.began,
                    subject=episode.subject, until=plus(at, rule.cooldown),
                ))  # fmt: skip
                return
        elif episode.state == QUIET:  # whatever comes of the rule
            return
        self.put(key, None)

    def next_timer(self) -> tuple[Instant, str]:
        """Return when the next timer is due, and of which alert; `LAST` and nothing for none."""
        if not self.held:
            return LAST, ""
        dues = [(due, *in_order(key)) for key, one in self.held.items() if (due := one.due)]
        due, rule, subject = min(dues, default=(LAST, "", ""))
        return due, f"{rule}:{subject}" if subject else rule

    def ring(self, key: str, at: Instant) -> None:
        """Do what was to be done at an alert's due time."""
        episode = self.held[key]
        if episode.state == PENDING:
            self._decide(key, at, None)
        elif episode.state == RECOVERING and episode.until <= at:
            self.end(key, at, over(self._rule(key)))
        else:
            self.end(key, at, "expired")

    def _rule(self, key: str) -> Rule:
        return self._rules.by_id[key.partition(":")[0]]

    def is_over(self, key: str, at: Instant) -> bool:
        """Tell whether an alert may open again."""
        episode = self.held.get(key)
        return episode is None or (episode.state == QUIET and episode.until <= at)

    def put(self, key: str, episode: Episode | None) -> None:
        """Hold an alert, or none, under a key."""
        self.held = {other: one for other, one in self.held.items() if other != key}
        if episode is not None:
            self.held[key] = episode

    def _measured(self, rule: Rule, episode: Episode) -> tuple[Percent | None, Percent | None]:
        """Return what a rule measures from, and what holds now."""
        if isinstance(rule, OverrideGap):
            return computed_of(rule.against, self.track), self.track.override
        if episode.subject is not None:
            return episode.before, episode.now
        if isinstance(rule, OverrideMoved):
            return episode.before, self.track.override
        return episode.before, self.track.current

    def _after(self, rule: Rule, episode: Episode, now: Percent | None) -> Percent | None:
        """Return what holds now: without an override, the final score does."""
        if now is None and rule.kind in MOVED and episode.subject is None:
            return self.track.known_final
        return now

    def _size(
        self, rule: Rule, episode: Episode, before: Percent | None, now: Percent | None
    ) -> Decimal | None:
        return size_of(rule, before, self._after(rule, episode, now))

    def _told(self, key: str, episode: Episode, step: _Step) -> None:
        """Take a step and say so."""
        transition, reason, at, cause = step
        rule = self._rule(key)
        before, now = self._measured(rule, episode)
        size = self._size(rule, episode, before, now)
        severity = episode.severity
        if transition in {"opened", "updated", "relapsed"}:
            severity = max(rule.severity_at(size), severity, key=loudness)
        told = _replace(
            episode, seq=episode.seq + 1, severity=severity,
            size=episode.size if size is None else float(size),
        )  # fmt: skip
        self.put(key, told)
        gap = bool(self.track.gap_at) and self.track.gap_at >= episode.since
        after = self._after(rule, episode, now)
        inputs = inputs_of(episode, told, transition, reason) | {"before": before, "now": now}
        if after != now:
            inputs["after"] = after
        self._tell(
            Transition(
                self.posted, key, rule, told, transition, reason, at, cause, before,
                after, gap, inputs,
            )
        )  # fmt: skip
