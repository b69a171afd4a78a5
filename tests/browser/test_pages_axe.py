"""Every page in Chromium, light and dark, narrow and wide: axe-core finds nothing serious, the CSP
nothing to stop, and nothing runs over the edge."""  # noqa: D205, D209 - one thought

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.site import ORIGIN, PAGES, listen, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

WEIGHTY = {"serious", "critical"}


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[Page]:
    """A tab that finds the pages."""
    context = browser.new_context()
    serve(context)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def axe() -> Axe:
    return Axe()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 360)])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(
    shown: Page, axe: Axe, name: str, scheme: Literal["light", "dark"], width: int
) -> None:
    shown.set_viewport_size({"width": width, "height": 800})
    shown.emulate_media(color_scheme=scheme)
    complaints = listen(shown)
    shown.goto(f"{ORIGIN}/{name}")

    found = axe.run(shown).response["violations"]
    assert [
        (each["id"], [node["target"] for node in each["nodes"]][:5])
        for each in found
        if each["impact"] in WEIGHTY
    ] == []
    assert complaints == []
    for wide in (360, 768, 1024, 1290):
        shown.set_viewport_size({"width": wide, "height": 800})
        assert shown.evaluate("document.documentElement.scrollWidth") <= wide


def test_axe_sees_what_is_wrong(shown: Page, axe: Axe) -> None:
    shown.goto(f"{ORIGIN}/sign-in")
    shown.evaluate("document.querySelector('label span').remove()")

    found = axe.run(shown).response["violations"]
    assert "label" in {each["id"] for each in found if each["impact"] in WEIGHTY}


def test_the_csp_stops_what_is_inline(shown: Page) -> None:
    complaints = listen(shown)
    shown.goto(f"{ORIGIN}/sign-in")
    shown.evaluate("document.body.setAttribute('style', 'color: red')")

    shown.wait_for_function("getComputedStyle(document.body).color !== 'rgb(255, 0, 0)'")
    assert any("Content Security Policy" in each for each in complaints)
