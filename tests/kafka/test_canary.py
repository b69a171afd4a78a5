"""Nothing that Canvas says of people gets further than the raw topic and what was refused.

Every text of 5,000 events that no field list names holds a mark of its own. After a run with a
crash, bad records and bad requests, no mark is anywhere else: topics, logs, metrics, pages, errors.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from streams.simulator import RawRecord, semester
from streams.web.routes import ROUTES
from tests.core.test_privacy import USED
from tests.kafka.running import Flow
from tests.on_dicts import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

MARK = "CANARY"
EVENTS = 5_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)


def marked(value: Any, used: set[str], numbers: Iterator[int]) -> Any:  # noqa: ANN401 - any JSON
    """Return a part of an event with a mark of its own in every text that is not used."""
    if isinstance(value, dict):
        return {
            name: each if name in used else marked(each, used, numbers)
            for name, each in value.items()
        } | {f"{MARK}{next(numbers)}": f"{MARK}{next(numbers)}"}
    if isinstance(value, list):
        return [marked(each, used, numbers) for each in value]
    return f"{value}{MARK}{next(numbers)}" if isinstance(value, str) else value


def crowd() -> tuple[list[RawRecord], int]:
    """Return a semester with marks, and how many there are."""
    numbers, records = count(), list[RawRecord]()
    used = USED["metadata"] | USED["body"] | {"metadata", "attributes", "body", "data"}
    for record in semester(17, EVENTS, END):
        try:
            event = json.loads(record.value or b"")
        except ValueError:
            event = None
        if isinstance(event, dict):
            told: dict[str, Any] = {
                part: marked(content, used, numbers) for part, content in event.items()
            }
            records.append(record._replace(value=json.dumps(told).encode()))
        else:
            text = (record.value or b"") + f"{MARK}{next(numbers)}".encode()
            records.append(record._replace(value=text))
    return records, next(numbers)


def asked(flow: Flow, path: str, method: str = "GET", body: bytes | None = None) -> str:
    """Return all that an answer says, headers included."""
    request = urllib.request.Request(flow.worker.url + path, body, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return f"{answer.headers}{answer.read().decode(errors='replace')}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.headers}{error.read().decode(errors='replace')}"


def looked_at(flow: Flow) -> Iterator[tuple[str, str]]:
    """Yield everything that anybody may be shown: pages, answers and errors of every kind."""
    alerts = json.loads(flow.worker.get("/api/v1/alerts?limit=500"))["alerts"]
    assert len(alerts) > 20, "invalid: few alerts prove little"
    students = sorted({alert["student_id"] for alert in alerts})[:20]
    courses = sorted({alert["course_id"] for alert in alerts})[:5]
    values = {
        "student_id": [*students, MARK, "0"], "course_id": [*courses, MARK],
        "alert_id": [*(alert["alert_id"] for alert in alerts[:20]), MARK], "name": [MARK],
    }  # fmt: skip
    for route in ROUTES:
        if route.path.endswith("/stream"):
            continue
        names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        for index in range(max((len(values[name]) for name in names), default=1)):
            named = {name: values[name][index % len(values[name])] for name in names}
            path = route.path.format(**named)
            body = f'{{"{MARK}": 1}}'.encode() if route.method == "POST" else None
            yield path, asked(flow, path, route.method, body)
            if route.method == "GET":
                yield path, asked(flow, f"{path}?tenant={MARK}&kind={MARK}")


def test_no_mark_gets_out(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    rules = ROOT / "rules" / "university.yaml"
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=rules)
    records, marks = crowd()
    assert marks > 10 * EVENTS
    flow.worker.start()
    flow.worker.await_ready()
    flow.play(records)
    flow.worker.kill()
    with flow.new_worker("second") as worker:
        flow.worker = worker
        flow.await_worked(len(records))
        for path, answer in looked_at(flow):
            assert MARK not in answer, path
    assert MARK not in flow.log()
    for spec in flow._topics:
        name = spec.removeprefix(f"{namespace}-")
        held = sum(MARK.encode() in _all_of(record) for record in flow.read(name))
        if name in {flow.settings.raw_topic, "grade-events-refused"}:
            assert held, f"invalid: no mark ever was on {name}"
        else:
            assert held == 0, name


def _all_of(record: Any) -> bytes:  # noqa: ANN401 - aiokafka's
    parts = [record.key or b"", record.value or b""]
    return b" ".join([*parts, *(value for _, value in record.headers)])
