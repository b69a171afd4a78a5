"""What a rule test says that happens → grade events, each saying truly what was before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.core.events import ACTIVE, CourseGradeChange, GradeChange, GradeOverride
from streams.core.identity import identified
from streams.core.instants import instant, milliseconds
from streams.trust.notation import NOTHING
from streams.trust.testfile import SCORES, Graded, Overridden, ScoresChanged, ScoreSeries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.core.events import GradeEvent, Instant, Percent
    from streams.trust.testfile import RuleTest

_FOLLOWS: Final = {
    "current_score": "",
    "final_score": "current_score",
    "unposted_current_score": "current_score",
    "unposted_final_score": "final_score",
}
"""What a score that is not given is: another one. Nothing ungraded, nothing hidden."""

_FIRST_ID: Final = 900_001
_AUTOMATIC: Final = "automatic"


class Arrival(NamedTuple):
    """An event, and when it comes. Milliseconds since 1970."""

    at: int
    event: GradeEvent


@dataclass
class Names:
    """The ids that stand for the words of a test."""

    ids: dict[str, str] = field(default_factory=dict)

    def id_of(self, word: str) -> str:
        """Return a word's id; digits are their own."""
        if word.isdigit():
            return word
        return self.ids.setdefault(word, str(_FIRST_ID + len(self.ids)))

    def word_of(self, one: str | None) -> str | None:
        """Return the word that an id stands for."""
        return next((word for word, known in self.ids.items() if known == one), one)


class Story(NamedTuple):
    """A test's events in the order of their arrival, and the names in it."""

    start: Instant
    arrivals: tuple[Arrival, ...]
    names: Names

    def moment(self, seconds: int) -> int:
        """Return a time after the start as milliseconds since 1970."""
        return milliseconds(self.start) + 1000 * seconds


Single = ScoresChanged | Graded | Overridden


def tell(test: RuleTest, start: Instant) -> Story:
    """Return the events of a test.

    What an event says was before is what the story said before, in the order of ``at``, unless the
    event says otherwise.

    Args:
        test: From the file.
        start: When ``0h`` is.
    """
    story = Story(start, (), Names())
    singles = sorted(_singles(test), key=lambda one: one.at)  # stable: the file's order
    telling = _Telling(story)
    arrivals = [
        Arrival(
            story.moment(one.at if one.arrives is None else one.arrives),
            identified(telling.event(one)),
        )
        for one in singles
    ]
    return story._replace(arrivals=tuple(sorted(arrivals, key=lambda one: one.at)))


def _singles(test: RuleTest) -> Iterator[Single]:
    for entry in test.input:
        if isinstance(entry, ScoreSeries):
            yield from _unrolled(entry)
        else:
            yield entry


def _unrolled(series: ScoreSeries) -> Iterator[Single]:
    about = series.model_dump(include={"student", "course", "account", "tenant"})
    names = list(series.told)
    for number, step in enumerate(zip(*series.told.values(), strict=True)):
        told = {
            name: None if score is None else float(score)
            for name, score in zip(names, step, strict=True)
            if score != NOTHING
        }
        if told:
            at = series.at + number * series.every
            yield ScoresChanged.model_construct(
                {*about, *told, "at", "event"},
                **about, **told, at=at, arrives=None, event="course_grade_change",
                workflow_state="active",
            )  # fmt: skip


class _Telling:
    """Remembers what the story said."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._scores: dict[tuple[str, str, str], dict[str, Percent | None]] = {}
        self._held: dict[tuple[str | None, ...], dict[str, float | None]] = {}
        self._own: dict[tuple[str, str, str], set[str]] = {}

    def event(self, one: Single) -> GradeEvent:
        """Return an entry as the event it stands for, and remember it."""
        name = self._story.names.id_of
        who = {
            "tenant": one.tenant,
            "student_id": name(one.student),
            "course_id": name(one.course),
            "event_time": instant(self._story.moment(one.at)),
            "account_id": None if one.account is None else name(one.account),
        }
        if isinstance(one, ScoresChanged):
            return self._changed(one, who)
        if isinstance(one, Graded):
            return self._graded(one, who)
        return self._overridden(one, who)

    def _changed(self, one: ScoresChanged, who: dict[str, Any]) -> CourseGradeChange:
        subject = (one.tenant, one.student, one.course)
        given = one.model_fields_set
        # A score that was given once, on its own, no longer follows another.
        own = self._own.setdefault(subject, set())
        own |= given & set(SCORES)
        before = self._scores.get(subject, dict.fromkeys(SCORES))
        now: dict[str, Any] = {}
        for score in SCORES:
            if score in given:
                now[score] = getattr(one, score)
            elif score in own or score == "current_score" or one.workflow_state == "deleted":
                now[score] = before[score]
            else:
                now[score] = now[_FOLLOWS[score]]
        self._scores[subject] = now
        old: dict[str, Any] = {
            f"old_{score}": getattr(one, f"old_{score}") if f"old_{score}" in given else was
            for score, was in before.items()
        }
        state = ACTIVE if one.workflow_state == ACTIVE else one.workflow_state
        return CourseGradeChange(event_id="", workflow_state=state, **who, **now, **old)

    def _graded(self, one: Graded, who: dict[str, Any]) -> GradeChange:
        now = self._pairs(one, ("score", "points_possible"), one.assignment)
        name = self._story.names.id_of
        automatic = one.grader in {None, _AUTOMATIC}
        return GradeChange(
            event_id="",
            assignment_id=name(one.assignment),
            grader_id=None if automatic or one.grader is None else name(one.grader),
            muted=one.muted, **who, **now,
        )  # fmt: skip

    def _overridden(self, one: Overridden, who: dict[str, Any]) -> GradeOverride:
        now = self._pairs(one, ("override_score",), f"period {one.period}")
        named: dict[str, Any] = {
            f"{field}_id": None if word is None else self._story.names.id_of(word)
            for field, word in (("enrollment", one.enrollment), ("grader", one.grader))
        }
        period = None if one.period is None else self._story.names.id_of(one.period)
        return GradeOverride(
            event_id="", grading_period_id=period, **named, **who, **now,
        )  # fmt: skip

    def _pairs(self, one: Single, fields: Iterable[str], subject: str) -> dict[str, Any]:
        """Return fields and their old twins: as given, else as the story had them before."""
        held = self._held.setdefault((one.tenant, one.student, one.course, subject), {})
        told: dict[str, Any] = {}
        for field_ in fields:
            given = one.model_fields_set
            was = held.get(field_)
            now = getattr(one, field_) if field_ in given else was
            told[field_] = now
            told[f"old_{field_}"] = (
                getattr(one, f"old_{field_}") if f"old_{field_}" in given else was
            )
            held[field_] = now
        return told
