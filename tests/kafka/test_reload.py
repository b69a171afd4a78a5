"""A set of rules reaches every partition: at the start, when the file changes, and at SIGHUP."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from streams.announce import known
from streams.core import rules
from streams.core.events import Control, decode
from streams.settings import Guarantee
from streams.simulator import RawRecord
from tests.kafka.process import running
from tests.kafka.running import Flow, until
from tests.scenarios import START, a_course_grade_change, milliseconds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

PARTITIONS = 4


def a_set(points: int) -> str:
    return f"rules: [{{id: drop, kind: score_drop, points: {points}, severity: info}}]\n"


def digest(points: int) -> str:
    return rules.load(a_set(points), "rules.yaml").hash


def answers(url: str) -> bool:
    """Tell whether a worker runs: one that is only starting ignores the signal."""
    try:
        with urllib.request.urlopen(f"{url}/livez", timeout=5):  # noqa: S310 - ours
            return True
    except OSError:
        return False


@dataclass
class Ruled:
    """A flow whose rules file is the test's own."""

    flow: Flow
    file: Path

    def write(self, text: str) -> None:
        aside = self.file.with_suffix(".new")
        aside.write_text(text)
        aside.replace(self.file)

    def announced(self) -> dict[int, list[str]]:
        """Return the hashes of the sets that each partition of ``grade-events`` was told."""
        told: dict[int, list[str]] = {number: [] for number in range(PARTITIONS)}
        for record in self.flow.read("grade-events"):
            control = decode(record.value)
            if isinstance(control, Control) and control.kind == "rules":
                told[record.partition].append(control.rules_hash)
                assert rules.Rules.model_validate_json(bytes(control.rules)).hash == (
                    control.rules_hash
                )
        return told

    def kept(self) -> list[str]:
        return [(record.key or b"").decode() for record in self.flow.read("grade-rules")]

    def await_told(self, *hashes: str) -> None:
        until(lambda: self.kept() == [*hashes])
        assert self.announced() == {number: [*hashes] for number in range(PARTITIONS)}


@pytest.fixture(params=[Guarantee.EXACTLY_ONCE])
def ruled(kafka: Kafka, namespace: str, tmp_path: Path, request: pytest.FixtureRequest) -> Ruled:
    file = tmp_path / "rules.yaml"
    file.write_text(a_set(5))
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=file, guarantee=request.param)
    return Ruled(flow, file)


@pytest.mark.parametrize(
    "ruled",
    [
        Guarantee.EXACTLY_ONCE,
        pytest.param(Guarantee.AT_LEAST_ONCE, marks=pytest.mark.crash),
    ],
    indirect=True,
)
def test_rules_are_the_first_record_of_every_partition_and_follow_the_file(ruled: Ruled) -> None:
    flow = ruled.flow
    with flow.worker as worker:
        first = {record.partition: record for record in reversed(flow.read("grade-events"))}
        assert {record.offset for record in first.values()} == {0}
        assert {b'"kind":"rules"' in record.value for record in first.values()} == {True}
        ruled.await_told(digest(5))

        ruled.write(a_set(9))
        ruled.await_told(digest(5), digest(9))
        until(lambda: f'rules="{digest(9)}"' in worker.get("/metrics"))
        assert f'rules="{digest(5)}"' not in worker.get("/metrics")

        ruled.write(a_set(9).replace("9", "many"))
        until(lambda: "gradewatch_rules_reload_failed 1.0" in worker.get("/metrics"))
        told = json.loads(worker.get("/readyz"))
        assert told["ready"] is True
        assert told["warnings"] == ["the rules file as it is now is not in force"]
        assert f"{ruled.file}:1:" in worker.get("/api/v1/status")
        assert f"{ruled.file}:1:" in flow.log()
        ruled.await_told(digest(5), digest(9))

        ruled.write(a_set(5))
        ruled.await_told(digest(5), digest(9), digest(5))
        until(lambda: json.loads(worker.get("/readyz")) == {"ready": True})

    found = known(flow.kafka, flow.settings.group, flow.topic("grade-rules"))
    assert (found.latest, [*found.sets]) == (digest(5), [digest(9), digest(5)])
    with flow.worker:
        ruled.await_told(digest(5), digest(9), digest(5))


def test_what_comes_after_is_judged_by_the_new_rules(ruled: Ruled) -> None:
    flow = ruled.flow

    def fall(student: str, points: float) -> None:
        value = a_course_grade_change(student, current=(90.0, 90.0 - points))
        assert flow.play([RawRecord(value, None, milliseconds(START))]) == 1

    def alerts() -> list[tuple[str, str]]:
        told = [json.loads(record.value) for record in flow.read("grade-alerts")]
        return sorted((alert["student_id"], alert["rules_hash"]) for alert in told)

    with flow.worker:
        fall("41", 7.0)
        until(lambda: alerts() == [("41", digest(5))])
        ruled.write(a_set(9))
        ruled.await_told(digest(5), digest(9))
        fall("42", 7.0)
        fall("43", 10.0)
        flow.await_worked(3)
        assert alerts() == [("41", digest(5)), ("43", digest(9))]


def test_sighup_has_the_file_looked_at_and_announces_over_anothers(ruled: Ruled) -> None:
    with ruled.flow.worker as worker:
        ruled.await_told(digest(5))
        ruled.write(a_set(7))
        os.kill(worker.pid, signal.SIGHUP)
        ruled.await_told(digest(5), digest(7))
        worker.require_alive()
        os.kill(worker.pid, signal.SIGHUP)  # the same again is nothing
        until(lambda: ruled.flow.log().count("are the ones announced last") == 1)
        ruled.await_told(digest(5), digest(7))


def test_sighup_reaches_every_process(ruled: Ruled, tmp_path: Path) -> None:
    words = ("worker", "--web-port", "0", "--processes", "2")
    with running(ruled.flow, tmp_path, *words) as workers:
        until(lambda: workers.said().count("are announced") >= 1)
        until(lambda: workers.said().count(" starts; pages at") == 2)
        for url in re.findall(r"starts; pages at (\S+)", workers.said()):
            until(lambda url=url: answers(url))  # type: ignore[misc]
        workers.popen.send_signal(signal.SIGHUP)
        until(lambda: workers.said().count("told to look at") == 2)
        assert workers.popen.poll() is None
        assert set(ruled.kept()) == {digest(5)}
        assert workers.told(signal.SIGTERM) == 0


def test_a_log_made_anew_is_told_the_rules_again(ruled: Ruled) -> None:
    flow = ruled.flow
    with flow.worker:
        ruled.await_told(digest(5))
    flow.make_anew("grade-events")
    flow.make_anew("grade-scores-changelog")

    with flow.worker:
        until(lambda: all(ruled.announced().values()))
