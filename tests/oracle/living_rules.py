"""The canonical JSON of a rules file → plain rules. Numbers are exact fractions, times seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORE_KINDS: Final = ("score_drop", "score_slide", "score_below", "score_vanished")
MOVES: Final = ("override_raised", "override_lowered", "override_removed")
OVERRIDE_KINDS: Final = (*MOVES, "override_gap")
FALLS: Final = ("score_drop", "score_slide", "score_below")
"""What is linked when it is posted."""

ALWAYS_LIVING: Final = ("score_slide", "score_below", "override_gap")
SIGNS_OF_LIFE: Final = ("for", "clear", "cooldown", "expire", "min_history")
LOUDNESS: Final = ("info", "warning", "critical")


def exact(number: float | str | None) -> Fraction | None:
    """Return a number as the decimal that was written.

    Example:
        >>> exact(70.1) - exact(60.1)
        Fraction(10, 1)
    """
    return None if number is None else Fraction(str(number))


def moment(instant: str) -> datetime:
    """Return a canonical instant as a time."""
    return datetime.fromisoformat(instant)


@dataclass(frozen=True)
class Rule:
    """One rule of the file; ``stated`` is what its canonical JSON says."""

    stated: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.stated["id"])

    @property
    def kind(self) -> str:
        return str(self.stated["kind"])

    @property
    def view(self) -> str:
        """Whose eyes it looks with; rules that are not on scores look at what is posted."""
        return str(self.stated.get("view", "posted"))

    @property
    def lives(self) -> bool:
        return self.kind in ALWAYS_LIVING or any(key in self.stated for key in SIGNS_OF_LIFE)

    def is_for(self, audience: str) -> bool:
        """Tell whether its alerts are for an audience: staff see all."""
        if audience == "staff":
            return True
        if self.kind in SCORE_KINDS:
            return self.view == "posted"
        return bool(self.stated.get("posted", self.kind == "assignment_drop"))

    @property
    def in_percent(self) -> bool:
        return "percent" in self.stated

    @property
    def threshold(self) -> Fraction | None:
        """Points or percent; of ``score_below`` the floor; of ``score_vanished`` none."""
        for name in ("points", "percent", "floor"):
            if name in self.stated:
                return Fraction(self.stated[name])
        return None

    def seconds(self, name: str) -> timedelta:
        """Return a duration: ``for``, ``cooldown``, ``window``; 0 where it is not stated."""
        return _duration(self.stated.get(name, "0s"))

    @property
    def recovery(self) -> Fraction:
        return Fraction(self.stated.get("clear", {}).get("recovery", 0))

    @property
    def keep_firing_for(self) -> timedelta:
        return _duration(self.stated.get("clear", {}).get("keep_firing_for", "0s"))

    @property
    def min_history(self) -> int:
        return int(self.stated.get("min_history", 0))

    def expiry(self, opened: datetime) -> datetime | None:
        """Return when an alert opened then ends at the latest; None: never. May be past."""
        written = self.stated.get("expire")
        if written is None:
            return None
        if written.endswith("s"):
            return opened + _duration(written)
        return datetime.fromisoformat(written).replace(tzinfo=UTC)

    def severity_at(self, size: Fraction | None) -> str:
        stated = self.stated["severity"]
        if isinstance(stated, str):
            return stated
        reached = [
            word
            for word in LOUDNESS
            if size is not None and word in stated and size >= Fraction(stated[word])
        ]
        return max([str(stated["default"]), *reached], key=LOUDNESS.index)

    def matches(self, event: Mapping[str, Any], account: str | None) -> bool:
        """Tell whether it is about the student and course of an event, and about who graded."""
        match = self.stated.get("match", {})
        who = {
            "tenants": event["tenant"],
            "accounts": account,
            "courses": event["course_id"],
            "graders": event.get("grader_id") or "automatic",
        }
        return all(_takes(match[name], one) for name, one in who.items() if name in match)


def living_rules(rules: Mapping[str, Any]) -> list[Rule]:
    """Return the living rules of a set in the order of their ids."""
    return sorted((rule for rule in _of_students(rules) if rule.lives), key=lambda rule: rule.id)


def single_shot_rules(rules: Mapping[str, Any]) -> list[Rule]:
    """Return those that alert at once, in file order."""
    return [rule for rule in _of_students(rules) if not rule.lives]


def _of_students(rules: Mapping[str, Any]) -> list[Rule]:
    every = map(Rule, rules.get("rules", ()))
    return [rule for rule in every if rule.kind != "feed_silent"]


def grace(rules: Mapping[str, Any]) -> timedelta:
    """Return how late an event may come; ten minutes unless stated."""
    return _duration(rules.get("grace", "600s"))


def _takes(ids: Mapping[str, Any], one: str | None) -> bool:
    if "in" in ids and one not in ids["in"]:
        return False
    return one not in ids.get("out", ())


def _duration(written: str) -> timedelta:
    assert written.endswith("s"), written
    return timedelta(seconds=int(written[:-1]))
