"""Every role at every route about everybody: who is answered, and which fields they are shown.

What should be is written down here once more, apart from the code that decides it.
"""

from __future__ import annotations

import json
import re
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from streams.lists import query
from streams.web import refusals
from streams.web.routes import ROUTES
from streams.web.stream import _Ids
from tests.access.files import ID_KEY, TOKENS
from tests.web.served import GRADER, MARKS, T, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.web.routes import Route
    from tests.web.served import Answer, Client, Here, Mark

ROLES = ["ops", "ada", "lone", "ines", "stu", "etl", "", "a-token-that-nobody-has"]
"""Names of the access file, nobody, and somebody who forges."""

KNOWN = ROLES[:-2]

MAY: dict[str, set[str]] = {
    "ops": {"me", "openapi", "home", "alerts", "rules", "operate"},
    "ada": {"me", "openapi", "home", "alerts", "rules", "scores", "act"},
    "lone": {"me", "openapi", "home", "alerts", "rules", "scores", "act"},
    "ines": {"me", "openapi", "home", "alerts", "rules", "scores", "act"},
    "stu": {"me", "openapi", "home", "alerts", "scores"},
    "etl": {"me", "openapi", "home", "alerts", "rules", "scores", "operate"},
}
ASKS = {
    "/api/v1/me": "me", "/api/v1/openapi.json": "openapi", "/": "home",
    "/api/v1/students/{student_id}": "scores",
    "/api/v1/students/{student_id}/courses/{course_id}": "scores",
    "/api/v1/courses/{course_id}": "scores", "/api/v1/points": "scores",
    "/students/{student_id}": "scores", "/courses/{course_id}": "scores",
    "/api/v1/alerts": "alerts", "/api/v1/alerts/stream": "alerts",
    "/api/v1/alerts/{alert_id}": "alerts", "/alerts": "alerts", "/alerts.csv": "alerts",
    "/alerts/{alert_id}": "alerts",
    "/api/v1/alerts/{alert_id}/actions": "act",
    "/api/v1/rules": "rules", "/metrics": "operate", "/api/v1/status": "operate",
    "/api/v1/refused": "operate", "/operations": "operate",
    "/livez": "", "/readyz": "", "/sign-in": "", "/sign-out": "", "/assets/{name}": "",
}  # fmt: skip
"""Route → what it needs; empty: nothing. Sending a page's form needs "act"."""

STUDENTS, COURSES = ["48", "49", "50", "999"], ["565", "7", "999"]
BODIES = {
    "/api/v1/alerts/{alert_id}/actions": '{"state": "seen"}', "/alerts/{alert_id}": "state=seen",
    "/sign-in": f"token={TOKENS['ada']}",
}  # fmt: skip
FROM_THE_START = _Ids(ID_KEY.encode()).line({1: 0}).decode().removeprefix("id: ").strip()
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def in_scope(role: str, tenant: str, student: str, course: str) -> bool:
    scope = {
        "ada": student == "48", "ines": course == "565", "stu": student == "48", "etl": True,
    }.get(role, False)  # fmt: skip
    return scope and tenant == T


def is_shown(role: str, mark: Mark) -> bool:
    kinds = {
        "ada": {"posted", "shown", "override"}, "stu": {"posted", "shown"},
    }.get(role, {"posted", "shown", "override", "unposted", "muted"})  # fmt: skip
    return in_scope(role, mark.tenant, mark.student, mark.course) and mark.kind in kinds


def sees_alert(role: str, alert: dict[str, Any]) -> bool:
    """Staff who see unposted scores get the staff's version, others the posted one."""
    if not in_scope(role, alert["tenant"], alert["student_id"], alert["course_id"]):
        return False
    is_override = alert["kind"].startswith("override")
    audience = {"ada": "staff" if is_override else "posted", "stu": "posted"}.get(role, "staff")
    return bool(alert["audience"] == audience)


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Here, Client, list[dict[str, Any]]]]:
    with pytest.MonkeyPatch.context() as patch, served(tmp_path_factory.mktemp("web")) as it:
        patch.setattr(refusals, "READ_SECONDS", 0.05)  # there is no Kafka to wait for
        yield it


