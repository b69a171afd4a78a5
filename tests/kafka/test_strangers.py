"""Members of the group: one without the id key is asked nothing, none is handed anybody's token."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener, urlopen

import pytest

from streams.access.doors import COOKIE
from streams.access.people import People
from streams.simulator import semester
from streams.web.hops import HEADER
from tests.access.files import TOKENS, a_person, written
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.cli.process import WorkerProcess
    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

EVENTS = 2_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)
Heard = list[tuple[str, dict[str, str]]]


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    access = written(tmp_path, People(people=(a_person("etl", tenant=None),)))
    return Flow(kafka.bootstrap_servers, namespace, tmp_path, access_file=access)


@contextmanager
def listener() -> Iterator[tuple[str, Heard]]:
    """Give the URL of a server that keeps every request, and what it was sent."""
    heard: Heard = []

    class Keep(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, dict(self.headers)))
            self.send_error(500)

        do_POST = do_GET  # noqa: N815 - its name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


@contextmanager
def two(flow: Flow, **second: Any) -> Iterator[WorkerProcess]:  # noqa: ANN401 - settings
    """Give a worker beside another one, whose settings differ; both have partitions."""
    workers = [flow.new_worker("first"), flow.new_worker("second", **second)]
    with ExitStack() as stack:
        for worker in workers:
            stack.callback(worker.stop)
            worker.start()
        for worker in workers:
            worker.await_ready()
        flow.play(semester(31, EVENTS, END))
        flow.await_worked(EVENTS)
        yield workers[0]


class _Stay(HTTPRedirectHandler):
    """Follow no redirect: the answer that redirects has the cookie."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401
        return None


def asked(worker: WorkerProcess, path: str, **headers: str) -> tuple[int, Any]:
    try:
        with urlopen(Request(worker.url + path, headers=headers), timeout=10) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def ways_in(worker: WorkerProcess) -> list[dict[str, str]]:
    """Return the headers of a token, and of a session."""
    request = Request(  # noqa: S310 - ours
        f"{worker.url}/sign-in", urlencode({"token": TOKENS["etl"]}).encode(), method="POST"
    )
    with pytest.raises(HTTPError) as told:
        build_opener(_Stay).open(request, timeout=10)
    with told.value as answer:
        cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert cookie.startswith(COOKIE)
    return [{"Authorization": f"Bearer {TOKENS['etl']}"}, {"Cookie": cookie}]


def ask_for_everybody(flow: Flow, worker: WorkerProcess) -> list[int]:
    """Return the statuses of every student, each asked for by token and by session."""
    students = {json.loads(one.value)["student_id"] for one in flow.read("grade-alerts")}
    assert len(students) > 10, "invalid: too few to be on both workers"
    return [
        asked(worker, f"/api/v1/students/{student}", **headers)[0]
        for headers in ways_in(worker)
        for student in students
    ]


def test_a_member_without_the_id_key_is_asked_nothing(flow: Flow) -> None:
    with listener() as (url, heard), two(
        flow, canonical_url=url, id_key=type(flow.settings.id_key)("another key of the tests")
    ) as worker:  # fmt: skip
        statuses = ask_for_everybody(flow, worker)
        assert set(statuses) == {200, 503}
        assert asked(worker, "/readyz")[1]["warnings"] == [
            "1 members of the group do not prove the id key, and are asked nothing"
        ]
        assert heard == []


def test_a_peer_is_sent_a_signature_and_never_a_token_or_cookie(flow: Flow) -> None:
    with listener() as (url, heard), two(flow, canonical_url=url) as worker:
        statuses = ask_for_everybody(flow, worker)
        assert set(statuses) == {200, 503}
        assert heard, "invalid: nobody was asked"
        for path, headers in heard:
            sent = json.dumps([path, headers])
            assert "Authorization" not in headers
            assert "Cookie" not in headers
            assert TOKENS["etl"] not in sent
            assert COOKIE not in sent
        path, headers = heard[0]
        assert asked(worker, path, **{HEADER: headers[HEADER]})[0] == 401, "it was for another"


def test_hops_are_audited_by_both_workers(flow: Flow) -> None:
    with two(flow) as worker:
        count = len(ask_for_everybody(flow, worker))

        def entries() -> list[dict[str, Any]]:
            return [json.loads(one.value) for one in flow.read("grade-access-audit")]

        until(lambda: sum(one["who"] == "etl" and "via" not in one for one in entries()) >= count)
        hops = [one for one in entries() if "via" in one]
        assert {(one["who"], one["via"], one["worker"]) for one in hops} == {
            ("etl", "first", "second")
        }
        own = {one["subject"] for one in entries() if "via" not in one}
        found = {one["subject"] for one in hops if one["outcome"] == "allowed"}
        assert found
        assert found <= own
