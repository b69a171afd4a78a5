"""What rules are made of: durations, sizes, severities, what an alert says."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from string import Formatter
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    WithJsonSchema,
    model_validator,
)

from streams.core.complaints import did_you_mean
from streams.core.durations import seconds

VARIABLES: Final = (
    "rule", "kind", "severity", "view", "tenant", "student_id", "course_id",
    "before", "after", "change", "size", "threshold", "since",
)  # fmt: skip
"""What a rule's text may name. Scores and sizes as people write them: ``84.25``."""

FEED_VARIABLES: Final = ("rule", "kind", "severity", "tenant", "silence", "since")
"""What the text of a rule about a feed may name; ``since``: the time of its last event."""

_WRITTEN: Final = "^[0-9]{1,9} ?[smhd]$"
_ID: Final = "[a-z0-9][a-z0-9_-]{0,63}"


class Kind(StrEnum):
    """What happened. A rule's kind is the kind of its alerts."""

    SCORE_DROP = "score_drop"  # posted current_score fell, by the event's own old and new
    SCORE_SLIDE = "score_slide"  # small steps add up, against the peak, median or first of a window
    SCORE_BELOW = "score_below"  # it crossed a floor
    SCORE_VANISHED = "score_vanished"  # there was one, and there is none
    OVERRIDE_RAISED = "override_raised"  # an override lifted the effective final score
    OVERRIDE_LOWERED = "override_lowered"
    OVERRIDE_REMOVED = "override_removed"  # taking it away moved the score, either way
    OVERRIDE_GAP = "override_gap"  # override and computed score are apart, whichever moved
    ASSIGNMENT_DROP = "assignment_drop"  # one assignment's score, percent of points possible
    FEED_SILENT = "feed_silent"  # no event of a tenant came: about no student, for operators


class Part(BaseModel):
    """A part of a rule; an unknown key in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _id(written: str) -> str:
    if re.fullmatch(_ID, written):
        return written
    near = re.sub(r"[^a-z0-9_-]+", "-", written.lower()).strip("-_")
    hint = f", did you mean '{near}'?" if re.fullmatch(_ID, near) else ""
    raise ValueError(f"must be 1 to 64 small letters, digits, '-' and '_'{hint}")


RuleId = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": f"^{_ID}$"})]
"""The name of a rule."""

Duration = Annotated[
    int,
    BeforeValidator(seconds, json_schema_input_type=Annotated[str, Field(pattern=_WRITTEN)]),
    PlainSerializer(lambda length: f"{length}s", return_type=str),
]
"""Seconds; written with a unit, such as ``12h``."""


LEAST_SILENCE: Final = 600
"""Seconds of silence that can be told from a pause: the clock of a feed that is idle goes by 30."""


def _silence(length: int) -> int:
    if length < LEAST_SILENCE:
        raise ValueError("must be at least 10m: what is shorter is a pause")
    return length


Silence = Annotated[
    int,
    BeforeValidator(seconds, json_schema_input_type=Annotated[str, Field(pattern=_WRITTEN)]),
    AfterValidator(_silence),
    PlainSerializer(lambda length: f"{length}s", return_type=str),
]
"""Seconds, at least `LEAST_SILENCE`."""


def _days(length: int) -> int:
    if length % 86_400 or not length:
        near = max(1, round(length / 86_400))
        raise ValueError(f"must be whole days, at least 1d, did you mean '{near}d'?")
    return length


Window = Annotated[
    int,
    BeforeValidator(seconds, json_schema_input_type=Annotated[str, Field(pattern=_WRITTEN)]),
    AfterValidator(_days),
    PlainSerializer(lambda length: f"{length}s", return_type=str),
]
"""Seconds of whole days."""


def _expiry(written: object) -> int | date:
    text = written if isinstance(written, str) else ""
    if re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"there is no day {text}: write it as 2026-12-20") from None
    if length := seconds(written, "a duration such as 120d, or a day such as 2026-12-20"):
        return length
    raise ValueError("must be more than 0: leave it out, and it never expires")


Expiry = Annotated[
    int | date,
    BeforeValidator(_expiry),
    PlainSerializer(
        lambda end: end.isoformat() if isinstance(end, date) else f"{end}s", return_type=str
    ),
    WithJsonSchema(
        {"type": "string", "pattern": r"^([0-9]{1,9} ?[smhd]|[0-9]{4}-[0-9]{2}-[0-9]{2})$"}
    ),
]
"""Seconds after the opening, or the day on which (00:00 UTC) it ends."""


def plain(number: Decimal) -> Decimal:
    """Return the one way to write a number: 10, not 10.0 or 1E+1, so that hashes are equal.

    Example:
        >>> plain(Decimal("10.0")), plain(Decimal("1E+2")), plain(Decimal("-0"))
        (Decimal('10'), Decimal('100'), Decimal('0'))
    """
    return Decimal(format(number.normalize() + 0, "f"))


_NUMBER: Final = Field(le=1000, allow_inf_nan=False, decimal_places=6)
Size = Annotated[Decimal, _NUMBER, Field(gt=0), AfterValidator(plain)]
"""Percentage points; more than 0."""

Points = Annotated[Decimal, _NUMBER, Field(ge=0), AfterValidator(plain)]
"""Percentage points; 0 too."""

Percent = Annotated[
    Decimal, Field(gt=0, le=100, allow_inf_nan=False, decimal_places=6), AfterValidator(plain)
]
"""Percent of the score before."""


class Severity(StrEnum):
    """How loud. Alertmanager's usual three."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Severities(Part):
    """A severity by size: the loudest whose size is reached, else the default."""

    default: Severity
    info: Size | None = None
    warning: Size | None = None
    critical: Size | None = None

    @property
    def steps(self) -> list[tuple[Severity, Decimal]]:
        """The severities that have a size, the least loud first."""
        sizes = [(word, getattr(self, word)) for word in Severity]
        return [(word, size) for word, size in sizes if size is not None]

    def at(self, size: Decimal | None) -> Severity:
        """Return the severity of a size.

        Example:
            >>> Severities(default="info", warning=15, critical=25).at(Decimal(20)).value
            'warning'
        """
        reached = [word for word, least in self.steps if size is not None and size >= least]
        return max([self.default, *reached], key=list(Severity).index)

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if not self.steps:
            raise ValueError(f"names no size: write just {self.default}")
        return self


