"""Every route: what may be asked for, with which right, and who answers. There is none without."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.access.roles import Right

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from streams.web.alerts import AlertViews
    from streams.web.asked import Asked
    from streams.web.html import Pages
    from streams.web.operations import Operations
    from streams.web.probes import Probes
    from streams.web.rules import Sets
    from streams.web.scores import Scores
    from streams.web.stream import Stream

    Handler = Callable[[Asked], Awaitable[dict[str, Any] | web.StreamResponse]]


class Answering(NamedTuple):
    """Who answers."""

    probes: Probes
    scores: Scores
    alerts: AlertViews
    stream: Stream
    operations: Operations
    rules: Sets
    pages: Pages


class Route(NamedTuple):
    """One route.

    Attributes:
        method: GET answers HEAD, too.
        path: With names in braces.
        right: What whoever asks needs.
        answer: Who of `Answering`, and which of its methods.
    """

    method: str
    path: str
    right: Right
    answer: str

    def handler(self, by: Answering) -> Handler:
        """Return what gives the JSON object, or the whole response."""
        found: Handler = attrgetter(self.answer)(by)
        return found


ROUTES: Final = (
    Route("GET", "/livez", Right.PUBLIC, "probes.live"),
    Route("GET", "/readyz", Right.PUBLIC, "probes.ready"),
    Route("GET", "/metrics", Right.OPERATE, "probes.metrics"),

    Route("GET", "/api/v1/openapi.json", Right.SIGNED_IN, "probes.openapi"),
    Route("GET", "/api/v1/me", Right.SIGNED_IN, "probes.me"),
    Route("GET", "/api/v1/students/{student_id}", Right.SCORES, "scores.student"),
    Route("GET", "/api/v1/students/{student_id}/courses/{course_id}", Right.SCORES,
          "scores.enrolment"),
    Route("GET", "/api/v1/courses/{course_id}", Right.SCORES, "scores.course"),
    Route("POST", "/api/v1/points", Right.SCORES, "scores.histories"),
    Route("GET", "/api/v1/alerts", Right.ALERTS, "alerts.page"),
    Route("GET", "/api/v1/alerts/stream", Right.ALERTS, "stream.listen"),
    Route("GET", "/api/v1/alerts/{alert_id}", Right.ALERTS, "alerts.one"),
    Route("POST", "/api/v1/alerts/{alert_id}/actions", Right.ACT, "alerts.act"),
    Route("GET", "/api/v1/rules", Right.RULES, "rules.in_force"),
    Route("GET", "/api/v1/status", Right.OPERATE, "operations.status"),
    Route("GET", "/api/v1/refused", Right.OPERATE, "operations.refused"),

    Route("GET", "/", Right.SIGNED_IN, "pages.home"),
    Route("GET", "/alerts", Right.ALERTS, "pages.alerts"),
    Route("GET", "/alerts.csv", Right.ALERTS, "pages.alerts_csv"),
    Route("GET", "/alerts/{alert_id}", Right.ALERTS, "pages.alert"),
    Route("POST", "/alerts/{alert_id}", Right.ACT, "pages.act"),
    Route("GET", "/students/{student_id}", Right.SCORES, "pages.student"),
    Route("GET", "/courses/{course_id}", Right.SCORES, "pages.course"),
    Route("GET", "/operations", Right.OPERATE, "pages.operations"),
    Route("GET", "/sign-in", Right.PUBLIC, "pages.sign_in"),
    Route("POST", "/sign-in", Right.PUBLIC, "pages.signed_in"),
    Route("POST", "/sign-out", Right.PUBLIC, "pages.sign_out"),
    Route("GET", "/assets/{name}", Right.PUBLIC, "pages.asset"),
)  # fmt: skip
"""Where two fit, the first answers."""


def is_page(path: str) -> bool:
    """Tell whether people ask for a path, and not programs: they get HTML.

    Example:
        >>> is_page("/alerts"), is_page("/api/v1/alerts"), is_page("/readyz")
        (True, False, False)
    """
    return not path.startswith("/api/") and path not in {"/livez", "/readyz", "/metrics"}
