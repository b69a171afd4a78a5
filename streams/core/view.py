"""One view of a row while it is being settled: what is known, and what comes to know it.

The posted view is given posted facts alone; the staff view the unposted ones. Each event is judged
by what was known before it, then it becomes what is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.core.evidence import cause_of
from streams.core.openings import (
    Opening,
    of_change,
    of_gap,
    of_other_section,
    of_override,
    of_scores,
    percent_of_possible,
)
from streams.core.rules import Kind
from streams.core.tracks import Cause, HeldOverride, Track, with_closing

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from streams.core.episodes import Episodes
    from streams.core.events import Instant, Percent
    from streams.core.rows import Change, Override, Scores
    from streams.core.ruleset import RuleSet

_replace: Final = msgspec.structs.replace


def known_after(track: Track, statements: Sequence[Scores], first: int) -> Track:
    """Return what is known after statements of scores.

    Args:
        track: What was known.
        statements: In order, each of an instant of its own.
        first: Which of the four scores is the view's: 0 for posted, 2 for unposted ones.
    """
    history, current, final = track.history, track.current, track.final
    closings, gaps, gap_at = track.closings, track.gaps, track.gap_at
    account, deleted = track.account_id, track.deleted
    for one in statements:
        if history and (one.old[first] != current or one.old[first + 1] != final):
            gaps, gap_at = gaps + 1, one.event_time
        history, current, final = history + 1, one.new[first], one.new[first + 1]
        deleted = one.workflow_state == "deleted"
        account = one.account_id or account
        if current is not None and not deleted:
            closings = with_closing(closings, one.event_time, current)
    return _replace(
        track, history=history, current=current, final=final, closings=closings, gaps=gaps,
        gap_at=gap_at, account_id=account, deleted=deleted,
    )  # fmt: skip


class View:
    """What one audience may know of a row.

    Attributes:
        posted: Whether it is the posted one.
        alerts: The alerts under way.
    """

    def __init__(self, rules: RuleSet, alerts: Episodes) -> None:
        """Take the track up that they have.

        Args:
            rules: In force.
            alerts: Under way in one of the views.
        """
        self._rules = rules
        self.posted = alerts.posted
        self.alerts = alerts

    @property
    def track(self) -> Track:
        """What is known."""
        return self.alerts.track

    @track.setter
    def track(self, known: Track) -> None:
        self.alerts.track = known

    def result(self) -> Track:
        """Return the track as it is now."""
        if self.alerts.held is self.track.episodes:
            return self.track
        return _replace(self.track, episodes=self.alerts.held)

    def score(self, scores: Scores, *, judged: bool) -> None:
        """Take a statement of the course's scores in; judged: rules may open on it."""
        track, at, first = self.track, scores.event_time, 0 if self.posted else 2
        cause = Cause(scores.offset, "course_grade_change", at, scores.event_id, scores.posted_id)
        deleted = scores.workflow_state == "deleted"
        opening = list[Opening]()
        if judged and not deleted:
            old, new = scores.old[first], scores.new[first]
            opening += of_scores(self._rules, track, at, old, new, posted=self.posted)
        known = known_after(track, (scores,), first)
        if deleted:  # what it says is no score any more
            self.track = _replace(track, gaps=known.gaps, gap_at=known.gap_at)
            self.alerts.end_all(at, "score_deleted", cause)
        self.track = known
        if not deleted and (opening or self.alerts.held or self._rules.gaps):
            if self.posted and judged:
                opening += of_gap(self._rules, self.track)
            self._look(cause, opening, track.history, _ON_SCORES)

    def override(self, override: Override, *, judged: bool) -> None:
        """Take a statement of an override in; of the staff view it says the account alone."""
        track, at, period = self.track, override.event_time, override.period
        track = _replace(track, account_id=override.account_id or track.account_id)
        if not self.posted:
            self.track = track
            return
        held = track.overrides.get(period or "")
        known = HeldOverride(override.new, at, override.enrollment_id)
        overrides = track.overrides | {period or "": known}
        if held is not None and of_other_section(_told(held), _told(known)):
            self.track = _replace(track, overrides=overrides)
            return
        cause = Cause(override.offset, "grade_override", at, override.event_id, override.event_id)
        lost = held is not None and override.old != held.score
        judged = judged and not track.deleted
        opening = [*of_override(self._rules, track, override)] if judged else []
        self.track = _replace(
            track,
            overrides=overrides,
            gaps=track.gaps + lost,
            gap_at=at if lost else track.gap_at,
        )
        if period is None and judged:
            opening += of_gap(self._rules, self.track)
        if opening or self.alerts.held:
            self._look(
                cause, opening, track.history, _ON_OVERRIDES, subject=period, now=override.new
            )

    def change(self, change: Change, *, judged: bool) -> None:
        """Take a grade change in that the audience may see; each view has its own to open on."""
        opening = list[Opening]()
        if judged and not self.track.deleted and bool(change.muted) is not self.posted:
            opening += of_change(self._rules, change)
        if change.assignment_id is not None and (opening or self.alerts.held):
            now = percent_of_possible(change.new)
            self._look(
                cause_of(change), opening, self.track.history, _ON_CHANGES,
                subject=change.assignment_id, now=now,
            )  # fmt: skip

    def _look(
        self,
        cause: Cause,
        opening: Iterable[Opening],
        history: int,
        kinds: Container[str],
        *,
        subject: str | None = None,
        now: Percent | None = None,
    ) -> None:
        """Look at the alerts an event concerns, and the rules it reaches, in order of rule ids.

        Args:
            cause: The event.
            opening: The rules it reaches.
            history: Score events before it.
            kinds: What it concerns.
            subject: The grading period or assignment it is about.
            now: What holds of that now.
        """
        alerts, at = self.alerts, cause.event_time
        reached = {one.rule.id: one for one in opening}
        known = {
            key.partition(":")[0]: key
            for key, one in alerts.held.items()
            if one.kind in kinds and one.subject == subject
        }
        for rule in sorted(known.keys() | reached.keys()):
            key = rule if subject is None else f"{rule}:{subject}"
            if subject is not None and key in alerts.held:
                alerts.put(key, _replace(alerts.held[key], now=now))
            if rule in reached and alerts.is_over(key, at):
                alerts.begin(key, reached[rule], cause, history)
            elif rule in known:
                alerts.move(key, cause)


_ON_SCORES: Final = {
    Kind.SCORE_DROP, Kind.SCORE_SLIDE, Kind.SCORE_BELOW, Kind.SCORE_VANISHED,
    Kind.OVERRIDE_GAP, Kind.OVERRIDE_REMOVED,
}  # fmt: skip
_ON_OVERRIDES: Final = {
    Kind.OVERRIDE_RAISED, Kind.OVERRIDE_LOWERED, Kind.OVERRIDE_REMOVED, Kind.OVERRIDE_GAP,
}  # fmt: skip
_ON_CHANGES: Final = {Kind.ASSIGNMENT_DROP}


def _told(held: HeldOverride) -> tuple[Percent | None, Instant, str | None]:
    return held.score, held.at, held.enrollment_id