def _severity(written: object) -> object:
    if isinstance(written, str):
        return written
    raise ValueError(
        "must be info, warning or critical, or by size: {default: info, warning: 15, critical: 25}"
    )


def _word(written: object) -> object:
    if isinstance(written, str):
        return written
    raise ValueError("must be info, warning or critical: a silence has no size")


Word = Annotated[Severity, BeforeValidator(_word)]
"""A severity that depends on no size."""


def _shape(written: object) -> str:
    return "by size" if isinstance(written, (dict, Severities)) else "word"


Loudness = Annotated[
    Annotated[Severity, BeforeValidator(_severity), Tag("word")]
    | Annotated[Severities, Tag("by size")],
    Discriminator(_shape),
]
"""A severity, or severities by size."""


def says_something(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema that one key at least must be there."""
    schema["minProperties"] = 1


class Clear(Part):
    """When an alert has recovered."""

    recovery: Points = Field(
        default=Decimal(0),
        description="Points back over the threshold before it counts as recovered.",
    )
    keep_firing_for: Duration = Field(default=0, description="How long it must stay recovered.")


def _sentence(written: str, variables: tuple[str, ...] = VARIABLES) -> str:
    written = written.strip()  # YAML's folded text ends with a line break
    try:
        parts = list(Formatter().parse(written))
    except ValueError as error:
        raise ValueError(f"a brace is not closed, or not doubled: {error}") from None
    for _, name, form, conversion in parts:
        if name == "":
            raise ValueError("names no variable in {}: double the braces to show them")
        if name in variables and (form or conversion):
            raise ValueError(f"numbers are written as people do, without a format: {{{name}}}")
        if name is not None and name not in variables:
            near = did_you_mean(name, variables) or f": one of {', '.join(variables)}"
            raise ValueError(f"unknown variable '{name}'{near}")
    if not written or not written.isprintable():
        raise ValueError("must be one sentence on one line")
    return written


def _of_a_feed(written: str) -> str:
    return _sentence(written, FEED_VARIABLES)


Sentence = Annotated[str, Field(max_length=500), AfterValidator(_sentence)]
FeedSentence = Annotated[str, Field(max_length=500), AfterValidator(_of_a_feed)]


class Text(Part):
    """What an alert says instead of the usual sentence, and what to do next."""

    model_config = ConfigDict(json_schema_extra=says_something)

    summary: Sentence | None = Field(
        default=None, description="The sentence that says what happened."
    )
    next: Sentence | None = Field(default=None, description="What to do about it.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("says nothing: summary, next, or leave it out")
        return self


class FeedText(Text):
    """The same of an alert about a feed."""

    summary: FeedSentence | None = Field(
        default=None, description="The sentence that says what happened."
    )
    next: FeedSentence | None = Field(default=None, description="What to do about it.")
