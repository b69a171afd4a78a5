"""What programs may ask, as an OpenAPI 3.1 document; tests hold it against what is answered."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from streams.core.actions import Work
from streams.core.rules import Kind
from streams.lists.held import RANK
from streams.lists.query import LONGEST, MOST, STATES, Sort
from streams.web.schemas import SCHEMAS, ref

_ID: Final = {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}
_SHORT: Final = {"type": "string", "maxLength": LONGEST, "pattern": "^[ -~]*$"}


class Operation(NamedTuple):
    """What one route does.

    Attributes:
        summary: In a sentence.
        answer: Name of the schema of what it answers; empty: a stream.
        query: Parameters in the query.
        body: Name of the schema of what it takes.
        scoped: Whether what it asks for may be missing, or another's: 404.
    """

    summary: str
    answer: str
    query: tuple[str, ...] = ()
    body: str = ""
    scoped: bool = False


_FILTERS: Final = (
    "state", "kind", "severity", "rule", "tenant", "student_id", "course_id", "since",
)  # fmt: skip

OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/me"): Operation("Who asks, and what they may", "Me"),
    ("GET", "/api/v1/openapi.json"): Operation("This document", "OpenApi"),
    ("GET", "/api/v1/students/{student_id}"): Operation(
        "A student's courses, with score histories and open alerts", "Student",
        ("tenant", "limit", "cursor"),
        scoped=True,
    ),
    ("GET", "/api/v1/students/{student_id}/courses/{course_id}"): Operation(
        "A student in a course", "Row", ("tenant",), scoped=True
    ),
    ("GET", "/api/v1/courses/{course_id}"): Operation(
        "A course's students; deleted enrolments are left out", "Course",
        ("tenant", "limit", "cursor"), scoped=True
    ),
    ("POST", "/api/v1/points"): Operation(
        "The score histories behind up to 500 alerts; those not seen are left out", "Histories",
        body="Wanted",
    ),
    ("GET", "/api/v1/alerts"): Operation(
        "A part of the list of alerts", "Alerts",
        (*_FILTERS, "work", "sort", "limit", "cursor", "include"),
    ),
    ("GET", "/api/v1/alerts/stream"): Operation(
        "Server-sent events: each change of an alert as it comes; Last-Event-ID goes on where one "
        "was", "", _FILTERS,
    ),
    ("GET", "/api/v1/alerts/{alert_id}"): Operation(
        "An alert with its evidence, its steps and its rule in words", "AlertInFull", ("tenant",),
        scoped=True,
    ),
    ("POST", "/api/v1/alerts/{alert_id}/actions"): Operation(
        "Say what was done about an alert; what is not said stays", "Acted", ("tenant",),
        body="Action", scoped=True,
    ),
    ("GET", "/api/v1/rules"): Operation("The rules in force, also in words", "Rules"),
    ("GET", "/api/v1/status"): Operation("How the flow does, all workers together", "Status"),
    ("GET", "/api/v1/refused"): Operation(
        "The newest refused records: why and where, never what was in them", "Refused", ("limit",)
    ),
}  # fmt: skip
"""Method and path → what it does."""

_QUERY: Final[dict[str, dict[str, Any]]] = {
    "tenant": _SHORT,
    "state": {"type": "string", "enum": list(STATES)},
    "kind": {"type": "string", "enum": [kind.value for kind in Kind]},
    "severity": {"type": "string", "enum": list(RANK)},
    "rule": _SHORT,
    "work": {"type": "string", "enum": [work.value for work in Work]},
    "student_id": _ID,
    "course_id": _ID,
    "since": {"type": "string", "format": "date-time"},
    "sort": {"type": "string", "enum": [sort.name.lower() for sort in Sort]},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
    "cursor": _SHORT,
    "include": {"type": "string", "enum": ["points"]},
}
_PATH: Final[dict[str, dict[str, Any]]] = {
    "student_id": _ID, "course_id": _ID, "alert_id": {"type": "string", "pattern": "^[a-z0-9]+$"},
}  # fmt: skip
_PROBLEMS: Final = {
    400: "What is asked for makes no sense",
    401: "Nobody said who they are: Authorization: Bearer TOKEN",
    403: "Not for this role, or sent by another site's page",
    404: "There is none, or none for whoever asks",
    413: "More than 64 KiB",
    429: "Too much at once; Retry-After says when to come back",
    503: "Rows or alerts are still being read, or Kafka is away; Retry-After says for how long",
}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, Any] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gradewatch",
            "version": version("gradewatch"),
            "description": "Course scores and alerts made of Canvas's grade events. A field that "
            "is not for whoever asks is absent, not null.",
        },
        "paths": paths,
        "security": [{"bearer": []}, {"session": []}],
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-gradewatch"},
            },
        },
    }


def _operation(method: str, path: str, operation: Operation) -> dict[str, Any]:
    problems = [400, 401, 403, 429, 503]
    problems += [404] if operation.scoped else []
    problems += [413] if operation.body else []
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    told: dict[str, Any] = {
        "operationId": f"{method.lower()}{path.removeprefix('/api/v1').replace('/', '_')}",
        "summary": operation.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": _PATH[name]} for name in names
        ]
        + [{"name": name, "in": "query", "schema": _QUERY[name]} for name in operation.query],
        "responses": {"200": _answer(operation)}
        | {str(code): _content(_PROBLEMS[code], ref("Problem")) for code in sorted(problems)},
    }
    if operation.answer and method == "GET":
        told["responses"]["304"] = {"description": "As the If-None-Match that was sent"}
    if operation.body:
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": ref(operation.body)}},
        }
    return told


def _answer(operation: Operation) -> dict[str, Any]:
    if not operation.answer:
        kind = {"text/event-stream": {"schema": {"type": "string"}}}
        return {"description": operation.summary, "content": kind}
    return _content(operation.summary, ref(operation.answer))


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
