"""A student is handed out and erased on a real Kafka: gone from every view, for good."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from streams.core.events import student_key
from streams.core.instants import instant
from streams.settings import environment
from streams.simulator import RawRecord
from tests.kafka.running import Flow, until
from tests.scenarios import (
    TENANT,
    a_course_grade_change,
    a_grade_change,
    an_override,
    milliseconds,
    moment,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka import ConsumerRecord

    from streams.cli.process import WorkerProcess
    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

RAW = [
    event
    for student in ("48", "49")
    for event in (
        a_course_grade_change(student, "565", current=(None, 84.25), at=moment(0)),
        a_grade_change(student, "565", score=(9, 2), at=moment(50)),
        a_course_grade_change(student, "565", current=(84.25, 71.5), at=moment(100)),
        a_course_grade_change(student, "7", current=(80.0, 60.0), at=moment(100)),
        an_override(student, "565", score=(None, 95.0), at=moment(200)),
    )
]


def command(flow: Flow, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", "privacy", *words],
        env=environment(flow.settings), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def play(flow: Flow, *raw: bytes, at: int = milliseconds(moment(0))) -> None:
    before = flow.committed(flow.settings.raw_topic)
    flow.play([RawRecord(value, None, at) for value in raw])
    flow.await_worked(before + len(raw))


def about(student: str, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
    """Return what a compacted topic still holds of a student: each key's last record."""
    latest = {record.key: record for record in records}
    owner = student_key(TENANT, student)
    return [
        one
        for one in latest.values()
        if one.value and (one.key.startswith(owner + b":") or f'"{student}"'.encode() in one.value)
    ]


def test_who_is_erased_is_gone_and_stays_gone(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    kept = ("grade-scores-changelog", "grade-alerts-state")
    with flow.worker:
        play(flow, *RAW)
        until(
            lambda: len(json.loads(flow.worker.get("/api/v1/alerts?student_id=48"))["alerts"]) == 3
        )
        others = {name: about("49", flow.read(name)) for name in kept}

        output = tmp_path / "student.ndjson"
        exported = command(flow, "export", "--student", "48", "--output", str(output))
        assert exported.returncode == 0, exported.stderr
        told = [json.loads(line) for line in output.read_text().splitlines()]
        assert {one["topic"] for one in told} >= {
            "grade-events", "grade-alerts", "grade-alerts-posted", *kept, "grade-access-audit",
        }  # fmt: skip
        assert '"49"' not in output.read_text()
        assert output.stat().st_mode & 0o777 == 0o600

        erased = command(flow, "erase", "--student", "48", "--yes")
        assert erased.returncode == 0, erased.stderr
        assert "nothing of them is left" in erased.stdout
        for name in kept:
            assert about("48", flow.read(name)) == [], name
            assert [one.value for one in about("49", flow.read(name))] == [
                one.value for one in others[name]
            ]
        until(lambda: '"total":0' in flow.worker.get("/api/v1/alerts?student_id=48"))
        assert (
            json.loads(flow.worker.get("/api/v1/courses/565"))["students"][0]["student_id"] == "49"
        )

        play(flow, *RAW)  # Canvas, or somebody, sends it all once more
        assert [row["student_id"] for row in roster(flow)] == ["49"]
        now = int(time.time() * 1000)
        later = a_course_grade_change("48", "565", current=(71.5, 88.0), at=instant(now + 60_000))
        play(flow, later, at=now)
        first, _ = roster(flow)
        assert first["student_id"] == "48"
        assert first["history"] == [[instant(now + 60_000)[:10], 88.0]]
        metrics = flow.worker.get("/metrics")
        assert 'gradewatch_records_total{agent="scoring",fate="erased"} 5.0' in metrics
    with flow.new_worker("another") as another:  # it restores what is left
        flow.worker = another
        assert [row["student_id"] for row in roster(flow)] == ["48", "49"]


def roster(flow: Flow) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(flow.worker.get("/api/v1/courses/565"))["students"]
    return rows


@pytest.mark.crash
def test_notes_that_are_written_during_an_erasure_are_erased_too(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    written: list[int] = []
    stop = threading.Event()
    with flow.worker, flow.new_worker("second") as second:
        play(flow, *RAW)
        path = "/api/v1/alerts?student_id=48"
        until(lambda: len(json.loads(flow.worker.get(path))["alerts"]) == 3)
        until(lambda: len(json.loads(second.get(path))["alerts"]) == 3)
        alerts = [one["alert_id"] for one in json.loads(second.get(path))["alerts"]]

        def writing() -> None:
            while not stop.is_set():
                written.extend(note(second, alert) for alert in alerts)

        writer = threading.Thread(target=writing)
        writer.start()
        try:
            until(lambda: written.count(200) > 10)
            erased = command(flow, "erase", "--student", "48", "--yes")
        finally:
            stop.set()
            writer.join()
        assert erased.returncode == 0, erased.stderr
        assert "nothing of them is left" in erased.stdout
        assert written[-1] == 404, "invalid: nobody wrote during the erasure"
        for name in ("grade-scores-changelog", "grade-alerts-state", "grade-alert-actions"):
            assert about("48", flow.read(name)) == [], name


@pytest.mark.crash
def test_who_is_erased_while_workers_come_and_go_is_gone(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with flow.worker:
        play(flow, *RAW)
        for name in ("first", "second"):
            joiner = flow.new_worker(name)
            joiner.start()
            until(lambda name=name: name in workers_list(flow))  # type: ignore[misc]
            joiner.kill()  # its partitions are nobody's for as long as its session lasts
            erased = command(flow, "erase", "--student", "48", "--yes")
            assert erased.returncode == 0, erased.stderr
            for topic in ("grade-scores-changelog", "grade-alerts-state"):
                assert about("48", flow.read(topic)) == [], topic
            play(flow, *RAW)  # earlier events of theirs are passed over, for ever
        assert [row["student_id"] for row in roster(flow)] == ["49"]
    with flow.new_worker("another") as another:
        flow.worker = another
        assert [row["student_id"] for row in roster(flow)] == ["49"]


def workers_list(flow: Flow) -> str:
    """Return what ``gradewatch workers list`` shows."""
    listed = [sys.executable, "-m", "streams", "workers", "list"]
    env = environment(flow.settings)
    return subprocess.run(listed, env=env, capture_output=True, text=True, check=False).stdout


def note(worker: WorkerProcess, alert: str) -> int:
    """Return the status of a note that is written about an alert."""
    request = Request(  # noqa: S310 - ours
        f"{worker.url}/api/v1/alerts/{alert}/actions",
        json.dumps({"note": "called"}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=20) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except HTTPError as error:
        return error.code
