"""Every page renders for every role, says nothing the answer lacks, and stays within the CSP."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from streams import pages
from tests.pages import samples
from tests.pages.rendered import every_page

PAGES = every_page()


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in {"script", "style"}:
            self.scripts.append(data.strip())
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_inline(name: str) -> None:
    page = Outline(PAGES[name])

    assert "".join(page.scripts) == ""
    assert page.all("style") == []
    for _, attributes in page.tags:
        assert not [each for each in attributes if each == "style" or each.startswith("on")]


@pytest.mark.parametrize("name", PAGES)
def test_what_is_linked_is_ours_or_canvas(name: str) -> None:
    page = Outline(PAGES[name])

    assert [each["src"] for each in page.all("script")] == [
        f"/assets/{asset}" for asset in pages.assets() if asset.endswith(".js")
    ]
    for tag in ("a", "link", "form"):
        for attributes in page.all(tag):
            where = attributes.get("href") or attributes.get("action") or ""
            assert where.startswith(("/", "#", f"{samples.CANVAS}/")), where
            assert not where.startswith("//")


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order_and_ids_are_unique(name: str) -> None:
    page = Outline(PAGES[name])
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_a_language_a_title_and_landmarks(name: str) -> None:
    page = Outline(PAGES[name])

    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == len(page.all("main")) == len(page.all("header")) == 1
    assert next(each["href"] for each in page.all("a")) == "#main"


@pytest.mark.parametrize("name", PAGES)
def test_no_person_is_labelled(name: str) -> None:
    assert re.search(r"at[- ]risk|failing|danger|poor student", PAGES[name], re.IGNORECASE) is None


@pytest.mark.parametrize("role", samples.ROLES)
def test_only_who_may_act_gets_the_form(role: str) -> None:
    may = "act" in samples.me(role)["rights"]

    assert ('name="note"' in PAGES[f"why-{role}"]) is may


@pytest.mark.parametrize("page", ["alerts", "why", "student"])
def test_a_student_is_shown_nothing_of_staff(page: str) -> None:
    shown = re.sub(r"<select.*?</select>", "", PAGES[f"{page}-student"], flags=re.DOTALL)
    text = "".join(Outline(shown).text)

    for word in ("m.okafor", "nposted", "verride", "CSV", "Contacted", "Work", "not posted"):
        assert word not in text
    assert "My courses" in text


def test_an_advisor_is_shown_no_unposted_score() -> None:
    for page in ("alerts", "why", "student", "course"):
        assert "With unposted" not in PAGES[f"{page}-advisor"]
        assert "by 77" not in PAGES[f"{page}-advisor"]
    assert "With unposted" in PAGES["student-instructor"]
    assert "by 77" in PAGES["student-instructor"]


def test_an_operator_is_shown_no_way_to_scores() -> None:
    for name in ("alerts-operator", "why-operator", "operations-operator"):
        links = [each["href"] or "" for each in Outline(PAGES[name]).all("a")]
        assert [link for link in links if "/students/" in link or "/courses/" in link] == []


def test_links_between_pages_carry_the_tenant() -> None:
    for page in ("alerts", "why", "student", "course"):
        links = [each["href"] or "" for each in Outline(PAGES[f"{page}-local"]).all("a")]
        inner = [link for link in links if re.match("/(students|alerts)/", link)]
        assert inner or page == "why"
        assert [link for link in inner if f"tenant={samples.TENANT}" not in link] == []


def test_the_loudest_course_of_a_student_comes_first() -> None:
    order = re.findall(r"Scores in course (\d+) over time", PAGES["student-local"])

    assert order == ["565", "571", "580"]


def test_a_distribution_of_few_is_not_drawn() -> None:
    assert "Not drawn: fewer than 5" in PAGES["course-few"]
    assert "Distribution as a table" not in PAGES["course-few"]
    assert "Distribution as a table" in PAGES["course-advisor"]


def test_a_list_of_500_with_sparklines_is_light() -> None:
    some = [each for each in samples.alert_items() if each["kind"] == "score_drop"]
    many = [some[n % len(some)] | {"alert_id": f"{n:016x}"} for n in range(500)]
    text = pages.alerts({"alerts": many, "total": 500}, {}, samples.me("advisor"), samples.CANVAS)

    assert text.count("<polyline") == 500
    assert len(text.encode()) <= 600_000
