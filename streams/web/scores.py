"""Scores over HTTP: a student, a student in a course, a course, and the histories of alerts."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from streams.core.events import student_key
from streams.core.rows import UnreadableError
from streams.web import peers, views
from streams.web.history import is_unposted
from streams.web.parts import COURSES, MOST, PARAMETERS, part_of
from streams.web.peers import Unreachable
from streams.web.problem import Problem, bad_parameter, not_found, not_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.lists.held import Held
    from streams.web.asked import Asked
    from streams.web.parts import Part
    from streams.web.peers import Peers
    from streams.web.problem import Answer
    from streams.worker import Worker

HISTORIES: Final = 500
"""Alerts whose histories may be asked for at once: as many as a list has."""


class Scores:
    """What rows say, whoever has them."""

    def __init__(self, worker: Worker, others: Peers) -> None:
        """Remember whose rows, and whom else to ask."""
        self._worker, self._peers = worker, others

    async def student(self, asked: Asked) -> Answer:
        """One student's courses, each with its open alerts."""
        student_id = asked.path["student_id"]
        part = self._require_scope(asked, asked.person.students, student_id, "student", PARAMETERS)
        view = partial(views.student, part=part)
        found = peers.one_of(await self._answers(asked, view, part), student_id)
        asked.subject = (found["tenant"], found["student_id"])
        self._with_alerts(asked, found["courses"])
        return found

    async def enrolment(self, asked: Asked) -> Answer:
        """One student in one course, with the open alerts."""
        student_id, course_id = asked.path["student_id"], asked.path["course_id"]
        self._require_scope(asked, asked.person.students, student_id, "student")
        self._require_scope(asked, asked.person.courses, course_id, "course")
        found = peers.one_of(await self._answers(asked, views.enrolment), student_id)
        asked.subject = (found["tenant"], found["student_id"])
        self._with_alerts(asked, [found])
        return found

    async def course(self, asked: Asked) -> Answer:
        """One course's students, each with the open alerts."""
        course_id = asked.path["course_id"]
        part = self._require_scope(asked, asked.person.courses, course_id, "course", PARAMETERS)
        view = partial(views.course, part=part)
        found = peers.course_of(await self._answers(asked, view, part), part.limit)
        asked.subject = (found["tenant"], found["course_id"])
        self._with_alerts(asked, found["students"])
        return found

    async def histories(self, asked: Asked) -> Answer:
        """The scores behind some alerts: alert id → (day, percent), for those that are seen."""
        asked.query(())
        wanted = (await asked.body()).get("alerts")
        if (
            not isinstance(wanted, list)
            or len(wanted) > HISTORIES
            or not all(isinstance(each, str) for each in wanted)
        ):
            raise bad_parameter("alerts", f"a list of at most {HISTORIES} alert ids")
        self.require_lists()
        found = [self._worker.alerts.one(each, asked.person) for each in wanted]
        return {"points": await self.points(asked, [held for held in found if held is not None])}

    async def points(self, asked: Asked, alerts: Iterable[Held]) -> dict[str, list[Any]]:
        """Return the score's history of each alert about a student, where its rows are reached.

        Args:
            asked: By whom.
            alerts: Which they may see.
        """
        holders = self._worker.holders()
        here: list[Held] = []
        elsewhere: dict[str, list[str]] = {}
        for held in alerts:
            listed = held.listed
            if listed.student_id is None:
                continue
            owner = student_key(listed.tenant, listed.student_id)
            url = holders.get(self._worker.partition_of(owner), self._worker.url)
            if url == self._worker.url:
                here.append(held)
            elif not asked.is_hop:
                elsewhere.setdefault(url, []).append(listed.alert_id)
        told = await asyncio.gather(
            *(
                self._peers.post(url, "/api/v1/points", {"alerts": ids}, asked)
                for url, ids in elsewhere.items()
            )
        )
        found = {held.listed.alert_id: self._history(asked, held) for held in here}
        for each in told:
            if isinstance(each, dict):
                found |= each["points"]
        return {alert_id: points for alert_id, points in found.items() if points}

    def require_lists(self) -> None:
        """Return where alerts can be told of.

        Raises:
            Problem: ``not_ready``: they are being read.
        """
        if not self._worker.follower.caught_up:
            raise not_ready(self._worker.follower.why_not())

    def _history(self, asked: Asked, held: Held) -> list[tuple[str, float]]:
        listed = held.listed
        owner = student_key(listed.tenant, listed.student_id or "")
        item, unposted = (listed.course_id or "").encode(), is_unposted(held.value)
        try:
            return views.past(self._worker.table.data, asked.person, owner, item, unposted=unposted)
        except UnreadableError:
            return []

    def _require_scope(
        self,
        asked: Asked,
        scope: frozenset[str] | None,
        number: str,
        what: str,
        also: frozenset[str] = frozenset(),
    ) -> Part:
        """Return the part that is asked for, unless it is clear that it is not theirs.

        What only rows tell is looked at later.

        Raises:
            Problem: ``not_found``, ``bad_id`` or ``bad_parameter``.
        """
        part = part_of(asked.query({"tenant", *also}), COURSES if what == "student" else MOST)
        spelled = views.spellings(number)
        asked.subject = (asked.tenant or "", spelled[-1])
        tenant = asked.person.tenant
        other = tenant is not None and asked.query().get("tenant", tenant) != tenant
        if other or (scope is not None and not scope.intersection(spelled)):
            raise not_found(f"no scores of such a {what} are held here", out_of_scope=True)
        return part

    def _with_alerts(self, asked: Asked, rows: list[Answer]) -> None:
        if asked.is_hop:  # whoever asked adds them: alerts are listed by every worker
            return
        for row in rows:
            row["alerts"] = self._worker.alerts.open_of(
                row["tenant"], asked.person, row["student_id"], row["course_id"]
            )

    async def _answers(
        self, asked: Asked, view: Callable[..., Answer], part: Part | None = None
    ) -> list[Answer | Problem]:
        """Return what every worker that may hold it answers, ourselves among them."""
        reasons = self._worker.not_serving()
        if reasons:
            raise not_ready(reasons)
        if not asked.is_hop:
            self.require_lists()
        holders = self._peers.holders(asked)
        others = [url for url in holders if url != self._worker.url]
        answers = await self._peers.ask(others, asked, part.query if part else {})
        if self._worker.url in holders:
            try:
                answers.append(
                    view(self._worker.table.data, asked.person, **asked.path, tenant=asked.tenant)
                )
            except Problem as problem:
                answers.append(problem)
            if self._peers.places(asked) & self._worker.incomplete():
                answers.append(Unreachable())  # what is restored answers; the rest may hold more
        if not asked.is_hop and self._peers.places(asked) - self._worker.holders().keys():
            answers.append(Unreachable())  # nobody holds it, or nobody who proves the id key
        return answers
