"""What every request passes: host, person, right, rate, origin, size; and what every answer has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from streams.access.doors import COOKIE
from streams.web.gate import CSP
from tests.access.files import TOKENS
from tests.web.served import audited, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.served import Answer, Client, Here

FORM = {"Content_Type": "application/x-www-form-urlencoded"}
ALERTS = "/api/v1/alerts"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Here, Client, Any]]:
    with served(tmp_path_factory.mktemp("web")) as it:
        yield it


@pytest.fixture
def client(serving: tuple[Here, Client, Any]) -> Client:
    return serving[1]


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.text)["error"]["code"]


def signed_in(client: Client, who: str) -> str:
    """Return the cookie of somebody's session, as a browser sends it back."""
    answer = client.ask("/sign-in", "", "POST", urlencode({"token": TOKENS[who]}), **FORM)
    assert (answer.status, answer.headers["location"]) == (303, "/alerts?state=firing")
    return answer.headers["set-cookie"].split(";")[0]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/alerts",
        ALERTS,
        "/api/v1/nothing",
        "/nothing",
        "/livez",
        "/sign-in",
        "/api/v1/students/x",
    ],
)
@pytest.mark.parametrize("who", ["etl", ""])
def test_every_answer_forbids_scripts_copies_and_frames(
    client: Client, path: str, who: str
) -> None:
    headers = client.ask(path, who).headers

    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["server"] == "gradewatch"


def test_assets_alone_are_kept_by_browsers(client: Client) -> None:
    page = client.ask("/sign-in").text
    name = page.split('href="/assets/pages.')[1].split('"')[0]
    answer = client.ask(f"/assets/pages.{name}")

    assert (answer.status, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert answer.headers["cache-control"].endswith("immutable")


@pytest.mark.parametrize("host", ["grades.example", "127.0.0.1.example", "", "[", "10.0.0.1"])
def test_on_loopback_another_host_name_is_misdirected(client: Client, host: str) -> None:
    assert code(client.ask("/livez", "etl", Host=host)) == (421, "misdirected_request")


def test_a_session_is_a_cookie_that_only_this_host_and_no_script_gets(client: Client) -> None:
    told = client.ask("/sign-in", "", "POST", urlencode({"token": TOKENS["ada"]}), **FORM)
    cookie = told.headers["set-cookie"]

    assert cookie.startswith(f"{COOKIE}=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    me = client.ask("/api/v1/me", Cookie=cookie.split(";")[0])
    assert json.loads(me.text)["name"] == "ada"


def test_who_signs_out_has_no_cookie_left(client: Client) -> None:
    answer = client.ask("/sign-out", "", "POST", Cookie=signed_in(client, "ada"))

    assert (answer.status, answer.headers["location"]) == (303, "/sign-in")
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_wrong_token_is_told_and_not_repeated(client: Client) -> None:
    answer = client.ask("/sign-in", "", "POST", "token=0123456789", **FORM)

    assert answer.status == 401
    assert "not known" in answer.text
    assert "0123456789" not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 303),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "HERE"}, 303),
        ({}, 303),
    ],
)
def test_what_another_sites_page_sends_is_refused_though_it_has_the_cookie(
    serving: tuple[Here, Client, Any], headers: dict[str, str], status: int
) -> None:
    worker, client, alerts = serving
    mine = next(one for one in alerts if one["student_id"] == "48" and one["audience"] == "posted")
    told = {name: worker.url if value == "HERE" else value for name, value in headers.items()}
    before = len(worker.done.done)
    answer = client.ask(
        f"/alerts/{mine['alert_id']}", "", "POST", "state=closed",
        Cookie=signed_in(client, "ada"), **FORM, **told,
    )  # fmt: skip

    assert answer.status == status
    assert len(worker.done.done) - before == (status == 303)


