"""What every request passes: the right host, a known person, the right, the rate; and the audit.

Nothing is logged of a request but its route: a path holds Canvas's ids, a header the token.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from streams.access.doors import COOKIE, Denied
from streams.access.entries import Entry, subject
from streams.access.roles import Person, Right, Role
from streams.core.instants import instant
from streams.core.keys import Use, derive
from streams.errors import place
from streams.web import json
from streams.web.asked import Asked, body_of
from streams.web.callers import Callers
from streams.web.hops import HEADER as HOP
from streams.web.hops import BadHopError, Hop, what
from streams.web.origin import require_loopback_host, require_same_origin
from streams.web.problem import Problem
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
    hop: Hop | None = None
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
        self._callers = Callers(worker.settings.web_rate, worker.settings.proxies)
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
            try:
                told = await answering(asked)
            except Problem:
                self._count_failure(request, route)
                raise
            response = json.tagged(request, told) if isinstance(told, dict) else told
            if response.status >= HTTPStatus.BAD_REQUEST:
                self._count_failure(request, route)
            return response

        return answer

    def around(self) -> Middleware:
        """Return what stands around every answer, those of unknown paths included."""

        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            request[_SEEN] = _Seen()
            try:
                if self._door.loopback:
                    require_loopback_host(request)
                request[_SEEN].hop = await self._hop(request)
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
        cookie, hop = request.cookies.get(COOKIE), request[_SEEN].hop
        try:
            if hop is not None:
                return self._door.named(hop.person, hop.role)
            return self._door.person(request.headers.get("Authorization"), cookie, time.time())
        except Denied as denied:
            raise _unauthorized(denied.message) from None

    def still(self, asked: Asked) -> Person | None:
        """Return who asks, while they may; None: no longer."""
        try:
            return self.who(asked.request)
        except Problem:
            return None

    def _count_failure(self, request: web.Request, route: Route) -> None:
        """Count what failed of the one form that is open to anybody: signing in."""
        if route.right is Right.PUBLIC and route.method == "POST":
            self._callers.count_failed_sign_in(request)

    async def _hop(self, request: web.Request) -> Hop | None:
        """Return what another worker's signature says; None: no worker asks.

        Raises:
            Problem: ``unauthorized``: the signature is none of this group's workers, or not for
                this request.
        """
        value = request.headers.get(HOP)
        if value is None:
            return None
        body = await body_of(request)
        asked = what(request.method, request.path, request.query.items(), body)
        try:
            return self._peers.hops.opened(value, asked)
        except BadHopError:
            self._callers.count_unknown(request)
            raise _unauthorized(f"{HOP} is not signed by a worker of this group") from None

    def _let_in(self, request: web.Request, right: Right) -> Asked:
        is_hop = request[_SEEN].hop is not None
        require_same_origin(request)
        if right is Right.PUBLIC:
            return Asked(request, NOBODY, is_hop)
        try:
            person = self.who(request)
        except Problem:
            self._callers.count_unknown(request)
            raise
        request[_SEEN].person = person
        if not is_hop:
            self._callers.count_person(person.name)
        if not person.may(right):
            raise Problem(HTTPStatus.FORBIDDEN, "forbidden", "this is not for your role")
        return Asked(request, person, is_hop)

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
        if seen.is_kept or (person is None and outcome == "allowed"):
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
                via=seen.hop.sender if seen.hop else "",
            )
        )


def _unauthorized(message: str) -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="gradewatch"'}
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", message, headers)


def _of_aiohttp(answer: web.HTTPException) -> Problem:
    status = HTTPStatus(answer.status)
    allow = {name: answer.headers[name] for name in ("Allow",) if name in answer.headers}
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Problem(status, "body_too_large", "a request brings at most 64 KiB")
    return Problem(status, status.name.lower(), status.phrase, allow)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "no route"


def _log(request: web.Request, error: Exception) -> None:
    """Note a failure of ours: which route and code; never the path, which holds ids."""
    log.error("%s: %s", _route(request), place(error))
