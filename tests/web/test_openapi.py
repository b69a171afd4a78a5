"""The OpenAPI document is one, names every route of the API, and what is answered is as it says:
schemathesis asks as every role and as nobody, what makes sense and what does not."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from streams.web import refusals
from streams.web.openapi import OPERATIONS, document
from streams.web.routes import ROUTES
from tests.access.files import TOKENS
from tests.profiles import examples
from tests.web.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.served import Client, Here

SCHEMA = schemathesis.openapi.from_dict(document())
ASKED: list[Any] = [
    operation
    for operation in (cast("Any", result).ok() for result in SCHEMA.get_all_operations())
    if not operation.path.endswith("/stream")  # it never ends: tests/web/test_stream.py
]
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance, negative_data_rejection,
]  # fmt: skip


@pytest.fixture(scope="module")
def serving(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Here, Client, list[dict[str, Any]]]]:
    with pytest.MonkeyPatch.context() as patch, served(tmp_path_factory.mktemp("web")) as it:
        patch.setattr(refusals, "READ_SECONDS", 0.01)  # there is no Kafka to wait for
        yield it


def test_the_document_is_openapi_and_has_every_route_of_the_api() -> None:
    validate(json.loads(json.dumps(document())))
    assert set(OPERATIONS) == {
        (route.method, route.path) for route in ROUTES if route.path.startswith("/api/v1/")
    }


@pytest.mark.parametrize("role", [*TOKENS, ""])
@pytest.mark.parametrize("operation", ASKED, ids=lambda operation: operation.label)
def test_what_is_answered_is_as_the_document_says(
    serving: tuple[Here, Client, list[dict[str, Any]]],
    operation: Any,  # noqa: ANN401 - schemathesis's own
    role: str,
) -> None:
    worker = serving[0]
    headers = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples(25),
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:  # noqa: ANN401
        response = case.call(base_url=worker.url, headers=headers)
        if response.status_code == 503 and operation.path == "/api/v1/refused":
            return  # there is no Kafka here
        case.validate_response(response, checks=CHECKS)

    ask()


@pytest.mark.parametrize("role", TOKENS)
@pytest.mark.parametrize("operation", ASKED, ids=lambda operation: operation.label)
def test_so_are_the_answers_about_whom_there_is(
    serving: tuple[Here, Client, list[dict[str, Any]]],
    operation: Any,  # noqa: ANN401
    role: str,
) -> None:
    """What is made up is seldom anybody's: here are those that there are."""
    worker, _, alerts = serving
    ids = [alert["alert_id"] for alert in alerts]
    bodies: dict[str, Any] = {"/api/v1/points": {"alerts": ids}}
    for alert_id in ids if "{alert_id}" in operation.path else ids[:1]:
        named = {"student_id": "48", "course_id": "565", "alert_id": alert_id}
        case = operation.Case(
            path_parameters={name: named[name] for name in named if name in operation.path},
            query={"include": "points"} if operation.path == "/api/v1/alerts" else {},
            headers={"Authorization": f"Bearer {TOKENS[role]}"},
        )  # fmt: skip
        if operation.method == "post":
            case.body = bodies.get(operation.path, {"state": "seen", "wrong": True})
            case.media_type = "application/json"
        response = case.call(base_url=worker.url)
        if response.status_code != 503 or operation.path != "/api/v1/refused":
            case.validate_response(response, checks=CHECKS[:-1])
