"""A worker shows over HTTP what it keeps, refuses to start where it must, stops on a signal."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from streams.access.roles import Person, Role
from streams.core.actions import Work
from streams.lists import query, steps
from streams.lists.follow import Followed, Follower
from streams.lists.store import Alerts
from streams.lists.write import Actions, Change
from streams.metrics import Metrics
from streams.settings import environment
from streams.simulator import RawRecord
from tests.kafka.running import Flow
from tests.scenarios import a_course_grade_change, an_override, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

RAW = [
    a_course_grade_change("48", "565", current=(84.25, 71.5), at=moment(0)),
    an_override("48", "565", score=(None, 95.0), at=moment(10)),
    a_course_grade_change("49", "565", current=(90.0, 95.0), at=moment(2)),
    b"[]",
]


@pytest.fixture(scope="module")
def flow(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A running worker that has worked on ``RAW``."""
    tmp_path = tmp_path_factory.mktemp("web")
    flow = Flow(kafka.bootstrap_servers, f"t{secrets.token_hex(4)}", tmp_path)
    with flow.worker:
        for number, value in enumerate(RAW, 1):  # one by one: partitions keep no order
            flow.play([RawRecord(value, None, milliseconds(moment(0)))])
            flow.await_worked(number)
        yield flow


def asked(flow: Flow, path: str, **headers: str) -> tuple[int, dict[str, Any], Any]:
    request = urllib.request.Request(flow.worker.url + path, headers=headers)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def command(flow: Flow, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *words],
        env=environment(flow.settings) | {"GRADEWATCH_WEB_PORT": flow.worker.url[-5:]} | env,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_from_canvas_event_to_row(flow: Flow) -> None:
    status, headers, body = asked(flow, "/api/v1/students/48/courses/565")

    row = json.loads(body)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"].startswith("application/json")
    assert (row["current_score"], row["effective_final_score"]) == (71.5, 95.0)
    roster = json.loads(asked(flow, "/api/v1/courses/565")[2])["students"]
    assert [row["student_id"] for row in roster] == ["48", "49"]


@pytest.mark.parametrize(
    "path", ["/table/", "/router/", "/graph/", "/stats/", "/performance/", "/docs/", "/nope"]
)
def test_nothing_of_fausts_own_pages_answers(flow: Flow, path: str) -> None:
    status, _, body = asked(flow, path)

    assert status == 404
    assert "faust" not in body.decode().lower()


def test_metrics_tell_fates_lag_and_rows_and_nothing_of_anybody(flow: Flow) -> None:
    text = asked(flow, "/metrics")[2].decode()

    assert 'gradewatch_records_total{agent="intake",fate="passed"} 3.0' in text
    assert 'gradewatch_refused_total{agent="intake",reason="unknown_envelope"} 1.0' in text
    labels = 'audience="staff",kind="score_drop",severity="warning",transition="opened"'
    assert f"gradewatch_alerts_total{{{labels}}} 1.0" in text
    assert 'gradewatch_rows{state="serving"} 2.0' in text
    assert "gradewatch_ready 1.0" in text
    lags = [line for line in text.splitlines() if line.startswith("gradewatch_lag_records{")]
    assert len(lags) == 8
    assert all(line.endswith(" 0.0") for line in lags)
    assert "71.5" not in text


def test_another_host_name_and_another_method_are_refused(flow: Flow) -> None:
    assert asked(flow, "/readyz", Host="grades.example")[0] == 421
    request = urllib.request.Request(flow.worker.url + "/readyz", data=b"", method="POST")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310
    with told.value as answer:
        assert (answer.code, json.loads(answer.read())["error"]["code"]) == (
            405,
            "method_not_allowed",
        )


def test_scores_get_and_alerts_tail_ask_the_worker_and_the_topic(flow: Flow) -> None:
    shown = command(flow, "scores", "get", "48", "565", "--format", "json")
    assert (shown.returncode, json.loads(shown.stdout)["current_score"]) == (0, 71.5)
    assert "71.5" in command(flow, "scores", "get", "48").stdout
    unknown = command(flow, "scores", "get", "999")
    assert unknown.returncode == 1
    assert "next:" in unknown.stderr
    assert "Traceback" not in unknown.stderr

    tail = command(flow, "alerts", "tail", "--from-beginning", "--exit-when-idle")
    assert tail.returncode == 0
    kinds = [line.split()[3] for line in tail.stdout.splitlines()]
    assert sorted(kinds) == ["override_raised", "score_drop"]


