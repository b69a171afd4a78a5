"""The views on Faust's own web server: routes, one middleware, and nothing of Faust's pages."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from aiohttp import web
from faust.web.base import BlueprintManager
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.errors import place
from streams.web import peers, views
from streams.web.access import Access, granted
from streams.web.peers import Peers, Unreachable
from streams.web.views import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware
    from faust.web.drivers.aiohttp import Web

    from streams.worker import Worker

log = logging.getLogger("gradewatch.web")

HEADERS: Final = {
    "Cache-Control": "no-store",  # scores are nobody's to keep on the way
    "X-Content-Type-Options": "nosniff",
    "Server": "gradewatch",  # and not which versions of what
}
"""What every answer carries."""


def install(worker: Worker) -> Access:
    """The worker's web server answers our routes and none of Faust's.

    Args:
        worker: Not started yet.

    Returns:
        What it asks of requests.

    Raises:
        ConfigurationError: Scores would be open to others; see `access.granted`.
    """
    access = granted(worker.settings)
    server = cast("Web", worker.app.web)
    server.blueprints = BlueprintManager()  # Faust has an index at "/", whatever the settings
    # It logs malformed requests with what they held: ids, perhaps the token.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    mount(server.web_app, worker, access)
    return access


def mount(app: web.Application, worker: Worker, access: Access) -> None:
    """An aiohttp application answers our routes.

    Args:
        app: Not started yet.
        worker: Whose rows and numbers.
        access: What it asks of requests.
    """
    app.middlewares.append(_every_request(access))
    answers = _Answers(worker)
    for path, handler in answers.routes().items():
        app.router.add_get(path, handler)


class _Answers:
    """One method per route."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._peers = Peers(worker)

    def routes(self) -> dict[str, Callable[[web.Request], Awaitable[web.Response]]]:
        """Return what is asked for → who answers."""
        return {
            "/livez": self.live,
            "/readyz": self.ready,
            "/metrics": self.metrics,
            "/api/v1/students/{student_id}": self.student,
            "/api/v1/students/{student_id}/courses/{course_id}": self.enrolment,
            "/api/v1/courses/{course_id}": self.course,
        }

    async def live(self, _: web.Request) -> web.Response:
        """The event loop answers."""
        return _json({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        """All that is ours is restored and worked on, or why it is not."""
        reasons = self._worker.not_ready()
        warnings = self._worker.warnings()
        also = {"warnings": warnings} if warnings else {}
        if not reasons:
            return _json({"ready": True} | also)
        told: dict[str, Any] = {"ready": False, "reasons": reasons} | also
        restoring = self._worker.restoring()
        if restoring:
            progress = self._worker.recovery.changelog.progress
            told["restoring"] = {
                "partitions": sorted(restoring),
                "records": progress.done,
                "records_total": progress.total,
                "records_per_second": round(progress.rate),
                "remaining_seconds": progress.remaining_seconds,
            }
        return _json(told, HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(self, _: web.Request) -> web.Response:
        """The numbers, in Prometheus's text format."""
        self._worker.refresh()
        body = generate_latest(self._worker.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def student(self, request: web.Request) -> web.Response:
        """One student's courses."""
        answers = await self._answers(request, views.student)
        return _json(peers.one_of(answers, request.match_info["student_id"]))

    async def enrolment(self, request: web.Request) -> web.Response:
        """One student in one course."""
        answers = await self._answers(request, views.enrolment)
        return _json(peers.one_of(answers, request.match_info["student_id"]))

    async def course(self, request: web.Request) -> web.Response:
        """One course's students."""
        return _json(peers.course_of(await self._answers(request, views.course)))

    async def _answers(
        self, request: web.Request, view: Callable[..., views.Answer]
    ) -> list[views.Answer | Problem]:
        """Return what every worker that may hold it answers, ourselves among them."""
        reasons = self._worker.not_serving()
        if reasons:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not_ready",
                "; ".join(reasons),
                {"Retry-After": str(peers.RETRY_SECONDS)},
            )
        holders = self._peers.holders(request)
        others = [url for url in holders if url != self._worker.url]
        answers = await self._peers.ask(others, request)
        if self._worker.url in holders:
            tenant = request.query.get("tenant")
            try:
                answers.append(view(self._worker.table.data, **request.match_info, tenant=tenant))
            except Problem as problem:
                answers.append(problem)
            if self._peers.places(request) & self._worker.restoring():
                answers.append(Unreachable())  # what is restored answers; the rest may hold more
        return answers


def _every_request(access: Access) -> Middleware:
    """Return what stands around every answer, those of unknown paths included."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            access.check(request.path, request.headers)
            response = await handler(request)
        except Problem as problem:
            response = _problem(problem)
        except web.HTTPException as answer:  # aiohttp's own: no such route, not this method
            status = HTTPStatus(answer.status)
            allow = {name: answer.headers[name] for name in ("Allow",) if name in answer.headers}
            response = _problem(Problem(status, status.name.lower(), status.phrase, allow))
        except Exception as error:  # noqa: BLE001 - the last resort: no details leave here
            _log(request, error)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            response = _problem(Problem(status, status.name.lower(), "this is a bug of ours"))
        response.headers.update(HEADERS)
        return response

    return around


def _problem(problem: Problem) -> web.Response:
    told = {"error": {"code": problem.code, "message": problem.message}}
    return _json(told, problem.status, problem.headers)


def _json(
    content: dict[str, Any], status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(content) + b"\n",
        status=status,
        content_type="application/json",
        headers=headers,
    )


def _log(request: web.Request, error: Exception) -> None:
    """Note a failure of ours: which route and code; never the path, which holds ids."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "no route"
    log.error("%s: %s", route, place(error))
