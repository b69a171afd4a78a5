"""Why an answer is not the data that was asked for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

Answer = dict[str, Any]
"""A JSON object."""

RETRY_SECONDS: Final = 5
"""When to ask again while a worker is not ready."""


class Problem(Exception):  # noqa: N818 - the web's own word for an answer that is not data
    """Why there is no data in the answer.

    Attributes:
        status: The HTTP status.
        code: One word for programs; ``not_found``, ``tenant_required``, …
        message: One sentence for people. It repeats nothing of the request.
        headers: Response headers that go with it.
        outcome: What the access audit says of it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        outcome: str = "",
    ) -> None:
        """Say why."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.outcome = outcome or code


def not_found(what: str, *, out_of_scope: bool = False) -> Problem:
    """Return that there is none, or none for whoever asks: the same to them.

    Args:
        what: "no scores of such a student are held here".
        out_of_scope: It is another's: the access audit says so.
    """
    outcome = "out_of_scope" if out_of_scope else ""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", what, outcome=outcome)


def not_ready(reasons: list[str]) -> Problem:
    """Return that it cannot be told yet, and when to ask again."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not_ready",
        "; ".join(reasons),
        {"Retry-After": str(RETRY_SECONDS)},
    )


def bad_parameter(field: str, message: str) -> Problem:
    """Return that something asked for makes no sense.

    Args:
        field: Its name.
        message: What it should be.
    """
    return Problem(HTTPStatus.BAD_REQUEST, "bad_parameter", f"{field}: {message}")
