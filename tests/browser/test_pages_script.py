"""What the script adds, and that nothing needs it; where the keyboard leads."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.browser.site import ORIGIN, PAGES, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

EITHER = (True, False)
IDS = ("with-script", "without-script")


@contextmanager
def opened(browser: Browser, *, script: bool) -> Iterator[Page]:
    """Open a tab that finds the pages, with JavaScript or without."""
    context = browser.new_context(java_script_enabled=script)
    serve(context)
    yield context.new_page()
    context.close()


@pytest.fixture(params=EITHER, ids=IDS)
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return a new tab, for one test."""
    with opened(browser, script=request.param) as tab:
        yield tab


@pytest.fixture(scope="module", params=EITHER, ids=IDS)
def shared(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return one tab for all tests that only look at a page: a new one costs a second."""
    with opened(browser, script=request.param) as tab:
        yield tab


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_without_the_script(shared: Page, name: str) -> None:
    shared.goto(f"{ORIGIN}/{name}")

    assert shared.get_by_role("heading", level=1).is_visible()
    assert shared.get_by_role("main").inner_text().strip()


@pytest.mark.parametrize("page", [True], indirect=True)
def test_new_alerts_are_offered_once_each(page: Page) -> None:
    page.goto(f"{ORIGIN}/alerts-advisor")

    page.get_by_role("link", name="2 new alerts: show them").wait_for()


@pytest.mark.parametrize("page", [True], indirect=True)
def test_a_filter_applies_at_once(page: Page) -> None:
    page.goto(f"{ORIGIN}/alerts-advisor")

    with page.expect_request(f"{ORIGIN}/alerts?*") as asked:
        page.get_by_label("Severity").select_option("critical")
    assert asked.value.url == f"{ORIGIN}/alerts?state=firing&severity=critical"


@pytest.mark.parametrize("page", [False], indirect=True)
def test_a_filter_is_a_form(page: Page) -> None:
    page.goto(f"{ORIGIN}/alerts-advisor")
    page.get_by_label("Severity").select_option("critical")

    with page.expect_request(f"{ORIGIN}/alerts?*") as asked:
        page.get_by_role("button", name="Apply").click()
    assert "severity=critical" in asked.value.url


def test_the_first_tab_leads_past_the_navigation(page: Page) -> None:
    page.goto(f"{ORIGIN}/alerts-advisor")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")

    assert skip.evaluate("each => each === document.activeElement")
    assert skip.is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_an_action_is_sent_as_a_form(page: Page) -> None:
    page.goto(f"{ORIGIN}/why-advisor")
    page.get_by_label("Closed").check()
    page.get_by_label("Note").fill("Talked on Tuesday.")
    page.get_by_label("This alert is wrong").check()

    with page.expect_request("**/alerts/*") as asked:
        page.get_by_role("button", name="Save").click()
    assert asked.value.method == "POST"
    assert asked.value.post_data == "state=closed&note=Talked+on+Tuesday.&wrong=true"
