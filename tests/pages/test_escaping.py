"""Whatever text an answer holds stays text, in every field that a page or the CSV shows."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams import pages
from streams.pages.spreadsheet import safe
from tests.pages import samples
from tests.pages.test_rendered import Outline

ATTACKS = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>", "javascript:alert(1)", "{{ 7 * 7 }}", "{% raw %}",
    '" autofocus onfocus="alert(1)', "</textarea><script>alert(1)</script>", "<!--", "&lt;b&gt;",
    "\u2028<b>", "<a href=//evil.example>x</a>", "`onmouseover=alert(1)", "<style>*{}</style>",
    "%3Cscript%3E", "\x00<script>", "<base href=//evil.example>", "<iframe srcdoc='<script>'>",
)  # fmt: skip
SPARED = {
    "points", "history", "unposted_history", "event_time", "opened_at", "changed_at", "rights",
    "student_id", "course_id",
}  # fmt: skip
"""Not text, or checked to be a number where it comes in; each is attacked below where it can be."""


def spoilt(value: Any, attack: str, at: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return an answer with an attack after every text in it that is no id and no time."""
    if at in SPARED:
        return value
    if isinstance(value, dict):
        return {key: spoilt(each, attack, key) for key, each in value.items()}
    if isinstance(value, list):
        return [spoilt(each, attack, at) for each in value]
    return value + attack if isinstance(value, str) else value


def made(attack: str, role: str) -> list[str]:
    """Return the pages of spoilt answers."""
    me = samples.me(role) | {"name": attack}
    pair = (samples.detail(role), samples.alerts(role))
    detail, alerts = (spoilt(each, attack) for each in pair)
    query = dict.fromkeys(("state", "kind", "student_id", "rule", "sort", "cursor", attack), attack)
    shown = [
        pages.alerts(alerts, query, me, samples.CANVAS),
        pages.why(detail, me, samples.CANVAS),
        pages.operations(
            spoilt(samples.status(), attack), spoilt(samples.refused(), attack),
            spoilt(samples.rules(), attack), me,
        ),
        pages.sign_in(attack),
        pages.problem(404, attack, attack, me),
    ]  # fmt: skip
    if role != "operator":
        shown += [
            pages.student(spoilt(samples.student(role), attack), me, samples.CANVAS),
            pages.course(spoilt(samples.course(role), attack), me, {"sort": attack}),
        ]
    return shown


@pytest.mark.parametrize("role", ["local", "student", "operator"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_text_stays_text(attack: str, role: str) -> None:
    harmless = [Outline(page) for page in made("harmless", role)]
    for attacked, before in zip(map(Outline, made(attack, role)), harmless, strict=True):
        assert [tag for tag, _ in attacked.tags] == [tag for tag, _ in before.tags]
        for (_, now), (_, then) in zip(attacked.tags, before.tags, strict=True):
            assert now.keys() == then.keys()
        for link in attacked.all("a"):
            assert (link["href"] or "").startswith(("/", "#", f"{samples.CANVAS}/"))


def test_a_canvas_that_is_no_address_leads_nowhere() -> None:
    page = pages.student(samples.student(), samples.me("local"), "javascript:alert(1)")

    assert "javascript" not in page
    assert "in Canvas</a>" not in page


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "|x"]
)
def test_a_cell_never_begins_a_formula(text: str) -> None:
    assert safe(text).replace("'", "") == text
    assert safe(text).startswith("'")
    answer = {"alerts": [samples.alert_items()[0] | {"summary": text, "work": {"note": text}}]}
    (row,) = csv.DictReader(io.StringIO(pages.alerts_csv(answer), newline=""))

    assert row["summary"] == row["work_note"] == safe(text)
    assert row["change"] == "-23.5"


FORMULAS = ("=cmd|' /C calc'!A0", '"=1+1"', "+1", "-1", "@SUM(A1)", "\N{FULLWIDTH EQUALS SIGN}1")


@given(
    st.lists(
        st.sampled_from([*FORMULAS, ";", "\t", "|", ",", '"', "'", "\n", " ", "x"]), max_size=12
    )
)
@example(["x", ";", FORMULAS[0], ";", "y"])
@example(["x", "\t", "=1"])
def test_no_locale_reads_a_formula_out_of_a_note(parts: list[str]) -> None:
    note = "".join(parts)
    answer = {"alerts": [samples.alert_items()[0] | {"summary": note, "work": {"note": note}}]}
    text = pages.alerts_csv(answer)
    assert all(line.startswith('"') for line in text.splitlines()[:1])
    for delimiter in ",;\t|":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            for cell in row:
                begins = cell.lstrip(' \t\r\n"')[:1]
                assert begins not in set("=+@\N{FULLWIDTH EQUALS SIGN}"), (delimiter, cell)
                assert begins != "-" or is_number(cell), (delimiter, cell)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_the_csv_has_the_columns_that_the_role_is_shown() -> None:
    header = pages.alerts_csv(samples.alerts("student")).splitlines()[0].replace('"', "").split(",")

    assert not [name for name in header if name.startswith("work_")]
    assert "work_note" in pages.alerts_csv(samples.alerts("advisor")).splitlines()[0]
    assert pages.alerts_csv({"alerts": []}) == "\r\n"
