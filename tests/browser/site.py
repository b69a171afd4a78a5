"""Pages made of samples, served to a browser as the worker would: same paths, same CSP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from streams import pages
from tests.pages.rendered import every_page

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

ORIGIN: Final = "http://pages.test"
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
PAGES: Final = every_page()
NEW_ALERT: Final = (
    'id: 1\nevent: alert\ndata: {"alert_id": "a", "transition": "opened"}\n\n'
    'id: 2\nevent: alert\ndata: {"alert_id": "a", "transition": "updated"}\n\n'
    'id: 3\nevent: alert\ndata: {"alert_id": "b", "transition": "opened"}\n\n'
)


def serve(context: BrowserContext) -> None:
    """The context finds ``/NAME`` and assets at `ORIGIN`, and nothing else anywhere."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/assets/"):
            kind, content = pages.assets()[path.removeprefix("/assets/")]
            route.fulfill(body=content, content_type=kind)
        elif path == "/api/v1/alerts/stream":
            route.fulfill(body=NEW_ALERT, content_type="text/event-stream")
        elif path.removeprefix("/") in PAGES:
            headers = {"Content-Security-Policy": CSP, "Content-Type": "text/html; charset=utf-8"}
            route.fulfill(body=PAGES[path.removeprefix("/")], headers=headers)
        else:
            route.abort()

    context.route("**/*", answer)


def listen(page: Page) -> list[str]:
    """Return the list that what a page complains of is added to: its console, its errors."""
    told = list[str]()
    page.on("console", lambda said: told.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    return told
