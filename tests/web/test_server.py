"""Every answer has one shape and no copy is kept of it; an unready worker shows no row; Faust's own
pages are off. A worker that never starts, on a real server."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import asyncio
import json
import logging
import socket
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from aiohttp import ClientSession
from faust.web import base
from mode.utils.imports import symbol_by_name

from streams.access.doors import Door
from streams.core import scores
from streams.core.events import CourseGradeChange
from streams.core.rows import Position, encode_row
from streams.web import asked as bodies
from streams.web import connections
from streams.web.gate import HEADERS
from streams.web.server import install, mount
from streams.worker import Worker
from tests.access.files import ID_KEY
from tests.tables import a_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from faust.web.blueprints import Blueprint
    from faust.web.drivers.aiohttp import Web

    from streams.cluster import Cluster
    from streams.settings import Settings

VIEWS = ["/api/v1/students/48", "/api/v1/students/48/courses/565", "/api/v1/courses/565"]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Ready(Worker):
    """A worker that says it serves, and has read all alerts, without having started."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        super().__init__(settings, cluster)
        self.follower._ahead.clear()

    def not_serving(self) -> list[str]:
        return []


def asked(worker: Worker, path: str, method: str = "GET") -> Answer:
    """Return what a worker's web server answers over HTTP; its routes must have been mounted."""

    async def ask() -> Answer:
        async with (
            serving(worker),
            ClientSession() as client,
            client.request(method, worker.url + path, allow_redirects=False) as response,
        ):
            json = response.content_type == "application/json" and method != "HEAD"
            body = await (response.json() if json else response.text())
            return Answer(response.status, dict(response.headers), body)

    return asyncio.run(ask())


@asynccontextmanager
async def serving(worker: Worker) -> AsyncIterator[None]:
    """Run a worker's web server, and nothing else of it."""
    await server_of(worker).start_server()
    try:
        yield
    finally:
        await server_of(worker).stop_server()


def ours(worker: Worker) -> Worker:
    """Return a worker with our routes mounted."""
    mount(server_of(worker).web_app, worker, Door(worker.settings))
    return worker


def server_of(worker: Worker) -> Web:
    return cast("Web", worker.app.web)


def fausts_paths() -> list[str]:
    """Return every path that some setting of Faust's own web server has an answer for."""
    known = (
        *base.DEFAULT_BLUEPRINTS,
        *base.PRODUCTION_BLUEPRINTS,
        *base.DEBUG_BLUEPRINTS,
        *base.OPTIONAL_BLUEPRINTS,
    )
    paths = {
        prefix + route.uri.replace("{name}", "grade-scores").replace("{key}", "48")
        for prefix, blueprint in known
        for route in cast("Blueprint", symbol_by_name(blueprint)).routes
    }
    return sorted(paths)


def test_the_list_of_fausts_paths_is_not_empty() -> None:
    assert {"/", "/router/", "/table/", "/graph/"} <= set(fausts_paths())


def test_none_of_fausts_paths_answers_once_ours_are_installed() -> None:
    for path in fausts_paths():
        worker = a_worker()
        install(worker)
        server_of(worker).init_server()

        answer = asked(worker, path)

        assert answer.status in {303, 404}, path
        assert "faust" not in str(answer.body).lower()
        assert answer.headers.get("Location") in {None, "/alerts?state=firing"}


def test_without_ours_faust_answers_at_its_index() -> None:
    worker = a_worker()
    server_of(worker).init_server()

    assert asked(worker, "/").status == 200


def a_worker_with_a_row_it_cannot_read() -> Worker:
    event = CourseGradeChange(
        event_id="e1", tenant="t", student_id="48", course_id="565",
        event_time="2026-02-03T12:00:00.000Z", current_score=71.5,
    )  # fmt: skip
    known = scores.apply(None, event, Position("topic-id", 7)).row
    assert known
    row = encode_row(known)
    worker = a_worker(Ready)
    worker.table.data.publish(0, [(b"t:48", b"565", b"no row"), (b"t:48", b"566", row)])
    worker.table.data.publish(0, [(b"t:49", b"565", row)])
    worker.table.data.serving.add(0)
    return worker


def test_a_row_that_cannot_be_read_does_not_hide_the_others() -> None:
    student = asked(ours(a_worker_with_a_row_it_cannot_read()), "/api/v1/students/48").body
    course = asked(ours(a_worker_with_a_row_it_cannot_read()), "/api/v1/courses/565").body

    assert [row["course_id"] for row in student["courses"]] == ["566"]
    assert [row["student_id"] for row in course["students"]] == ["49"]
    assert student["unreadable"] == course["unreadable"] == 1


@pytest.mark.parametrize("path", VIEWS)
def test_a_worker_that_is_not_ready_shows_no_row_and_says_when_to_ask_again(path: str) -> None:
    worker = a_worker()
    worker.table.data.publish(0, [(b"t:48", b"565", b"never read")])

    answer = asked(ours(worker), path)

    assert (answer.status, answer.body["error"]["code"]) == (503, "not_ready")
    assert answer.headers["Retry-After"] == "5"


