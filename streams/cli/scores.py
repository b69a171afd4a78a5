"""``gradewatch scores``: what a running worker knows of a student."""

from __future__ import annotations

import http.client
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import click

from streams import settings
from streams.access.tokens import read_token
from streams.errors import BrokerError, ConfigurationError, GradewatchError, NotFoundError

if TYPE_CHECKING:
    from streams.settings import Settings

TIMEOUT = 10.0
"""Seconds in which the worker must answer."""

_COLUMNS = {
    "course": "course_id",
    "current": "current_score",
    "final": "final_score",
    "unposted": "unposted_current_score",
    "override": "override_score",
    "effective": "effective_final_score",
    "state": "workflow_state",
    "as of": "event_time",
}
"""Heading → field."""


@click.group()
def scores() -> None:
    """Ask a running worker for scores."""


@scores.command()
@click.argument("student")
@click.argument("course", required=False)
@click.option("--tenant", help="Whose student, where several tenants have one of that id.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--url", help="The worker's web views.  [default: this machine's]")
def get(student: str, course: str | None, tenant: str | None, form: str, url: str | None) -> None:
    """Show the scores of STUDENT, in one COURSE or in all; ids local or global.

    Exit codes: 0 shown, 1 no such student or course, 69 no worker answers, 78 configuration.
    """
    chosen = settings.load()
    path = f"/api/v1/students/{quote(student, safe='')}"
    if course is not None:
        path += f"/courses/{quote(course, safe='')}"
    if tenant is not None:
        path += f"?{urlencode({'tenant': tenant})}"
    answer = ask(chosen, url or local_url(chosen), path)
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        click.echo("\n".join(table(answer.get("courses", [answer]))))


def local_url(chosen: Settings) -> str:
    """Return where a worker of this machine with these settings answers."""
    host = f"[{chosen.web_host}]" if ":" in chosen.web_host else chosen.web_host
    return f"http://{host}:{chosen.web_port}"


def ask(chosen: Settings, url: str, path: str) -> dict[str, Any]:
    """Return a worker's answer.

    Straight to the worker: no proxy of the environment and no redirect gets to see the token.

    Args:
        chosen: Names the token file, where there is one.
        url: The worker's web views, http or https.
        path: Path and query of a view.

    Raises:
        NotFoundError: It holds no such scores.
        ConfigurationError: It asks for a token that we do not have, or the URL is none.
        BrokerError: Nothing answers there.
        GradewatchError: It cannot answer now, or took the question amiss.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigurationError(f"{url} is no http or https URL", "such as http://127.0.0.1:6066")
    headers = {}
    if chosen.web_token_file is not None:
        headers["Authorization"] = f"Bearer {read_token(chosen.web_token_file)}"
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if not isinstance(answer, dict):
            raise ValueError("what answers is no worker")  # noqa: TRY301, TRY004 - as no JSON is
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BrokerError(
            f"no worker answers at {url}: {error or type(error).__name__}",
            "start one: gradewatch worker; or name another: --url",
        ) from None
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        told = answer.get("error")
        message = told.get("message", "") if isinstance(told, dict) else ""
        raise _refusal(url, response.status, message)
    return answer


def _refusal(url: str, status: int, message: str) -> GradewatchError:
    """Return what an answer without data means to the operator."""
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(
            message, "check the id; a student is unknown before the first event about them"
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return ConfigurationError(
            f"the worker at {url} asks for another token",
            "set GRADEWATCH_WEB_TOKEN_FILE to the file that the worker has",
        )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return GradewatchError(f"the worker at {url} is not ready: {message}", "ask again")
    return GradewatchError(f"the worker at {url} says: {message or status}")


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return lines with one row of scores each, under a heading. Percent; - is unknown.

    Example:
        >>> for line in table([{"course_id": "565", "current_score": 71.5}]):
        ...     print(line)
        course  current  final  unposted  override  effective  state  as of
        565     71.5     -      -         -         -          -      -
    """
    cells = [list(_COLUMNS), *([_cell(row.get(f)) for f in _COLUMNS.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _cell(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return "-" if value is None else text
