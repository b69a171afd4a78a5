"""From Canvas's event to pixels: real workers on a real Kafka, looked at in Chromium.

What is on a page is what the API says, and what the changelog holds; what people do survives
``kill -9``, and is seen at every worker.
"""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from streams.access.roles import ANYBODY_HERE
from streams.simulator import RawRecord
from streams.web import views
from tests.access.files import TOKENS, everybody, written
from tests.browser.site import listen
from tests.kafka.running import Flow, restored_table, until
from tests.pages.test_escaping import ATTACKS
from tests.scenarios import TENANT, a_course_grade_change, an_override, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from streams.cli.process import WorkerProcess
    from streams.testing import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.browser]

RAW = [
    a_course_grade_change("48", "565", current=(None, 84.25), at=moment(0)),
    a_course_grade_change("48", "565", current=(84.25, 71.5), at=moment(100)),
    a_course_grade_change("49", "565", current=(90.0, 95.0), at=moment(2)),
    an_override("49", "565", score=(None, 70.25), at=moment(10)),
    *(
        a_course_grade_change(str(student), "565", current=(None, student - 3.5), at=moment(1))
        for student in range(60, 68)
    ),
]


class Live(NamedTuple):
    """Two workers, and who looks at them."""

    flow: Flow
    workers: list[WorkerProcess]
    browser: Browser

    def aside(self, call: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 - whatever it gives
        """Return what a call returns that wants an event loop: Playwright has ours."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(call, *given).result(120)

    def play(self, *raw: bytes) -> None:
        """What happens is worked on."""
        records = [RawRecord(value, None, milliseconds(moment(0))) for value in raw]
        before = self.aside(self.flow.committed, self.flow.settings.raw_topic)
        self.aside(self.flow.play, records)
        self.aside(self.flow.await_worked, before + len(raw))

    def visit(self, who: str, worker: int = 0, *, script: bool = True) -> Page:
        """Return a page of whoever signs in, and stays signed in."""
        context = self.browser.new_context(
            java_script_enabled=script, base_url=self.workers[worker].url
        )
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Token").fill(TOKENS[who])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Alerts", level=1).wait_for()
        return page


def api(context: BrowserContext, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what the API says to whoever signed in."""
    answer = context.request.get(path)
    assert answer.ok, (path, answer.status)
    return answer.json()


@pytest.fixture(scope="module")
def live(
    browser: Browser, gradewatch_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    access = written(folder, everybody(["48", "49"], ["565"], TENANT))
    with ThreadPoolExecutor(1) as pool:
        namespace = f"t{secrets.token_hex(4)}"
        given: dict[str, Any] = {"access_file": access}
        flow = pool.submit(
            lambda: Flow(gradewatch_broker.bootstrap_servers, namespace, folder, **given)
        ).result(60)
    with flow.workers("first", "second") as workers:
        live = Live(flow, workers, browser)
        live.play(*RAW)
        yield live


def test_numbers_on_pages_are_the_apis_and_the_tables(live: Live) -> None:
    page = live.visit("ines")
    complaints = listen(page)
    alert = api(page.context, "/api/v1/alerts?kind=score_drop")["alerts"][0]
    assert (alert["before"], alert["after"]) == (84.25, 71.5)
    page.get_by_role("link", name="84.25 → 71.5").click()
    page.get_by_role("heading", level=1, name="84.25 → 71.5").wait_for()

    page.get_by_role("link", name="Course 565").first.click()
    page.get_by_role("heading", level=1, name="Course 565").wait_for()
    roster = api(page.context, "/api/v1/courses/565")["students"]
    assert len(roster) == 10
    shown = page.get_by_role("region", name="Roster").get_by_role("row").all_inner_texts()
    for row in roster:
        [line] = [one for one in shown if one.startswith(f"{row['student_id']}\t")]
        assert f"\t{row['current_score']:g}\t" in line
        if row["override_score"] is not None:
            assert f"\t{row['override_score']:g}\t\N{MINUS SIGN}24.75\t" in line

    changelog = live.aside(live.flow.read, "grade-scores-changelog")
    table = restored_table(changelog)
    for row in roster:
        held = views.enrolment(table, ANYBODY_HERE, row["student_id"], "565")
        told = {name: row[name] for name in held if not name.endswith("history")}
        assert told == {name: held[name] for name in told}
    page.goto("/students/49")
    assert "70.25" in page.get_by_role("main").inner_text()
    assert complaints == []


def test_a_new_alert_is_told_of_on_the_open_page(live: Live) -> None:
    page = live.visit("ada", worker=1)
    live.play(
        a_course_grade_change("49", "565", current=(95.0, 60.5), at=moment(500)),
        a_course_grade_change("60", "565", current=(56.5, 20.0), at=moment(500)),  # not hers
    )
    page.get_by_role("link", name="1 new alert: show it").click()
    page.get_by_role("link", name="95 → 60.5").wait_for()
    assert "56.5" not in page.get_by_role("main").inner_text()


@pytest.mark.parametrize("script", [True, False])
def test_what_somebody_did_is_seen_by_others_at_other_workers(live: Live, *, script: bool) -> None:
    page = live.visit("ada", script=script)
    page.get_by_role("link", name="84.25 → 71.5").click()
    page.get_by_label("Contacted").check()
    page.get_by_label("Note").fill(f"Wrote on Friday.\nWith script: {script}")
    page.get_by_label("This alert is wrong").set_checked(script)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Contacted, ada").wait_for()
    assert page.get_by_label("Note").input_value().endswith(f"script: {script}")

    other = live.visit("ada", worker=1, script=False)
    work = api(other.context, "/api/v1/alerts?kind=score_drop&student_id=48")["alerts"][0]["work"]
    assert (work["state"], work["by"], work["wrong"]) == ("contacted", "ada", script)
    assert f"With script: {script}" in other.get_by_role("main").inner_text()


def test_no_note_runs_as_a_script(live: Live) -> None:
    page = live.visit("ada")
    complaints, dialogs = listen(page), list[str]()
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.get_by_role("link", name="84.25 → 71.5").click()
    note = " ".join("".join(c for c in attack if c.isprintable()) for attack in ATTACKS)
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Save").click()
    page.get_by_text(", ada").first.wait_for()
    assert page.get_by_label("Note").input_value() == note
    page.goto("/alerts")
    assert note in page.get_by_role("main").inner_text()
    assert (complaints, dialogs) == ([], [])


def test_who_runs_it_sees_all_workers_and_no_scores(live: Live) -> None:
    page = live.visit("ops")
    page.get_by_role("link", name="Operations").click()
    page.get_by_role("heading", name="Operations").wait_for()
    told = page.get_by_role("main").inner_text()
    assert "2 of 2" in told
    assert {"first", "second"} <= set(told.split())
    assert "Alerts when the current score falls by 10 points or more at once." in told
    assert "71.5" not in told


def test_who_is_a_student_sees_what_is_posted_of_themselves(live: Live) -> None:
    page = live.visit("stu", worker=1)
    page.get_by_role("link", name="84.25 → 71.5").click()
    page.get_by_role("heading", level=1, name="84.25 → 71.5").wait_for()
    assert not page.get_by_role("button", name="Save").count()
    page.goto("/students/48")
    assert "71.5" in page.get_by_role("main").inner_text()
    assert page.goto("/students/49").status == 404  # type: ignore[union-attr]
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    assert page.context.request.get("/api/v1/me").status == 401


def test_a_worker_that_dies_is_missed_by_nobody(live: Live) -> None:
    """The other answers for its students, with the notes of both; so does one that comes anew."""
    live.workers[0].kill()
    page = live.visit("ines", worker=1, script=False)

    def whole() -> bool:
        answer = page.context.request.get("/api/v1/courses/565")
        return bool(answer.ok and "partial" not in answer.json())

    until(whole)
    roster = api(page.context, "/api/v1/courses/565")["students"]
    assert {row["current_score"] for row in roster} >= {71.5, 60.5, 20.0}
    notes = api(page.context, "/api/v1/alerts?student_id=48")["alerts"]
    live.play(*RAW)  # once more: Canvas repeats itself
    with live.flow.new_worker("third") as third:
        context = live.browser.new_context(base_url=third.url)
        told = context.request.get(
            "/api/v1/alerts?student_id=48", headers={"Authorization": f"Bearer {TOKENS['ines']}"}
        )
        again = told.json()["alerts"]
    assert [(one["alert_id"], one["work"]) for one in again] == [
        (one["alert_id"], one["work"]) for one in notes
    ]


def test_every_look_is_on_the_audit_topic(live: Live) -> None:
    def entries() -> list[dict[str, Any]]:
        return [json.loads(one.value) for one in live.aside(live.flow.read, "grade-access-audit")]

    until(lambda: any(one["action"] == "POST /alerts/{alert_id}" for one in entries()))
    told = {(one["who"], one["action"], one["outcome"]) for one in entries()}
    assert ("ines", "GET /students/{student_id}", "allowed") in told
    assert ("ada", "POST /alerts/{alert_id}", "allowed") in told
    assert ("anonymous", "GET /", "unauthorized") in told
    for who, token in TOKENS.items():
        assert token not in str(entries()), who
