"""Rule tests judged: a story is played through the very code that the worker runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.core.alerts import OPERATOR, STAFF
from streams.core.instants import instant, milliseconds
from streams.core.replay import Replay
from streams.trust.notation import written
from streams.trust.story import tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streams.core.alerts import Alert, Told
    from streams.core.rules import Rules
    from streams.trust.story import Names, Story
    from streams.trust.testfile import Expectation, ExpectedAlert, RuleTest, RuleTests

_KEY: Final = b"rule tests have no secrets"
_NEAR: Final = 0.005
"""Numbers that differ by less are the same: scores have two decimals."""

_SHOWN: Final = ("student", "course", "rule", "state", "reason", "severity", "before", "after")
_SHOWN_OF_A_FEED: Final = ("tenant", "rule", "state", "reason", "severity")
_MOMENTS: Final = {"event_time", "opened_at", "changed_at"}
_WORDS: Final = {
    "student": "student_id", "course": "course_id", "assignment": "assignment_id",
    "period": "grading_period_id",
}  # fmt: skip
"""Fields of an alert that tests name by a shorter word, and whose values are words of the test."""


class Failure(NamedTuple):
    """An expectation that was not met.

    Attributes:
        where: Time, rule and audience.
        expected: Alerts, one a line; those that came stand in both lists alike.
        got: Alerts, one a line.
    """

    where: str
    expected: tuple[str, ...]
    got: tuple[str, ...]


class Result(NamedTuple):
    """What came of one test; it passed where there are no failures."""

    name: str
    failures: tuple[Failure, ...]
    expectations: int


def run(
    tests: RuleTests, rules: Rules, chosen: Iterable[RuleTest] | None = None
) -> Iterator[Result]:
    """Yield the result of each test.

    Args:
        tests: The file.
        rules: What is tested.
        chosen: Which of the tests; all by default.
    """
    for test in tests.tests if chosen is None else chosen:
        yield _run(test, tell(test, tests.start), rules)


def passes(tests: RuleTests, stories: Sequence[Story], rules: Rules) -> bool:
    """Tell whether all tests pass: as soon as one does not, no further one is run.

    Args:
        tests: The file.
        stories: Of its tests, in their order.
        rules: What is tested.
    """
    return all(
        not _run(test, story, rules).failures
        for test, story in zip(tests.tests, stories, strict=True)
    )


def _run(test: RuleTest, story: Story, rules: Rules) -> Result:
    told = {at: _told(story, rules, at) for at in sorted({one.at for one in test.expect})}
    feeds = {rule.id for rule in rules.feeds}
    failures = [
        _failure(one, one.audience or (OPERATOR if one.rule in feeds else STAFF), told, story)
        for one in test.expect
    ]
    return Result(test.name, tuple(one for one in failures if one), len(test.expect))


def _told(story: Story, rules: Rules, at: int) -> list[Alert]:
    """Return all that is told until a time, once everything due by then is judged.

    Each time anew: moving the clock on for one expectation must not make the events after it late.
    """
    replay, end = Replay(rules, _KEY), story.moment(at)
    told: list[Told] = []
    for arrival in story.arrivals:
        if arrival.at > end:
            break
        told += replay.clock(instant(arrival.at))
        told += replay.event(arrival.event)
        if rules.feeds:  # who was heard of is said with the event, however far the clock then leaps
            told += replay.clock(instant(arrival.at))
    told += replay.clock(instant(end + 1000 * rules.grace + 1))  # the horizon is at the end now
    return [one.alert for one in told if one.alert.changed_at <= instant(end)]  # not of a feed


def _failure(
    expected: Expectation, audience: str, told: Mapping[int, Sequence[Alert]], story: Story
) -> Failure | None:
    """Return what is wrong, or None."""
    about = [
        alert for alert in told[expected.at]
        if alert.audience == audience and expected.rule in {"*", alert.rule}
    ]  # fmt: skip
    latest = {alert.alert_id: alert for alert in about}
    if expected.alerts:
        states = {"firing"} | {str(one.state) for one in expected.alerts if one.state == "resolved"}
        latest = {name: alert for name, alert in latest.items() if alert.state in states}
    got = [*latest.values()]
    pairs = _paired(expected.alerts, got, story)
    if len(pairs) == len(expected.alerts) == len(got):
        return None
    fields = {field for one in expected.alerts for field in one.model_fields_set}
    wanted = [_line(_asked(one)) for one in expected.alerts]
    came = [_line(_shown(alert, fields, story)) for alert in got]
    for index, place in pairs.items():  # alike on both sides, so that a diff leaves them out
        came[place] = wanted[index]
    where = f"at {written(expected.at)}, rule {expected.rule}, {audience}"
    return Failure(where, tuple(wanted), tuple(came))


def _paired(
    expected: Sequence[ExpectedAlert], got: Sequence[Alert], story: Story
) -> dict[int, int]:
    """Return which expected alert is which: as many as can be, each used once."""
    fits = [[_fits(one, alert, story) for alert in got] for one in expected]
    taken: dict[int, int] = {}  # place among those that came → index among the expected

    def find(index: int, tried: set[int]) -> bool:
        for place, fit in enumerate(fits[index]):
            if fit and place not in tried:
                tried.add(place)
                if place not in taken or find(taken[place], tried):
                    taken[place] = index
                    return True
        return False

    for index in range(len(expected)):
        find(index, set())
    return {index: place for place, index in taken.items()}


def _fits(expected: ExpectedAlert, alert: Alert, story: Story) -> bool:
    return all(
        _same(getattr(expected, field), _value(alert, field, story.names), story)
        for field in expected.model_fields_set
    )


def _same(wanted: Any, value: Any, story: Story) -> bool:  # noqa: ANN401 - any field
    if isinstance(wanted, float) and isinstance(value, float | int):
        return abs(wanted - value) < _NEAR
    if isinstance(wanted, int) and isinstance(value, str):
        return instant(story.moment(wanted)) == value
    return bool(wanted == value)


def _value(alert: Alert, field: str, names: Names) -> Any:  # noqa: ANN401 - any field
    value = getattr(alert, _WORDS.get(field, field))
    return names.word_of(value) if field in _WORDS else value


def _shown(alert: Alert, fields: set[str], story: Story) -> dict[str, Any]:
    first = _SHOWN if alert.student_id else _SHOWN_OF_A_FEED
    names = [*first, *sorted(fields - set(first))]
    shown = {name: _value(alert, name, story.names) for name in names}
    for name in _MOMENTS & shown.keys():
        passed, rest = divmod(milliseconds(shown[name]) - story.moment(0), 1000)
        shown[name] = shown[name] if rest else written(passed)
    return shown


def _asked(expected: ExpectedAlert) -> dict[str, Any]:
    fields = expected.model_dump(exclude_unset=True, mode="json")
    for name in _MOMENTS & {name for name, value in fields.items() if isinstance(value, int)}:
        fields[name] = written(fields[name])
    return fields


def _line(fields: dict[str, Any]) -> str:
    """Return an alert as YAML writes it on one line."""
    return "{" + ", ".join(f"{name}: {_plain(value)}" for name, value in fields.items()) + "}"


def _plain(value: Any) -> str:  # noqa: ANN401 - any field
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value)
