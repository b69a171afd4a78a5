"""What every request passes: the right host, a known person, the right, the rate; and the audit.

Nothing is logged of a request but its route: a path holds Canvas's ids, a header the token.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from streams.access.doors import COOKIE, Denied
from streams.access.entries import Entry, subject
from streams.access.roles import Person, Right, Role
from streams.core.instants import instant
from streams.core.keys import Use, derive
from streams.errors import place
from streams.security import is_loopback
from streams.web import json
from streams.web.asked import Asked
from streams.web.problem import Problem
from streams.web.rate import Rate
from streams.web.routes import is_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware

    from streams.access.audit import Audit
    from streams.access.doors import Door
    from streams.web.peers import Peers
    from streams.web.routes import Handler as Answers
    from streams.web.routes import Route
    from streams.worker import Worker

log = logging.getLogger("gradewatch.web")

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",  # scores are nobody's to keep on the way
    "Content-Security-Policy": CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Of our own pages alone: with no-referrer a form's Origin would be null, and refused.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Server": "gradewatch",  # and not which versions of what
}
"""What every answer carries, unless it says otherwise."""

PURPOSE: Final = "X-Gradewatch-Purpose"
"""The header that says what something is looked at for; it goes into the access audit."""

NOBODY: Final = Person("anonymous", Role.STUDENT, "", frozenset(), frozenset())
"""Who asks for what is open to anybody: they see nothing of anybody."""


@dataclass
class _Seen:
    """What becomes of a request, for the access audit."""

    person: Person | None = None
    asked: Asked | None = None
    is_hop: bool = False
    outcome: str = "allowed"
    is_kept: bool = False


_SEEN: Final = web.RequestKey("seen", _Seen)


class Gate:
    """Stands before every handler."""

    def __init__(
        self,
        worker: Worker,
        door: Door,
        audit: Audit,
        peers: Peers,
        show: Callable[[web.Request, Problem, Person | None], web.Response],
    ) -> None:
        """Remember who knows what.

        Args:
            worker: Whose web server it is.
            door: Knows who asks.
            audit: Keeps who looked.
            peers: Know a worker's request.
            show: Makes a page of a problem.
        """
        self._worker, self._door, self._audit = worker, door, audit
        self._peers, self._show = peers, show
        self._rate = Rate(worker.settings.web_rate)
        self._audit_key = derive(worker.settings.read_id_key(), Use.AUDIT)

    def handler(
        self, route: Route, answering: Answers
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return what aiohttp calls for a route.

        Args:
            route: What it needs.
            answering: Who answers, once it is granted.
        """

        async def answer(request: web.Request) -> web.StreamResponse:
            asked = self._let_in(request, route.right)
            request[_SEEN].asked = asked
            told = await answering(asked)
            return json.tagged(request, told) if isinstance(told, dict) else told

        return answer

    def around(self) -> Middleware:
        """Return what stands around every answer, those of unknown paths included."""

        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            request[_SEEN] = _Seen(is_hop=self._peers.is_hop(request))
            try:
                self._require_host(request)
                if request.match_info.http_exception is not None:
                    self._let_in(request, Right.SIGNED_IN)  # what there is, is not told to anybody
                response = await handler(request)
            except Problem as problem:
                response = self._told(request, problem)
            except web.HTTPException as answer:  # aiohttp's own: no such route, not this method
                response = self._told(request, _of_aiohttp(answer))
            except Exception as error:  # noqa: BLE001 - the last resort: no details leave here
                _log(request, error)
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                bug = Problem(status, status.name.lower(), "this is a bug of ours")
                response = self._told(request, bug)
            self._keep(request)
            return response

        return around

    async def prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """A response that is about to go carries `HEADERS`; one without an end is audited now."""
        if not isinstance(response, web.Response):
            self._keep(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Server"] = HEADERS["Server"]

    def who(self, request: web.Request) -> Person:
        """Return who asks, as of now.

        Raises:
            Problem: ``unauthorized``.
        """
        cookie = request.cookies.get(COOKIE)
        try:
            return self._door.person(request.headers.get("Authorization"), cookie, time.time())
        except Denied as denied:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                denied.code,
                denied.message,
                {"WWW-Authenticate": 'Bearer realm="gradewatch"'},
            ) from None

    def still(self, asked: Asked) -> Person | None:
        """Return who asks, while they may; None: no longer."""
        try:
            return self.who(asked.request)
        except Problem:
            return None

    def _let_in(self, request: web.Request, right: Right) -> Asked:
        is_hop = request[_SEEN].is_hop
        _require_same_origin(request)
        if right is Right.PUBLIC:
            if request.method != "GET":  # signing in
                self._require_rate(f"at {request.remote}")
            return Asked(request, NOBODY, is_hop)
        try:
            person = self.who(request)
        except Problem:
            self._require_rate(f"at {request.remote}")
            raise
        request[_SEEN].person = person
        if not is_hop:
            self._require_rate(person.name)
        if not person.may(right):
            raise Problem(HTTPStatus.FORBIDDEN, "forbidden", "this is not for your role")
        return Asked(request, person, is_hop)

    def _require_host(self, request: web.Request) -> None:
        """Stop a web page that made its own name point here: DNS rebinding."""
        if self._door.loopback and not is_loopback(_host_name(request.headers.get("Host", ""))):
            raise Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "misdirected_request",
                "ask for localhost, by that name",
            )

    def _require_rate(self, caller: str) -> None:
        wait = self._rate.take(caller, time.monotonic())
        if wait:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_requests",
                "slower, please: GRADEWATCH_WEB_RATE says how much one may ask",
                {"Retry-After": str(math.ceil(wait))},
            )

    def _told(self, request: web.Request, problem: Problem) -> web.Response:
        seen = request[_SEEN]
        seen.outcome = problem.outcome
        if is_page(request.path):
            return self._show(request, problem, seen.person)
        return json.problem(problem)

    def _keep(self, request: web.Request) -> None:
        """Who looked at what, and whether they were shown it, goes to the access audit."""
        seen = request[_SEEN]
        person, asked, outcome = seen.person, seen.asked, seen.outcome
        if seen.is_hop or seen.is_kept or (person is None and outcome == "allowed"):
            return
        seen.is_kept = True
        about = asked.subject if asked else None
        purpose = request.headers.get(PURPOSE, "")[:200]
        self._audit.note(
            Entry(
                at=instant(int(time.time() * 1000)),
                who=person.name if person else NOBODY.name,
                role=person.role.value if person else "",
                action=f"{request.method} {_route(request)}",
                subject=subject(self._audit_key, *about) if about else "",
                purpose=purpose if purpose.isprintable() else "",
                outcome=outcome,
                worker=self._worker.settings.worker_id,
            )
        )


def _require_same_origin(request: web.Request) -> None:
    """Stop what another site's page makes a browser send: it would come with the cookie.

    Raises:
        Problem: ``cross_origin``.
    """
    if request.method in {"GET", "HEAD"}:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("Host")
    if not same:
        raise Problem(HTTPStatus.FORBIDDEN, "cross_origin", "send this from a page of this server")


def _of_aiohttp(answer: web.HTTPException) -> Problem:
    status = HTTPStatus(answer.status)
    allow = {name: answer.headers[name] for name in ("Allow",) if name in answer.headers}
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Problem(status, "body_too_large", "a request brings at most 64 KiB")
    return Problem(status, status.name.lower(), status.phrase, allow)


def _host_name(header: str) -> str:
    """Return the name in a Host header, without port and brackets; "" where it holds none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "no route"


def _log(request: web.Request, error: Exception) -> None:
    """Note a failure of ours: which route and code; never the path, which holds ids."""
    log.error("%s: %s", _route(request), place(error))
