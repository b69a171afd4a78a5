"""Alerts over HTTP: a list, one with what it rests on, what was done about it, and new ones."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from streams.access.roles import ANYBODY_HERE
from streams.core.actions import NOTE_LENGTH, Work
from streams.core.alerts import POSTED
from streams.engine.blocking import Failed, Hung, beside
from streams.lists import held as records
from streams.lists import query, steps, visible
from streams.lists.write import Change
from streams.web.problem import Problem, bad_parameter, not_found

if TYPE_CHECKING:
    from streams.access.roles import Person
    from streams.lists.held import Held
    from streams.web.asked import Asked
    from streams.web.problem import Answer
    from streams.web.rules import Sets
    from streams.web.scores import Scores
    from streams.worker import Worker

BESIDES: Final = frozenset({"include"})
"""What a list may be asked for besides `query.PARAMETERS`."""

_STEPS_SECONDS: Final = steps.READ_SECONDS + 2


class AlertViews:
    """What the lists of this worker say."""

    def __init__(self, worker: Worker, scores: Scores, sets: Sets) -> None:
        """Remember whose lists, where histories come from, and the rules that ever were."""
        self._worker, self._scores, self._sets = worker, scores, sets

    async def page(self, asked: Asked) -> Answer:
        """A part of the list, with the scores' histories where they are asked for."""
        return await self.listed(asked, asked.query())

    async def listed(self, asked: Asked, told: dict[str, str]) -> Answer:
        """Return a part of the list.

        Args:
            asked: By whom.
            told: What is asked for.

        Raises:
            Problem: ``bad_parameter``, ``not_ready``.
        """
        self._scores.require_lists()
        if told.get("include") not in {None, "points"}:
            raise bad_parameter("include", "points")
        wanted = parsed(told, BESIDES, asked.person)
        if wanted.student_ids:
            asked.subject = (asked.tenant or "", min(wanted.student_ids, key=len))
        page = self._worker.alerts.find(wanted, asked.person)
        answer: Answer = {"alerts": page.items, "total": page.total}
        if page.more:
            answer["total_is_at_least"] = True
        if page.next_cursor is not None:
            answer["next_cursor"] = page.next_cursor
        if "include" in told:
            await self._with_points(asked, page.items)
        return answer

    async def one(self, asked: Asked) -> Answer:
        """One alert: everything in it, its steps, the rule in words, the score's history."""
        held = self.held(asked)
        told = self._worker.alerts.shown(records.whole(held), held, asked.person)
        words = await self._sets.in_words(told["rules_hash"], told["rule"])
        if words is not None:
            told["rule_words"] = words
        missing = steps.missing(held)
        if missing:
            await self._read_steps(held)
        told["transitions"] = [held.steps[seq]._asdict() for seq in sorted(held.steps)]
        told["transitions_missing"] = steps.missing(held)
        await self._with_points(asked, [told])
        return told

    async def act(self, asked: Asked) -> Answer:
        """What somebody did about an alert is kept."""
        held = self.held(asked)
        await self.keep(asked, held, _change(await asked.body()))
        return {"alert_id": held.listed.alert_id, "work": self._worker.alerts.work(held)}

    async def keep(self, asked: Asked, held: Held, change: Change) -> None:
        """What somebody did is on ``grade-alert-actions``.

        Raises:
            Problem: ``kafka_unavailable``: Kafka does not say that it is.
        """
        try:
            await self._worker.actions.act(held, change, asked.person.name)
        except (Failed, Hung):
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "kafka_unavailable",
                "Kafka did not acknowledge it; it may be kept or not: look, and do it again",
                {"Retry-After": "5"},
            ) from None

    def held(self, asked: Asked) -> Held:
        """Return the alert that the path names.

        Raises:
            Problem: ``not_found``: there is none, or it is not for them; ``not_ready``.
        """
        asked.query({"tenant"})
        self._scores.require_lists()
        alert_id = asked.path["alert_id"]
        held = self._worker.alerts.one(alert_id, asked.person)
        if held is None:
            there = self._worker.alerts.one(alert_id, ANYBODY_HERE) is not None
            raise not_found("no such alert is held here", out_of_scope=there)
        listed = held.listed
        if listed.student_id is not None:
            asked.subject = (listed.tenant, listed.student_id)
        return held

    async def _with_points(self, asked: Asked, told: list[dict[str, Any]]) -> None:
        """Histories are there where their rows are reached; a list does without, if need be."""
        if self._worker.not_serving():
            return
        found = [self._worker.alerts.one(each["alert_id"], asked.person) for each in told]
        points = await self._scores.points(asked, [held for held in found if held is not None])
        for each in told:
            if each["alert_id"] in points:
                each["points"] = points[each["alert_id"]]

    async def _read_steps(self, held: Held) -> None:
        settings = self._worker.settings
        name = "grade-alerts-posted" if held.listed.audience == POSTED else "grade-alerts"
        read = partial(
            steps.read, self._worker.app.kafka, settings.group, settings.topic(name), held
        )
        try:
            found = await beside(read, _STEPS_SECONDS)
        except (Failed, Hung):
            return  # said to be missing
        self._worker.alerts.learn(held.listed.alert_id, found)


def parsed(told: dict[str, str], besides: frozenset[str], person: Person) -> query.Query:
    """Return the list that a person asks for.

    Raises:
        Problem: ``bad_parameter``.
    """
    try:
        return query.parse(told, besides, visible.hidden(person.eyes))
    except query.BadQueryError as error:
        raise bad_parameter(error.field, error.message) from None


def _change(told: dict[str, Any]) -> Change:
    for name in told:
        if name not in {"state", "note", "wrong"}:
            raise bad_parameter("body", "of state, note and wrong")
    if not told:
        raise bad_parameter("body", "at least one of state, note and wrong")
    wrong = told.get("wrong")
    if wrong is not None and not isinstance(wrong, bool):
        raise bad_parameter("wrong", "true or false")
    return change(told.get("state"), told.get("note"), wrong)


def change(state: object, note: object, wrong: bool | None) -> Change:  # noqa: FBT001 - a field's value
    """Return what somebody did; None leaves what is.

    Raises:
        Problem: ``bad_parameter``.
    """
    states = [work.value for work in Work]
    if state is not None and state not in states:
        raise bad_parameter("state", f"one of {', '.join(states)}")
    if note is not None and not (isinstance(note, str) and _is_note(note)):
        raise bad_parameter("note", f"text of at most {NOTE_LENGTH} characters")
    return Change(None if state is None else Work(str(state)), note, wrong)


def _is_note(note: str) -> bool:
    return len(note) <= NOTE_LENGTH and all(c.isprintable() or c in "\n\t" for c in note)
