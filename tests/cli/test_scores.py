"""``gradewatch scores get`` asks a worker over HTTP; without scores it says what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from streams.cli.scores import local_url, scores, table
from streams.errors import BrokerError, ConfigurationError, GradewatchError, NotFoundError
from streams.settings import load
from tests.cli.answering import Worker, answering

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

ROW = {"course_id": "565", "current_score": 71.5, "final_score": 70.0, "workflow_state": "active"}
TOKEN = "0123456789abcdef"  # noqa: S105 - of this test


def get(*words: str, **env: str) -> Result:
    return CliRunner(env=env).invoke(scores, ["get", *words])


def problem(message: str) -> dict[str, Any]:
    return {"error": {"code": "…", "message": message}}


def test_a_student_is_a_table_of_courses() -> None:
    with answering(200, {"student_id": "48", "courses": [ROW]}) as url:
        result = get("48", "--url", url)

    heading, row = result.stdout.splitlines()
    assert heading.split()[:4] == ["course", "current", "final", "unposted"]
    assert row.split()[:4] == ["565", "71.5", "70", "-"]
    assert Worker.asked == [("/api/v1/students/48", None)]


def test_json_is_the_workers_answer() -> None:
    with answering(200, ROW) as url:
        result = get("48", "565", "--tenant", "a&b", "--format", "json", "--url", url)

    assert json.loads(result.stdout) == ROW
    assert Worker.asked == [("/api/v1/students/48/courses/565?tenant=a%26b", None)]


def test_an_id_cannot_become_another_path() -> None:
    with answering(400, problem("an id is a number")) as url:
        get("../../metrics", "--url", url)

    assert Worker.asked == [("/api/v1/students/..%2F..%2Fmetrics", None)]


def test_the_token_goes_to_the_worker_and_to_no_proxy_and_no_redirect(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with answering(302, {}) as url:
        result = get(
            "48", "--url", url, GRADEWATCH_WEB_TOKEN_FILE=str(file), http_proxy="http://127.0.0.1:9"
        )

    assert Worker.asked == [("/api/v1/students/48", f"Bearer {TOKEN}")]
    assert isinstance(result.exception, GradewatchError)
    assert TOKEN not in str(result.exception)


@pytest.mark.parametrize(
    ("status", "content", "kind", "exit_code", "said"),
    [
        (404, problem("no such student"), NotFoundError, 1, "check the id"),
        (401, problem("token"), ConfigurationError, 78, "GRADEWATCH_WEB_TOKEN_FILE"),
        (503, problem("restoring rows"), GradewatchError, 1, "restoring rows"),
        (400, problem("say which, ?tenant="), GradewatchError, 1, "?tenant="),
        (500, {"error": "…"}, GradewatchError, 1, "500"),
        (200, b"<html>", BrokerError, 69, "gradewatch worker"),
        (404, ["…"], BrokerError, 69, "gradewatch worker"),
    ],
)
def test_an_answer_without_scores_says_what_to_do(
    status: int, content: object, kind: type[GradewatchError], exit_code: int, said: str
) -> None:
    with answering(status, content) as url:
        error = get("48", "--url", url).exception

    assert type(error) is kind
    assert error.exit_code == exit_code
    assert said in str(error)


@pytest.mark.parametrize("url", ["127.0.0.1:6066", "ftp://x", "http://", "http://[", "http://x:y"])
def test_what_is_no_url_is_a_configuration_error(url: str) -> None:
    assert type(get("48", "--url", url).exception) is ConfigurationError


def test_where_nothing_answers_it_names_the_command_that_would() -> None:
    error = get("48", GRADEWATCH_WEB_PORT="9").exception

    assert type(error) is BrokerError
    assert "http://127.0.0.1:9" in str(error)
    assert "gradewatch worker" in str(error)


def test_the_address_is_that_of_this_machines_worker() -> None:
    assert local_url(load(web_host="::1", web_port=7000)) == "http://[::1]:7000"


def test_a_table_of_nothing_is_its_heading() -> None:
    assert len(table([])) == 1