def test_a_command_without_a_worker_says_so(flow: Flow) -> None:
    result = command(flow, "scores", "get", "48", GRADEWATCH_WEB_PORT="9")

    assert result.returncode == 69
    assert "gradewatch worker" in result.stderr


@pytest.mark.parametrize(
    ("env", "code", "message"),
    [
        ({"GRADEWATCH_WEB_HOST": "0.0.0.0"}, 78, "GRADEWATCH_WEB_TOKEN_FILE"),  # noqa: S104
        ({"GRADEWATCH_NAMESPACE": "nowhere"}, 78, "gradewatch topics apply"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}, 69, "127.0.0.1:9"),
        ({"GRADEWATCH_RULES": "/nonexistent/rules.yaml"}, 78, "GRADEWATCH_RULES"),
        ({}, 1, "--web-port"),  # the port is taken: by the running worker
    ],
)
def test_a_worker_that_must_not_start_says_why(
    flow: Flow, env: dict[str, str], code: int, message: str
) -> None:
    result = command(flow, "worker", **env)

    assert (result.returncode, message in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.stderr


def test_with_a_token_file_only_its_bearer_reads(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef0123")
    file.chmod(0o600)
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, web_token_file=file)
    with flow.worker:
        assert asked(flow, "/api/v1/students/48")[0] == 401
        assert asked(flow, "/metrics")[0] == 401
        assert asked(flow, "/readyz")[0] == 200
        bearer = {"Authorization": "Bearer 0123456789abcdef0123"}
        assert asked(flow, "/api/v1/students/48", **bearer)[0] == 404
    assert "0123456789abcdef0123" not in flow.log()


SERVICE = Person("etl", Role.SERVICE)


@asynccontextmanager
async def listed(flow: Flow) -> AsyncIterator[Alerts]:
    """Give the alerts as a worker that starts now lists them."""
    state, acted = flow.topic("grade-alerts-state"), flow.topic("grade-alert-actions")
    followed = Followed(state, acted, len(flow.partitions("grade-alerts-state")))
    alerts = Alerts()
    follower = Follower(flow.kafka, flow.settings.group, followed, alerts, Metrics())
    await follower.start()
    try:
        async with asyncio.timeout(30):
            while not follower.caught_up:  # noqa: ASYNC110 - it tells nobody else
                await asyncio.sleep(0.02)
        yield alerts
    finally:
        await follower.stop()


def test_lists_hold_what_the_topic_holds_and_what_people_did_survives(flow: Flow) -> None:
    async def act() -> None:
        async with listed(flow) as alerts:
            assert {held["alert_id"] for held in alerts.find(query.Query(), SERVICE).items} == {
                one for one in written if one in staff
            }
            held = alerts.one(staff[0], SERVICE)
            assert held is not None
            topic = flow.topic("grade-alert-actions")
            actions = Actions(flow.kafka, flow.settings.group, topic, alerts)
            await actions.act(held, Change(note="Wrote to them."), "ada")
            await actions.act(held, Change(state=Work.CONTACTED), "bob")
            assert alerts.work(held)["state"] == "contacted"

    async def look_again() -> None:
        async with listed(flow) as alerts:
            held = alerts.one(staff[0], SERVICE)
            assert held is not None
            work = alerts.work(held)
            assert (work["state"], work["note"], work["by"]) == (
                "contacted", "Wrote to them.", "bob",
            )  # fmt: skip
            topic = flow.topic("grade-alerts")
            read = steps.read(flow.kafka, flow.settings.group, topic, held)
            assert read == list(held.steps.values()) != []
            assert steps.missing(held) == []

    staff = [json.loads(one.value)["alert_id"] for one in flow.read("grade-alerts")]
    written = {json.loads(one.value)["alert_id"] for one in flow.read("grade-alerts-state")}
    assert staff
    asyncio.run(act())
    asyncio.run(look_again())
