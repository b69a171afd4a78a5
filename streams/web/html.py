"""The pages: each is made of the answer that a program gets, for the same person."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiohttp import web

from streams import pages
from streams.access.doors import COOKIE, Denied
from streams.pages.links import page
from streams.web.alerts import change
from streams.web.probes import me
from streams.web.problem import Problem, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.access.doors import Door
    from streams.access.roles import Person
    from streams.settings import Settings
    from streams.web.alerts import AlertViews
    from streams.web.asked import Asked
    from streams.web.operations import Operations
    from streams.web.rules import Sets
    from streams.web.scores import Scores

CSV_ROWS: Final = 10_000
"""Alerts of one CSV file, at most."""

FOR_EVER: Final = "public, max-age=31536000, immutable"
"""An asset's name changes with its content."""

WHAT_TO_DO: Final = {
    HTTPStatus.BAD_REQUEST: "Go back and correct it.",
    HTTPStatus.FORBIDDEN: "Somebody with another role can open it.",
    HTTPStatus.NOT_FOUND: "It may be gone, or it is not for you. Begin with the alerts.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait some seconds, then try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Try again in some seconds; /readyz says what is missing.",
}


class Answers(NamedTuple):
    """Who has what pages are made of."""

    scores: Scores
    alerts: AlertViews
    operations: Operations
    rules: Sets


class Pages:
    """What people see."""

    def __init__(self, settings: Settings, door: Door, answers: Answers) -> None:
        """Remember who has the answers, and who is let in."""
        self._canvas = settings.canvas_url
        self._session_seconds = settings.session_hours * 3600
        self._door = door
        self._scores, self._alerts, self._operations, self._rules = answers

    async def home(self, _: Asked) -> web.Response:
        """The work list is where people begin."""
        return _to(pages.HOME)

    async def alerts(self, asked: Asked) -> web.Response:
        """The work list."""
        query = asked.query()
        answer = await self._alerts.listed(asked, query | {"include": "points"})
        return await _rendered(pages.alerts, answer, query, me(asked.person), self._canvas)

    async def alerts_csv(self, asked: Asked) -> web.Response:
        """The work list as a file for a spreadsheet, all its pages together."""
        query = asked.query() | {"limit": "500"}
        answer = await self._alerts.listed(asked, query)
        found, more = list(answer["alerts"]), answer
        while "next_cursor" in more and len(found) < CSV_ROWS:
            began = time.monotonic()
            more = await self._alerts.listed(asked, query | {"cursor": more["next_cursor"]})
            found += more["alerts"]
            await asyncio.sleep(time.monotonic() - began)  # others get as much of the loop
        text = await asyncio.to_thread(pages.alerts_csv, answer | {"alerts": found})
        return web.Response(
            text=text,
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": 'attachment; filename="alerts.csv"'},
        )

    async def alert(self, asked: Asked) -> web.Response:
        """Why there is an alert, and what was done about it."""
        answer = await self._alerts.one(asked)
        return _html(pages.why(answer, me(asked.person), self._canvas))

    async def act(self, asked: Asked) -> web.Response:
        """What the form says was done is kept, and the alert shown again."""
        held = self._alerts.held(asked)
        form = await asked.form()
        state, note = form.get("state"), form.get("note", "").replace("\r\n", "\n")
        # A box that is not ticked is not sent: the form always says whether it is wrong.
        kept = change(state or None, note, form.get("wrong") == "true")
        await self._alerts.keep(asked, held, kept)
        return _to(page("alerts", held.listed.alert_id, tenant=held.listed.tenant))

    async def student(self, asked: Asked) -> web.Response:
        """A student's courses."""
        answer = await self._scores.student(asked)
        return await _rendered(pages.student, answer, me(asked.person), self._canvas)

    async def course(self, asked: Asked) -> web.Response:
        """A course's students."""
        asked.besides = frozenset({"sort"})
        answer = await self._scores.course(asked)
        return await _rendered(pages.course, answer, me(asked.person), asked.query(), self._canvas)

    async def operations(self, asked: Asked) -> web.Response:
        """How the flow does."""
        status = await self._operations.status(asked)
        refused = await self._operations.refused(asked)
        rules = await self._rules.in_force(asked)
        return _html(pages.operations(status, refused, rules, me(asked.person)))

    async def sign_in(self, _: Asked) -> web.Response:
        """The form that asks for a token."""
        return _html(pages.sign_in()) if self._door.asks else _to(pages.HOME)

    async def signed_in(self, asked: Asked) -> web.Response:
        """Whoever knows a token has a session."""
        token = (await asked.form()).get("token", "").strip()
        try:
            cookie = self._door.sign_in(token, time.time())
        except Denied as denied:
            return _html(pages.sign_in(denied.message), HTTPStatus.UNAUTHORIZED)
        response = _to(pages.HOME)
        response.set_cookie(
            COOKIE, cookie, path="/", secure=True, httponly=True, samesite="Lax",
            max_age=self._session_seconds,
        )  # fmt: skip
        return response

    async def sign_out(self, _: Asked) -> web.Response:
        """The browser forgets the session."""
        response = _to("/sign-in")
        response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
        return response

    async def asset(self, asked: Asked) -> web.Response:
        """A file that pages link to."""
        found = pages.assets().get(asked.path["name"])
        if found is None:
            raise not_found("no such file is here")
        kind, content = found
        headers = {"Content-Type": kind, "Cache-Control": FOR_EVER}
        return web.Response(body=content, headers=headers)


def show(request: web.Request, problem: Problem, person: Person | None) -> web.Response:
    """Return a page in place of one that cannot be shown; who has not signed in is asked to.

    Args:
        request: What was asked for.
        problem: Why it is not shown.
        person: Who asks; None: nobody knows.
    """
    if problem.status == HTTPStatus.UNAUTHORIZED and request.method in {"GET", "HEAD"}:
        return _to("/sign-in", problem.headers)
    title = problem.message[:1].upper() + problem.message[1:]
    todo = WHAT_TO_DO.get(HTTPStatus(problem.status), "Begin with the alerts.")
    who = me(person) if person else None
    return _html(pages.problem(problem.status, title, todo, who), problem.status, problem.headers)


async def _rendered(render: Callable[..., str], *told: object) -> web.Response:
    """Return a page that is made in a thread: hundreds of rows take 100 ms of Python."""
    return _html(await asyncio.to_thread(render, *told))


def _html(
    text: str, status: int = HTTPStatus.OK, headers: Mapping[str, Any] | None = None
) -> web.Response:
    return web.Response(
        text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
    )


def _to(path: str, headers: Mapping[str, Any] | None = None) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={**(headers or {}), "Location": path})
