"""Nobody can push the clock: records without a timestamp are bound by Kafka's time.

What an earlier build made of such records is seen by the worker and the doctor, and taken back by
``gradewatch clock reset``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from streams import doctor
from streams.core.events import Control, decode, encode
from streams.core.instants import instant, milliseconds
from streams.doctor import Patient, State
from streams.settings import environment
from streams.simulator import RawRecord
from tests.kafka.process import running
from tests.kafka.running import Flow, assert_the_log_comes_to_the_same_bytes, until
from tests.kafka.test_watermarks import SOON_IDLE
from tests.scenarios import a_course_grade_change

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka import ConsumerRecord

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

FAR: Final = "2099-01-01T00:00:00.000Z"
RULES: Final = """
grace: 1s
rules:
  - {id: slow, kind: score_drop, points: 10, severity: info, for: 12h, expire: 30d, cooldown: 7d}
  - {id: soon, kind: score_drop, points: 10, severity: info, for: 2s}
"""


def now(seconds: float = 0) -> int:
    return int((time.time() + seconds) * 1000)


def send(flow: Flow, topic: str, *records: tuple[int, bytes, int]) -> None:
    """Write records of a partition, a value and a timestamp each; -1 is none."""

    async def write() -> None:
        producer = AIOKafkaProducer(**flow.kafka.aiokafka())
        await producer.start()
        try:
            for partition, value, at in records:
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=at)
                batch.close()
                await (await producer.send_batch(batch, topic, partition=partition))
        finally:
            await producer.stop()

    asyncio.run(write())


def alerts(flow: Flow) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in flow.read("grade-alerts")]


def steps(flow: Flow, rule: str) -> list[tuple[str, str]]:
    return [(one["student_id"], one["transition"]) for one in alerts(flow) if one["rule"] == rule]


def fall(student: str, at: int, tenant: str = "one") -> RawRecord:
    value = a_course_grade_change(student, current=(90.0, 60.0), at=instant(at), tenant=tenant)
    return RawRecord(value, None, at)


def watermarks(flow: Flow) -> list[tuple[ConsumerRecord, Control]]:
    read = [(record, decode(record.value)) for record in flow.read("grade-events")]
    return [(at, one) for at, one in read if isinstance(one, Control) and one.kind == "watermark"]


def test_records_without_a_timestamp_move_nobodys_clock(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=rules)
    raw = flow.topic(flow.settings.raw_topic)
    with running(flow, tmp_path, "worker", program=("-c", SOON_IDLE)) as worker:
        flow.play([fall("48", now())])
        until(lambda: steps(flow, "soon") == [("48", "opened")])  # there is a clock

        poison = a_course_grade_change("666", current=(90.0, 60.0), at=FAR, tenant="evil")
        send(flow, raw, *((number, poison, -1) for number in range(4)))
        until(lambda: len(flow.read("grade-events-refused")) == 4)
        forgot = a_course_grade_change("49", current=(90.0, 60.0), at=instant(now()))
        send(flow, raw, (0, forgot, -1))  # a forwarder that sends no timestamps is heard
        flow.play([fall("50", now())])

        until(lambda: {"49", "50"} <= {student for student, _ in steps(flow, "soon")})
        reasons = [
            dict(one.headers)["gradewatch.reason"] for one in flow.read("grade-events-refused")
        ]
        assert reasons == [b"future_event"] * 4
        assert steps(flow, "slow") == []  # still pending
        for record, told in watermarks(flow):
            assert told.at <= instant(record.timestamp + 1_000)
            assert told.at < "2099"
            assert "evil" not in told.heard
        assert json.loads(worker.get("/readyz")) == {"ready": True}
    assert_the_log_comes_to_the_same_bytes(flow)


def push(flow: Flow) -> None:
    """Have every clock come to 2099, as a build without a bound let it."""
    raw, far = flow.topic(flow.settings.raw_topic), milliseconds(FAR)
    told = Control(kind="watermark", topic=raw, partitions=4, at=FAR, heard={"evil": FAR})
    with flow.records_say_when():
        values = [encode(replace(told, partition=number)) for number in range(4)]
        events = flow.topic("grade-events")
        send(flow, events, *((number, value, far) for number in range(4) for value in values))


def command(flow: Flow, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *words],
        env=environment(flow.settings), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_a_clock_that_is_ahead_is_named_and_set_back_and_rows_stay(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=rules)
    assert command(flow, "clock", "show").returncode == 1  # none yet
    with running(flow, tmp_path, "worker", program=("-c", SOON_IDLE)) as worker:
        flow.play([fall("48", now())])
        until(lambda: steps(flow, "soon") == [("48", "opened")])
        push(flow)
        until(lambda: steps(flow, "slow") == [("48", "opened"), ("48", "resolved")])

        until(lambda: "2099" in worker.get("/readyz"))
        told = json.loads(worker.get("/readyz"))
        assert told["ready"]
        assert len(told["warnings"]) == 4
        assert "ahead of Kafka's time" in told["warnings"][0]
        status = json.loads(worker.get("/api/v1/status"))["warnings"]
        assert sum("gradewatch clock reset" in one for one in status) == 4
        found = [one for one in doctor.examine(Patient(flow.settings)) if one.check == "clocks"]
        assert [one.state for one in found] == [State.FAIL] * 4
        assert "ahead of Kafka's time" in found[0].evidence
        shown = command(flow, "clock", "show", "--format", "json")
        assert shown.returncode == 2, shown.stderr
        assert {one["clock"] for one in json.loads(shown.stdout)["partitions"]} == {FAR}

        reset = command(flow, "clock", "reset", "--yes")
        assert reset.returncode == 0, reset.stderr
        until(lambda: command(flow, "clock", "show").returncode == 0)
        until(lambda: "warnings" not in worker.get("/readyz"))
        assert json.loads(worker.get("/api/v1/students/48"))["courses"]
        flow.play([fall("49", now()), fall("50", now())])
        until(lambda: {"49", "50"} <= {student for student, _ in steps(flow, "soon")})

        assert [one for one, _ in steps(flow, "slow")] == ["48", "48"]  # the others are pending
        until(lambda: "\ngradewatch_clock_timestamp_seconds{" in worker.get("/metrics"))
    assert_the_log_comes_to_the_same_bytes(flow)


JUMPING: Final = (
    """
import time
from pathlib import Path

real, offset = time.time, Path({file!r})
time.time = lambda: real() + float(offset.read_text())
"""
    + SOON_IDLE
)
"""A worker whose machine's clock is moved by the seconds that a file names."""


def test_a_machines_clock_may_jump_either_way(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    """What alerts does so in its time, and no sooner: only Kafka's clock counts."""
    rules, offset = tmp_path / "rules.yaml", tmp_path / "offset"
    rules.write_text(RULES)
    offset.write_text("0")
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=rules)
    program = ("-c", JUMPING.format(file=str(offset)))
    with running(flow, tmp_path, "worker", program=program) as worker:
        for number, days in enumerate((0, 400, -400, 0)):
            offset.write_text(f"{days * 86_400}\n")
            student = f"5{number}"
            flow.play([fall(student, now())])
            until(lambda student=student: (student, "opened") in steps(flow, "soon"))  # type: ignore[misc]
            told = json.loads(worker.get("/readyz"))
            assert told["ready"]

        assert steps(flow, "slow") == []
        assert flow.read("grade-events-refused") == []
        jumped = {told.at[:4] for _, told in watermarks(flow) if told.idle}
        assert len(jumped) > 2, "invalid: the clock did not jump while a partition was idle"
    assert_the_log_comes_to_the_same_bytes(flow)
