"""A file of rule tests → what happens, and what is to be told of it: docs/rules-tools.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from streams.core.events import ACTIVE
from streams.core.instants import parsed
from streams.core.rule_parts import Part, Severity
from streams.core.rules import Kind
from streams.core.yamlfile import Finding, parse
from streams.trust.notation import Moment, Series, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from streams.core.rules import Rules

SCORES: Final = ("current_score", "final_score", "unposted_current_score", "unposted_final_score")


def _id(written: object) -> str:
    text = str(written) if isinstance(written, int) and not isinstance(written, bool) else written
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise ValueError("must be a word such as s1, or an id of digits")
    return text


def _start(written: object) -> str:
    try:
        return parsed(str(written))
    except ValueError:
        raise ValueError("must be a time with an offset, such as 2026-09-01T00:00:00Z") from None


Id = Annotated[str, BeforeValidator(_id)]
Number = Annotated[float, Field(strict=True, ge=0, le=1_000_000, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


class _About(Part):
    """Whom an entry is about."""

    student: Id
    course: Id
    account: Id | None = None
    tenant: Id = "t1"


class ScoreSeries(_About):
    """Course scores that change step by step; every step an event."""

    every: Time
    at: Time = 0
    current_score: Series | None = None
    final_score: Series | None = None
    unposted_current_score: Series | None = None
    unposted_final_score: Series | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The scores that are given, by name."""
        return {name: told for name in SCORES if (told := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.every:
            raise ValueError("every: must be longer than 0")
        if not self.told:
            raise ValueError(f"say at least one of {', '.join(SCORES)}")
        if len({len(steps) for steps in self.told.values()}) > 1:
            counts = ", ".join(f"{name} {len(steps)}" for name, steps in self.told.items())
            raise ValueError(f"all scores must have the same number of steps: {counts}")
        return self


class _Single(_About):
    """One event. ``arrives``: when it comes, if later than it happened."""

    at: Time
    arrives: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.arrives is not None and self.arrives < self.at:
            raise ValueError("arrives: must not be before at")
        return self


class ScoresChanged(_Single):
    """A ``course_grade_change``."""

    event: Literal["course_grade_change"]
    workflow_state: Literal["active", "deleted"] = ACTIVE
    current_score: Number | None = None
    old_current_score: Number | None = None
    final_score: Number | None = None
    old_final_score: Number | None = None
    unposted_current_score: Number | None = None
    old_unposted_current_score: Number | None = None
    unposted_final_score: Number | None = None
    old_unposted_final_score: Number | None = None


class Graded(_Single):
    """A ``grade_change``."""

    event: Literal["grade_change"]
    assignment: Id
    score: Number | None = None
    old_score: Number | None = None
    points_possible: Number | None = None
    old_points_possible: Number | None = None
    muted: Flag = False
    grader: Id | None = None


class Overridden(_Single):
    """A ``grade_override``."""

    event: Literal["grade_override"]
    override_score: Number | None
    old_override_score: Number | None = None
    period: Id | None = None
    enrollment: Id | None = None
    grader: Id | None = None


def _tag(entry: object) -> str:
    return str(entry.get("event", "series")) if isinstance(entry, dict) else "series"


Entry = Annotated[
    Annotated[ScoreSeries, Tag("series")]
    | Annotated[ScoresChanged, Tag("course_grade_change")]
    | Annotated[Graded, Tag("grade_change")]
    | Annotated[Overridden, Tag("grade_override")],
    Discriminator(
        _tag,
        custom_error_type="event",
        custom_error_message="event must be course_grade_change, grade_change or grade_override;"
        " without event it is a series",
    ),
]
"""A series, or one event."""


class ExpectedAlert(Part):
    """An alert to be told: what is not said matches all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    student: Id | None = None
    course: Id | None = None
    tenant: Id | None = None
    assignment: Id | None = None
    period: Id | None = None
    rule: str | None = None
    kind: Kind | None = None
    state: Literal["firing", "resolved"] | None = None
    transition: Literal["opened", "updated", "recovering", "relapsed", "resolved"] | None = None
    reason: str | None = None
    severity: Severity | None = None
    view: Literal["posted", "unposted"] | None = None
    score: str | None = None
    before: Number | None = None
    after: Number | None = None
    change: Annotated[float, Field(strict=True)] | None = None
    size: Annotated[float, Field(strict=True)] | None = None
    threshold: Number | None = None
    seq: int | None = None
    event_time: Moment | None = None
    opened_at: Moment | None = None
    changed_at: Moment | None = None
    summary: str | None = None
    next: str | None = None
    gap_suspected: Flag | None = None
    late: Flag | None = None
    score_now: Number | None = None


class Expectation(Part):
    """What a rule has told by some time, everything due until then judged.

    Without an ``audience`` it is staff; of a rule about feeds, which tells nobody else, operators.
    """

    at: Time
    rule: str
    audience: Literal["staff", "posted", "operator"] | None = None
    alerts: tuple[ExpectedAlert, ...]


class RuleTest(Part):
    """One story, and what is to be told of it."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    input: Annotated[tuple[Entry, ...], Field(min_length=1)]
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)]


class Equivalent(Part):
    """A mutant that no test can notice."""

    mutant: str
    reason: Annotated[str, Field(min_length=10)]


class RuleTests(Part):
    """The whole file."""

    rules: Annotated[str, Field(min_length=1)]
    start: Annotated[str, BeforeValidator(_start)]
    tests: Annotated[tuple[RuleTest, ...], Field(min_length=1)]
    equivalent: tuple[Equivalent, ...] = ()


def load(text: str | bytes, file: str, rules_in: Callable[[str], Rules]) -> tuple[RuleTests, Rules]:
    """Return the tests in a file's text, and the rules they are about.

    Args:
        text: YAML.
        file: The name to give in messages.
        rules_in: Reads a rules file, by its path relative to the test file.

    Raises:
        ConfigurationError: Something is wrong; each problem as ``file:line:column: message``.
    """
    read: dict[str, Rules] = {}

    def check(tests: RuleTests) -> Iterator[Finding]:
        read[""] = rules_in(tests.rules)
        yield from _findings(tests, read[""])

    tests = parse(text, RuleTests, file, check, nulls=True)
    return tests, read[""]


def _findings(tests: RuleTests, rules: Rules) -> Iterator[Finding]:
    ids, feeds = {rule.id for rule in rules.rules}, {rule.id for rule in rules.feeds}
    first: dict[str, int] = {}
    for number, test in enumerate(tests.tests):
        if first.setdefault(test.name, number) != number:
            yield Finding(("tests", number, "name"), f"another test has the name {test.name!r}")
        for place, one in enumerate(test.expect):
            at = ("tests", number, "expect", place)
            if one.rule != "*" and one.rule not in ids:
                yield Finding((*at, "rule"), f"no rule {one.rule!r} in {tests.rules}")
            elif (
                one.rule != "*"
                and one.audience
                and (one.audience == "operator") != (one.rule in feeds)
            ):
                who = "operators alone" if one.rule in feeds else "no operator"
                yield Finding((*at, "audience"), f"audience: rule {one.rule!r} tells {who}")
            for index, alert in enumerate(one.alerts):
                if alert.rule is not None and alert.rule not in ids:
                    where = (*at, "alerts", index, "rule")
                    yield Finding(where, f"no rule {alert.rule!r} in {tests.rules}")
