"""The model of rules.yaml: what a rule of each kind may say. docs/alerts.md says what it means.

Rule kinds are alert kinds. The attributes have the keys' names, with ``_`` where Python needs it.
"""

from __future__ import annotations

import json
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field

from streams.core.rule_match import GradedMatch, Match, TenantMatch
from streams.core.rule_parts import (
    Clear,
    Duration,
    Expiry,
    FeedText,
    Kind,
    Loudness,
    Part,
    Percent,
    Points,
    RuleId,
    Severities,
    Severity,
    Silence,
    Size,
    Text,
    Window,
    Word,
)

if TYPE_CHECKING:
    from decimal import Decimal
    from typing import Any


class View(StrEnum):
    """Whose eyes a rule on scores looks with."""

    POSTED = "posted"  # what students see
    UNPOSTED = "unposted"  # also what they do not see yet: staff only


_NAME: Final = "Yours, unique; alerts name their rule by it."
_POSTED: Final = "Whether its alerts go to grade-alerts-posted, too."


_Matched = TypeVar("_Matched", bound=TenantMatch)


def _of_something(match: _Matched | None) -> _Matched | None:
    return match if match is not None and match.model_fields_set else None


_Match = AfterValidator(_of_something)  # `match: {}` says what no match says

Switch = Annotated[bool, Field(strict=True)]


class _Rule(Part):
    """What every rule has; seconds, percentage points."""

    id: RuleId = Field(description=_NAME)
    severity: Loudness = Field(description="How loud its alerts are; may depend on their size.")
    match: Annotated[Match | None, _Match] = Field(
        default=None, description="Whom it is about; without it, everybody."
    )
    for_: Duration = Field(
        default=0, alias="for", description="Settling time: it must still hold after it to alert."
    )
    clear: Clear | None = Field(default=None, description="When an alert has recovered.")
    cooldown: Duration = Field(
        default=0,
        description="How long after the end of an alert no new one opens on the same subject.",
    )
    expire: Expiry | None = Field(
        default=None,
        description="When an alert ends at the latest: so long after it opened, or on a day.",
    )
    text: Text | None = Field(
        default=None, description="What an alert says; {variables} are filled in."
    )

    @property
    def lives(self) -> bool:
        """Whether its alerts open, change and resolve; else each stands alone, at once."""
        return bool(self.for_ or self.clear or self.cooldown or self.expire)

    def severity_at(self, size: Decimal | None) -> Severity:
        """Return how loud an alert of a size is; None: it has none."""
        given = self.severity
        return given.at(size) if isinstance(given, Severities) else given


class _OnScores(_Rule):
    view: View = Field(default=View.POSTED, description="Whose eyes it looks with.")
    min_history: Annotated[int, Field(strict=True, ge=0, le=1000)] = Field(
        default=0, description="Score events of the student and course that must have come before."
    )

    @property
    def lives(self) -> bool:
        """Whether its alerts open, change and resolve; else each stands alone, at once."""
        return bool(super().lives or self.min_history)

    @property
    def is_posted(self) -> bool:
        """Whether its alerts are posted facts."""
        return self.view is View.POSTED