def test_probes_and_metrics_answer_before_the_worker_is_ready() -> None:
    assert asked(ours(a_worker()), "/livez").body == {"live": True}
    ready = asked(ours(a_worker()), "/readyz")
    reasons = ["starting", "reading alerts: 0 of about 0 records"]
    assert (ready.status, ready.body) == (503, {"ready": False, "reasons": reasons})
    metrics = asked(ours(a_worker()), "/metrics")
    assert metrics.status == 200
    assert "gradewatch_ready 0.0" in metrics.body


def test_a_bug_of_ours_is_500_without_details_and_logged_without_ids(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = a_worker(Ready)
    worker.table.data.publish(0, [(b"t:48", b"565", b"no row")])
    worker.table.data.serving.add(0)

    with caplog.at_level(logging.INFO):
        answer = asked(ours(worker), "/api/v1/students/48/courses/565")

    told = {"code": "internal_server_error", "message": "this is a bug of ours"}
    assert (answer.status, answer.body) == (500, {"error": told})
    [line] = [r.getMessage() for r in caplog.records if r.name == "gradewatch.web"]
    assert line.startswith("/api/v1/students/{student_id}/courses/{course_id}: UnreadableError in")
    assert "565" not in caplog.text
    assert "/48" not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("GET", "/metrics", 200),
        ("GET", "/readyz", 503),
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/students/48/", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/api/v1/students/48", 405),
        ("OPTIONS", "/api/v1/students/48", 405),
    ],
)
def test_every_answer_forbids_copies_and_tells_no_versions(
    method: str, path: str, status: int
) -> None:
    answer = asked(ours(a_worker()), path, method)

    assert answer.status == status
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] == "gradewatch"
    if path not in {"/metrics", "/nothing"}:
        assert answer.headers["Content-Type"] == "application/json"
    if method != "HEAD" and status >= 400 and path not in {"/readyz", "/nothing"}:
        assert set(answer.body["error"]) == {"code", "message"}


def test_with_a_token_even_an_unknown_path_and_method_need_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("0123456789abcdef")
    paths = [
        ("GET", "/api/nothing"),
        ("POST", "/api/v1/students/48"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/openapi.json"),
    ]
    for method, path in paths:
        answer = asked(ours(a_worker(web_token_file=file, id_key=ID_KEY)), path, method)
        assert answer.status == HTTPStatus.UNAUTHORIZED, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_malformed_request_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    worker = a_worker()
    install(worker)

    async def send() -> bytes:
        async with serving(worker):
            reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
            writer.write(
                b"GET /api/v1/students/4848 HTTP/1.1\r\nAuthorization Bearer 5ecret\r\n\r\n"
            )
            answer = await reader.read()
            writer.close()
            return answer

    with caplog.at_level(logging.DEBUG):
        assert b" 400 " in asyncio.run(send()).partition(b"\r\n")[0]
    assert "4848" not in caplog.text
    assert "5ecret" not in caplog.text


def raw(worker: Worker, sent: bytes, *, seconds: float = 20) -> bytes:
    """Return all that comes back until the server closes the connection."""

    async def send() -> bytes:
        async with serving(worker):
            reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
            writer.write(sent)
            try:
                return await asyncio.wait_for(reader.read(), seconds)
            finally:
                writer.close()

    return asyncio.run(send())


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /api/v1/students/4848 HTTP/1.1\r\nAuthorization Bearer 5ecret\r\n\r\n",
        b"GET /4848\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"NONSENSE 4848\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"4848" * 4000 + b"\r\n\r\n",
    ],
)
def test_malformed_http_is_answered_as_everything_is(sent: bytes) -> None:
    head, _, body = raw(ours(a_worker()), sent).partition(b"\r\n\r\n")

    assert head.split()[1] == b"400"
    assert json.loads(body)["error"]["code"] == "bad_request"
    for name, value in HEADERS.items():
        assert f"{name}: {value}".encode() in head
    for told in (b"aiohttp", b"Python", b"4848", b"5ecret"):
        assert told not in head + body


HEAD = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT", HEAD, HEAD.replace(b"POST", b"GET")])
def test_half_a_head_is_not_kept(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    assert raw(ours(a_worker()), sent) == b""


def test_half_a_head_after_a_whole_request_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEP_SECONDS", 0.2)
    whole = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answered = raw(ours(a_worker()), whole + b"GET /livez HT")

    assert answered.count(b"HTTP/1.1 ") == 1
    assert b" 200 OK" in answered


def test_half_a_body_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\ntok"
    answered = raw(ours(a_worker()), HEAD + form, seconds=30)

    assert answered.startswith(b"HTTP/1.1 408 ")


def test_a_free_port_is_chosen_where_none_is_named_and_is_part_of_the_url() -> None:
    worker = a_worker(web_host="::1")

    assert worker.url == f"http://[::1]:{worker.port}"
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", worker.port))
