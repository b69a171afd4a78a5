"""Several workers: any of them answers for any student; what one holds moves to others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from streams.access.doors import SERVICE
from streams.core.keys import Use, derive
from streams.simulator import semester
from streams.web.hops import HEADER, Hops, what
from tests.kafka.running import Flow, assert_all_is_as_recomputed, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.cli.process import WorkerProcess
    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

EVENTS = 20_000
TOKEN = "a token that only the tests know"  # noqa: S105 - the tests' own
END = datetime(2026, 5, 15, 17, tzinfo=UTC)


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    file = tmp_path / "token"
    file.write_text(TOKEN.replace(" ", "-"))
    file.chmod(0o600)
    return Flow(kafka.bootstrap_servers, namespace, tmp_path, web_token_file=file)


@pytest.fixture
def workers(flow: Flow) -> Iterator[list[WorkerProcess]]:
    with flow.workers("first", "second") as two:
        yield two


def asked(worker: WorkerProcess, path: str, **headers: str) -> tuple[int, Any]:
    """Return status and body of an answer."""
    told = {"Authorization": f"Bearer {TOKEN.replace(' ', '-')}"} | headers
    try:
        with urlopen(Request(worker.url + path, headers=told), timeout=10) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def own(flow: Flow, worker: WorkerProcess, student: str) -> int:
    """Return the status of what a worker answers from its own rows alone, as another asks it."""
    key = derive(flow.settings.read_id_key(), Use.PEERS)
    path = f"/api/v1/students/{student}"
    header = Hops(key, "test", "").signed(SERVICE, worker.url, what("GET", path, [], b""))
    return asked(worker, path, **{HEADER: header})[0]


def test_any_worker_answers_for_any_student_and_a_course_is_gathered(
    flow: Flow, workers: list[WorkerProcess]
) -> None:
    flow.play(semester(31, EVENTS, END))
    flow.await_worked(EVENTS)
    expected = assert_all_is_as_recomputed(flow).expected.rows
    students = sorted({(tenant, student) for tenant, student, _ in expected})[:40]

    alone = 0
    for tenant, student in students:
        for path in (f"/api/v1/students/{student}?tenant={tenant}", f"/api/v1/students/{student}"):
            answers = [asked(worker, path) for worker in workers]
            assert answers[0] == answers[1]
            assert answers[0][0] == 200
        each = [own(flow, worker, student) for worker in workers]
        assert sorted(each) == [200, 404]
        alone += each[0] == 200
    assert 0 < alone < len(students), "invalid: one worker held all"

    course = next(course for _, _, course in expected)
    rosters = [asked(worker, f"/api/v1/courses/{course}") for worker in workers]
    assert rosters[0] == rosters[1]
    held = {student for _, student, of in expected if of == course}
    assert {row["student_id"] for row in rosters[0][1]["students"]} <= held
    assert "partial" not in rosters[0][1]

    workers[1].kill()
    status, roster = asked(workers[0], f"/api/v1/courses/{course}")
    assert (status, roster["partial"]) == (200, True)
    lost = next(student for _, student in students if own(flow, workers[0], student) == 404)
    status, problem = asked(workers[0], f"/api/v1/students/{lost}")
    assert (status, problem["error"]["code"]) == (503, "worker_unreachable")

    until(lambda: asked(workers[0], f"/api/v1/students/{lost}")[0] == 200)
    assert asked(workers[0], f"/api/v1/courses/{course}") == (200, rosters[0][1])


def test_a_wrong_token_is_refused_by_any_worker(workers: list[WorkerProcess]) -> None:
    assert asked(workers[0], "/api/v1/students/1", Authorization="Bearer wrong")[0] == 401
    assert asked(workers[0], "/api/v1/students/1")[0] == 404