def _either(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": ["points"]}, {"required": ["percent"]}]


class Fall(_OnScores):
    """A score fell: by points, or by percent of what it was."""

    model_config = ConfigDict(json_schema_extra=_either)

    points: Size | None = Field(default=None, description="Percentage points, at least.")
    percent: Percent | None = Field(
        default=None, description="Percent of the score before, at least."
    )

    @property
    def threshold(self) -> Decimal:
        """What a size must be, at least: points, or percent of the score before."""
        size = self.points if self.percent is None else self.percent
        assert size is not None  # noqa: S101 - `load` found one of the two
        return size


class ScoreDrop(Fall):
    """A score fell by an event's own old and new."""

    kind: Literal[Kind.SCORE_DROP]


class ScoreSlide(Fall):
    """A score is below what it was within a window."""

    kind: Literal[Kind.SCORE_SLIDE]
    from_: Literal["peak", "median", "first"] = Field(
        alias="from", description="Which score of the window it is held against."
    )
    window: Window = Field(description="How far back, in days: 14d.")

    @property
    def lives(self) -> bool:
        """Always."""
        return True


class ScoreBelow(_OnScores):
    """A score crossed a floor."""

    kind: Literal[Kind.SCORE_BELOW]
    floor: Points = Field(description="The score at which, or below which, it alerts.")
    from_null: Switch = Field(default=False, description="Also where there was no score before.")

    @property
    def lives(self) -> bool:
        """Always."""
        return True

    @property
    def threshold(self) -> Decimal:
        """The floor."""
        return self.floor


class ScoreVanished(_OnScores):
    """There was a score, and there is none."""

    kind: Literal[Kind.SCORE_VANISHED]


class _Override(_Rule):
    min_history: ClassVar[int] = 0  # only scores have one

    points: Size = Field(description="Percentage points, at least.")
    posted: Switch = Field(default=False, description=_POSTED)

    @property
    def is_posted(self) -> bool:
        """Whether its alerts are for everybody's eyes: a choice."""
        return self.posted

    @property
    def threshold(self) -> Decimal:
        """Percentage points, at least."""
        return self.points


class OverrideMoved(_Override):
    """An override was set, changed or removed."""

    kind: Literal[Kind.OVERRIDE_RAISED, Kind.OVERRIDE_LOWERED, Kind.OVERRIDE_REMOVED]
    match: Annotated[GradedMatch | None, _Match] = Field(
        default=None, description="Whom it is about, and who graded."
    )


class OverrideGap(_Override):
    """An override and the computed score are apart."""

    kind: Literal[Kind.OVERRIDE_GAP]
    against: Literal["final_score", "current_score"] = Field(
        default="final_score", description="The computed score that the override is held against."
    )
    direction: Literal["either", "above", "below"] = Field(
        default="either", description="Where the override must be, seen from the computed score."
    )

    @property
    def lives(self) -> bool:
        """Always."""
        return True


class AssignmentDrop(_Override):
    """One assignment's score fell; percentage points of points possible."""

    kind: Literal[Kind.ASSIGNMENT_DROP]
    posted: Switch = Field(default=True, description=_POSTED)
    match: Annotated[GradedMatch | None, _Match] = Field(
        default=None, description="Whom it is about, and who graded."
    )


class FeedSilent(Part):
    """No grade event of a tenant came for some time: told to operators, about no student."""

    id: RuleId = Field(description=_NAME)
    kind: Literal[Kind.FEED_SILENT]
    silence: Silence = Field(description="For how long no event of a tenant must have come.")
    severity: Word = Field(description="How loud its alerts are.")
    match: Annotated[TenantMatch | None, _Match] = Field(
        default=None, description="Which tenants; without it, each that was ever heard of."
    )
    text: FeedText | None = Field(
        default=None, description="What an alert says; {variables} are filled in."
    )

    @property
    def lives(self) -> bool:
        """Always: its alerts open and resolve."""
        return True


Rule = (
    ScoreDrop | ScoreSlide | ScoreBelow | ScoreVanished | OverrideMoved | OverrideGap
    | AssignmentDrop
)  # fmt: skip
"""One rule about students, of any kind."""

AnyRule = Annotated[Rule | FeedSilent, Field(discriminator="kind")]
"""One rule, of any kind."""

GRACE: Final = 600
"""Seconds that an event may come late and still be judged in its place."""


class Rules(Part):
    """The whole file, in its order. ``grace`` in seconds."""

    grace: Duration = Field(
        default=GRACE, description="How late an event may come and still be judged in its place."
    )
    rules: tuple[AnyRule, ...] = Field(description="What alerts, one rule after the other.")

    @property
    def hash(self) -> str:
        """16 hex digits of the set's meaning: comments and layout do not change it."""
        return blake2b(self.canonical().encode(), digest_size=8).hexdigest()

    def canonical(self) -> str:
        """Return the set as JSON, the same for the same meaning; `Rules.model_validate_json`."""
        said = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def students(self) -> tuple[Rule, ...]:
        """The rules about students, in file order."""
        return tuple(rule for rule in self.rules if not isinstance(rule, FeedSilent))

    @property
    def feeds(self) -> tuple[FeedSilent, ...]:
        """The rules about feeds, in file order."""
        return tuple(rule for rule in self.rules if isinstance(rule, FeedSilent))