def test_what_somebody_did_is_theirs_by_name(serving: tuple[Here, Client, Any]) -> None:
    worker, client, alerts = serving
    mine = next(one for one in alerts if one["student_id"] == "48" and one["audience"] == "posted")
    path = f"/api/v1/alerts/{mine['alert_id']}/actions"
    answer = client.ask(path, "ada", "POST", json.dumps({"note": "Wrote.", "wrong": True}))

    assert answer.status == 200
    alert_id, change, by = worker.done.done[-1]
    assert (alert_id, change.state, change.note, change.wrong, by) == (
        mine["alert_id"], None, "Wrote.", True, "ada",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "", "[]", "{}", "nothing", '{"state": "open"}', '{"note": 1}', '{"wrong": "yes"}',
        '{"by": "eve"}', json.dumps({"note": "x" * 1001}), '{"note": "\\u0000"}', "[" * 60_000,
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_kept(serving: tuple[Here, Client, Any], body: str) -> None:
    worker, client, alerts = serving
    mine = next(one for one in alerts if one["student_id"] == "48" and one["audience"] == "posted")
    before = len(worker.done.done)
    answer = client.ask(f"/api/v1/alerts/{mine['alert_id']}/actions", "ada", "POST", body)

    assert answer.status == 400
    assert len(worker.done.done) == before


def test_a_body_above_64_kib_is_not_read(client: Client) -> None:
    assert client.ask("/api/v1/points", "etl", "POST", "x" * 65_537).status == 413
    assert client.ask("/sign-in", "", "POST", f"token={'x' * 65_537}", **FORM).status == 413


def test_what_is_unchanged_is_not_sent_again(client: Client) -> None:
    first = client.ask(ALERTS, "etl")
    again = client.ask(ALERTS, "etl", If_None_Match=first.headers["etag"])

    assert (first.status, again.status, again.text) == (200, 304, "")
    assert client.ask(ALERTS, "ada", If_None_Match=first.headers["etag"]).status == 200


@pytest.mark.parametrize(
    "query",
    ["state=open", "limit=0", "limit=501", "cursor=x", "cursor=WzAsMSwxLDFd", "since=yesterday",
     "student_id=x", "a=b",
     "include=all", "state=firing&state=resolved", f"rule={'x' * 256}", "kind=%00", "sort=name"],
)  # fmt: skip
def test_a_query_that_makes_no_sense_names_the_parameter(client: Client, query: str) -> None:
    answer = client.ask(f"{ALERTS}?{query}", "etl")

    assert code(answer) == (400, "bad_parameter")


def test_who_asks_too_much_waits_and_others_do_not(tmp_path: Path) -> None:
    with served(tmp_path, web_rate=2) as (_, client, _):
        answers = [client.ask("/api/v1/me", "ada") for _ in range(8)]
        assert [answer.status for answer in answers[:6]] == [200] * 6
        assert code(answers[7]) == (429, "too_many_requests")
        assert int(answers[7].headers["retry-after"]) >= 1
        assert client.ask("/api/v1/me", "ines").status == 200
        guessed = [client.ask("/api/v1/me", f"guess-{n}").status for n in range(8)]
        assert guessed[0] == 401
        assert guessed[-1] == 429
        assert client.ask("/livez").status == 200


def test_every_look_is_audited_with_its_outcome_and_without_ids(tmp_path: Path) -> None:
    with served(tmp_path) as (worker, client, _):
        client.ask("/api/v1/students/48", "ada", X_Gradewatch_Purpose="advising")
        client.ask("/api/v1/students/48/courses/565", "ada")
        client.ask("/api/v1/students/49", "ada")
        client.ask("/api/v1/students/49", "ops")
        client.ask("/api/v1/students/49")
        client.ask("/api/v1/students/999", "etl")
        client.ask("/livez", "etl")
    noted = audited(worker)
    told = [(one.who, one.role, one.action, one.purpose, one.outcome) for one in noted]
    student = "GET /api/v1/students/{student_id}"
    assert told == [
        ("ada", "advisor", student, "advising", "allowed"),
        ("ada", "advisor", f"{student}/courses/{{course_id}}", "", "allowed"),
        ("ada", "advisor", student, "", "out_of_scope"),
        ("ops", "operator", student, "", "forbidden"),
        ("anonymous", "", student, "", "unauthorized"),
        ("etl", "service", student, "", "not_found"),
    ]
    assert noted[0].subject == noted[1].subject != noted[2].subject
    assert len(noted[0].subject) == 16


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content_Type": "multipart/form-data"}, "x"),
        ({"Content_Type": 'multipart/form-data; boundary="\xff"'}, "x"),
        ({"Content_Type": "multipart/form-data; boundary=b"}, "--x"),
        ({"Content_Type": f"{FORM['Content_Type']}; charset=klingon"}, "token=a"),
        ({"Content_Type": "text/plain; charset=klingon"}, "token=a"),
        (FORM, "token=%ff%fe"),
        (FORM | {"Content_Encoding": "gzip"}, "token=a"),
        (FORM, "token=a&token=b"),
        (FORM, "a=1&" * 1000),
    ],
)
def test_a_bad_form_is_the_callers_mistake_and_no_bug_of_ours(
    client: Client, caplog: pytest.LogCaptureFixture, headers: dict[str, str], body: str
) -> None:
    answer = client.ask("/sign-in", "", "POST", body, **headers)

    assert answer.status == 400
    assert [one for one in caplog.records if one.name.startswith("gradewatch")] == []


def test_json_that_is_not_encoded_as_it_says_is_400(client: Client) -> None:
    answer = client.ask("/api/v1/points", "etl", "POST", "{}", Content_Encoding="gzip")

    assert code(answer) == (400, "bad_body")


def test_readiness_names_no_people_and_no_paths(tmp_path: Path) -> None:
    with served(tmp_path) as (worker, client, _):
        worker.told_by.append(lambda: ["the access file is not in force: /etc/x: ada is twice"])
        worker.reload.failed = "/etc/rules.yaml:3: wrong"
        text = client.ask("/readyz").text
        told = json.loads(text)["warnings"]
        assert {
            "the rules file as it is now is not in force",
            "the access file is not in force",
        } <= {*told}
        assert "/etc" not in text
        assert "ada" not in text
        status = json.loads(client.ask("/api/v1/status", "ops").text)
        assert any("ada is twice" in warning for warning in status["warnings"])