def paths(template: str, alerts: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every path of a route, with what its names stand for."""
    values = {
        "student_id": STUDENTS, "course_id": COURSES, "name": ["pages.css"],
        "alert_id": [*(alert["alert_id"] for alert in alerts), "0" * 32],
    }  # fmt: skip
    names = re.findall(r"\{(\w+)\}", template)
    for chosen in product(*(values[name] for name in names)):
        yield (
            template.format(**dict(zip(names, chosen, strict=True))),
            dict(zip(names, chosen, strict=True)),
        )


def is_there(role: str, named: dict[str, str], alerts: list[dict[str, Any]]) -> bool:
    """Tell whether what a path names is there, for somebody."""
    if "alert_id" in named:
        return any(
            alert["alert_id"] == named["alert_id"] and sees_alert(role, alert) for alert in alerts
        )
    return any(
        in_scope(role, mark.tenant, mark.student, mark.course)
        and mark.student == named.get("student_id", mark.student)
        and mark.course == named.get("course_id", mark.course)
        for mark in MARKS.values()
    )


def asked(client: Client, role: str, route: Route, path: str, ids: list[str]) -> Answer:
    body = BODIES.get(route.path) if route.method == "POST" else None
    if route.path == "/api/v1/points":
        body = json.dumps({"alerts": ids})
    headers = FORM if route.method == "POST" and not path.startswith("/api") else {}
    if route.path.endswith("/stream"):
        headers = {"Last_Event_ID": FROM_THE_START}  # all of the other partitions
    return client.ask(path, role, route.method, body, **headers)


def shown_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\d.])\d\d\.\d\d(?!\d)", text)) & MARKS.keys()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_role_gets_its_own_and_nothing_else(
    serving: tuple[Here, Client, list[dict[str, Any]]],
    route: Route,
    role: str,
) -> None:
    _, client, alerts = serving
    needs = (
        "act" if route.method == "POST" and route.path == "/alerts/{alert_id}" else ASKS[route.path]
    )
    ids = [alert["alert_id"] for alert in alerts]
    for path, named in paths(route.path, alerts):
        answer = asked(client, role, route, path, ids)
        told = f"{role} {route.method} {path} {answer.status}"

        for mark in shown_in(answer.text):
            assert is_shown(role, MARKS[mark]), f"{told}: {mark}, {MARKS[mark]}"
        if role not in {"ines", "etl"}:
            assert "unposted_" not in answer.text or "openapi" in path, told
            assert GRADER not in answer.text, told
        if not needs:
            assert answer.status not in {401, 403}, told
        elif role not in KNOWN:
            assert answer.status == (303 if is_get_of_page(route) else 401), told
        elif needs not in MAY[role]:
            assert answer.status == 403, told
        elif named and not is_there(role, named, alerts):
            assert answer.status == 404, told
        else:
            # There is no Kafka here: what reads it says so.
            assert answer.status in ({200, 503} if needs == "operate" else {200, 303}), told


def is_get_of_page(route: Route) -> bool:
    return route.method == "GET" and not route.path.startswith(("/api/", "/metrics"))


@pytest.mark.parametrize("role", KNOWN)
@pytest.mark.parametrize("path", ["/api/v1/students/{}", "/students/{}"])
def test_whoever_may_see_a_field_is_shown_it(
    serving: tuple[Here, Client, list[dict[str, Any]]], path: str, role: str
) -> None:
    """Nothing is hidden by mistake: every mark that is theirs is in the student's view."""
    client = serving[1]
    for student in ("48", "49"):
        theirs = {
            value
            for value, mark in MARKS.items()
            if mark.student == student and is_shown(role, mark)
        }
        text = client.ask(path.format(student), role).text
        assert shown_in(text) >= theirs, role
        assert (
            not theirs
            or path.startswith("/students")
            or (GRADER in text) == (role in {"ines", "etl"})
        )


@pytest.mark.parametrize("role", KNOWN)
def test_every_list_has_the_same_alerts(
    serving: tuple[Here, Client, list[dict[str, Any]]], role: str
) -> None:
    """List, file, stream and page tell of the alerts that are theirs, all of them, no others."""
    _, client, alerts = serving
    theirs = {alert["alert_id"] for alert in alerts if sees_alert(role, alert)}
    others = {alert["alert_id"] for alert in alerts} - theirs

    listed = json.loads(client.ask("/api/v1/alerts?limit=500", role).text)
    stream = client.ask("/api/v1/alerts/stream", role, Last_Event_ID=FROM_THE_START).text
    page, csv = client.ask("/alerts", role).text, client.ask("/alerts.csv", role).text
    assert {alert["alert_id"] for alert in listed["alerts"]} == theirs
    assert listed["total"] == len(theirs)
    assert {one for one in theirs if one not in stream or one not in page} == set()
    assert {one for one in others if one in stream or one in page or one in csv} == set()
    assert len(csv.splitlines()) == len(theirs) + 1


FIELDS = {
    "state": ("firing", "state"), "kind": ("score_drop", "kind"), "severity": ("info", "severity"),
    "rule": ("drop", "rule"), "work": ("contacted", "work"), "tenant": (T, "tenant"),
    "student_id": ("48", "student_id"), "course_id": ("565", "course_id"),
    "since": ("2020-01-01T00:00:00Z", "changed_at"),
}  # fmt: skip
"""Filter → a value, and the field that it asks about."""


@pytest.mark.parametrize("role", ["ada", "ines", "stu", "etl"])
@pytest.mark.parametrize("path", ["/api/v1/alerts", "/alerts", "/alerts.csv"])
def test_nobody_filters_by_what_they_are_not_shown(
    serving: tuple[Here, Client, list[dict[str, Any]]], role: str, path: str
) -> None:
    """How long a list is would tell it: of every filter, the field is shown or it is refused."""
    client = serving[1]
    assert FIELDS.keys() == set(query.PARAMETERS) - {"sort", "limit", "cursor"}
    shown = json.loads(client.ask("/api/v1/alerts", role).text)["alerts"]
    assert shown
    refused = set()
    for name, (value, field) in FIELDS.items():
        answer = client.ask(f"{path}?{name}={value}", role)
        if answer.status == 400:
            refused.add(name)
        assert (answer.status == 200) == all(field in alert for alert in shown), name
    assert refused == ({"work"} if role == "stu" else set())
