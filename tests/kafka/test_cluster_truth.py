"""What `/readyz` and the doctor say of a group or a cluster that is not as it should be.

Each test breaks one thing on a real Kafka under real workers. What lasts is warned of after 20 s;
the workers here warn after 3 s.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata

from streams import doctor, group
from streams.core import rules
from streams.doctor import Patient, State
from streams.errors import TopicChangedError, TopicMismatchError
from streams.simulator import RawRecord, semester
from tests.kafka.process import running
from tests.kafka.running import (
    Flow,
    assert_all_is_as_recomputed,
    assert_changelog_is_as_recomputed,
    assert_rows_are_as_recomputed,
    seen,
    until,
)
from tests.scenarios import a_course_grade_change, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streams.doctor import Finding
    from tests.kafka.conftest import Kafka, OwnKafka
    from tests.kafka.process import Process

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
SOON = """
from streams import in_force
from streams.engine import cluster_watch
in_force.LASTING_SECONDS = cluster_watch.SETTLE_SECONDS = 3
"""
FORGETFUL = """
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
complete = CopartitionedAssignor.get_assignment
def get_assignment(self):
    for member in (planned := complete(self)).values():
        member.actives.discard(3)
    return planned
CopartitionedAssignor.get_assignment = get_assignment
"""
MAIN = """
from streams.cli import main
main()
"""
QUICK = ("-c", SOON + MAIN)


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


def ready(worker: Process) -> tuple[bool, str]:
    """Return whether a worker says that it is ready, and its reasons and warnings."""
    assert worker.popen.poll() is None, worker.said()
    try:
        with urlopen(worker.url + "/readyz", timeout=5) as answer:  # noqa: S310 - ours
            said = json.load(answer)
    except HTTPError as error:
        said = json.load(error)
    except OSError:
        return False, ""
    return said["ready"], "\n".join([*said.get("reasons", ()), *said.get("warnings", ())])


def await_said(worker: Process, words: str, *, ready_too: bool) -> None:
    """Return once `/readyz` says some words, and whether the worker is ready."""

    def said() -> bool:
        is_ready, reasons = ready(worker)
        return words in reasons and is_ready == ready_too

    until(said, 60)


def found(flow: Flow, *checks: str, patience: float = 1, **told: Any) -> list[Finding]:  # noqa: ANN401
    """Return what some of the doctor's checks find."""
    patient = Patient(flow.settings.model_copy(update=told), patience=patience)
    try:
        return [
            each for check in doctor.CHECKS if check.name in checks for each in check.made(patient)
        ]
    finally:
        patient.close()


def gone(flow: Flow, worker: str) -> None:
    """A worker that has ended is out of the group, without waiting for its session to end."""
    group.remove(flow.settings, flow.kafka, worker)


def wrong(findings: Sequence[Finding]) -> str:
    """Return the evidence of what is not ok."""
    return "\n".join(each.evidence for each in findings if each.state is not State.OK)


def test_two_workers_of_one_name_are_warned_of_until_one_has_ended(
    flow: Flow, tmp_path: Path
) -> None:
    with running(flow, tmp_path, "worker", program=QUICK, worker_id="same") as first:
        with running(flow, tmp_path, "worker", program=QUICK, worker_id="same") as second:
            for worker in (first, second):
                await_said(worker, "our GRADEWATCH_WORKER_ID, same", ready_too=True)
            said = wrong(found(flow, "readiness"))
            assert "2 workers have the GRADEWATCH_WORKER_ID same" in said
            flow.play(semester(30, 300, END))
            flow.await_worked(300)
            assert second.told(signal.SIGTERM) == 0

        until(lambda: ready(first) == (True, ""), 60)
        assert wrong(found(flow, "readiness")) == ""


def a_set(points: int) -> str:
    return f"rules: [{{id: drop, kind: score_drop, points: {points}, severity: info}}]\n"


def test_two_rules_files_are_warned_of_and_one_set_judges_everywhere(
    flow: Flow, tmp_path: Path
) -> None:
    files, hashes = [], []
    for points in (5, 50):
        file = tmp_path / f"rules-{points}.yaml"
        file.write_text(a_set(points))
        files.append(file)
        hashes.append(rules.load(a_set(points), file.name).hash)
    with running(
        flow, tmp_path, "worker", program=QUICK, worker_id="first", rules=files[0]
    ) as first:
        until(lambda: ready(first)[0], 60)
        with running(
            flow, tmp_path, "worker", program=QUICK, worker_id="second", rules=files[1]
        ) as second:
            await_said(first, f"rules in force (hash {hashes[1]}) are not", ready_too=True)
            until(lambda: ready(second) == (True, ""), 60)
            said = wrong(found(flow, "workers", "readiness", rules=files[1]))
            assert f"workers differ in rules: first {hashes[0]}, second {hashes[1]}" in said
            assert f"rules in force (hash {hashes[1]}) are not" in said

            flow.play(drops(range(20)))
            flow.await_worked(40)
            assert flow.read("grade-alerts") == [], "judged by the first file"

            first.popen.send_signal(signal.SIGHUP)  # the way out that the warning names
            await_said(second, f"rules in force (hash {hashes[0]}) are not", ready_too=True)
            until(lambda: ready(first) == (True, ""), 60)
            flow.play(drops(range(100, 120)))
            flow.await_worked(80)
            told = [json.loads(alert.value)["student_id"] for alert in flow.read("grade-alerts")]
            assert sorted(told) == [str(student) for student in range(100, 120)]


def drops(students: range) -> list[RawRecord]:
    """Return two scores of each student, the second 20 points below the first."""
    return [
        RawRecord(
            a_course_grade_change(str(student), "565", current=current, at=moment(minute)),
            str(student).encode(),
            milliseconds(moment(minute)),
        )
        for minute, current in enumerate([(None, 90.0), (90.0, 70.0)])
        for student in students
    ]


def test_a_partition_that_the_group_forgot_is_named(flow: Flow, tmp_path: Path) -> None:
    raw = flow.topic(flow.settings.raw_topic)
    with running(flow, tmp_path, "worker", program=("-c", SOON + FORGETFUL + MAIN)) as worker:
        until(lambda: ready(worker)[0], 60)
        flow.play(drops(range(40)))
        waiting = sum(record.partition == 3 for record in flow.read(flow.settings.raw_topic))
        assert waiting, "invalid: no record is there"
        words = f"{raw}[3] has no worker, {waiting} records wait"
        await_said(worker, words, ready_too=False)
        metrics = worker.get("/metrics")
        assert f'gradewatch_lag_records{{partition="3",topic="{raw}"}} {waiting}.0' in metrics
        assert "gradewatch_unowned_partitions 2.0" in metrics, "of either source"
        findings = found(flow, "progress")
        assert {each.state for each in findings} == {State.FAIL}
        assert f"{raw}[3] has no worker" in wrong(findings)

    gone(flow, flow.settings.worker_id)
    with running(flow, tmp_path, "worker", worker_id="another") as worker:  # the way out
        until(lambda: ready(worker) == (True, ""), 60)
        flow.await_worked(80)
        assert wrong(found(flow, "progress")) == ""


def test_a_worker_that_hangs_with_lag_is_named_until_it_goes_on(flow: Flow) -> None:
    with flow.workers("hangs", "works") as (hangs, _):
        flow.play(drops(range(40)))
        flow.await_worked(80)
        _, members = group.members(flow.settings, flow.kafka)
        its = {member.worker: member for member in members}["hangs"].partitions
        os.kill(hangs.pid, signal.SIGSTOP)
        try:
            flow.play(drops(range(40, 80)))
            findings = found(flow, "progress")
            _, still = group.members(flow.settings, flow.kafka)
        finally:
            os.kill(hangs.pid, signal.SIGCONT)
        assert "hangs" in {member.worker for member in still}, "invalid: its session ended before"
        assert {each.state for each in findings} == {State.FAIL}
        named = {each.evidence.partition(":")[0] for each in findings}
        raw = flow.topic(flow.settings.raw_topic)
        assert named >= {f"{raw}[{number}]" for number in its[raw]}, "each had records"
        assert named <= {f"{topic}[{number}]" for topic in its for number in its[topic]}
        assert all("its worker hangs has committed nothing" in each.evidence for each in findings)

        flow.await_worked(160)
        assert wrong(found(flow, "progress", "readiness")) == ""


def test_a_cluster_that_lost_all_its_data_ends_the_worker_and_the_next_start_works_it(
    own_kafka: OwnKafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path)
    with running(flow, tmp_path, "worker") as worker:
        flow.play(drops(range(20)))
        flow.await_worked(40)
        own_kafka.kill()
        shutil.rmtree(own_kafka.data_dir / "broker" / "data")
        own_kafka.start()
        flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path)  # topics apply
        flow.play(drops(range(20, 50)))

        codes = {TopicChangedError.exit_code, TopicMismatchError.exit_code}
        assert worker.popen.wait(120) in codes, worker.said()
        assert "while this worker ran" in worker.said()
        assert "next: " in worker.said()
        assert "Traceback" not in worker.said()

    with flow.worker:
        flow.await_worked(60)
        assert_all_is_as_recomputed(flow)


def test_a_broker_put_back_to_a_backup_ends_the_worker_and_the_next_start_goes_on_from_there(
    own_kafka: OwnKafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path)
    data, backup = own_kafka.data_dir / "broker" / "data", tmp_path / "backup"
    with flow.worker:
        flow.play(drops(range(20)))
        flow.await_worked(40)
    gone(flow, "worker")
    own_kafka.stop()
    shutil.copytree(data, backup)
    own_kafka.start()

    with running(flow, tmp_path, "worker") as worker:
        lost = drops(range(20, 60))
        flow.play(lost)
        flow.await_worked(120)
        own_kafka.kill()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        own_kafka.start()

        assert worker.popen.wait(120) == TopicChangedError.exit_code, worker.said()
        assert "restored from an older backup" in worker.said()
        assert "docs/own-kafka.md, A Kafka that was set back" in worker.said()
        assert "Traceback" not in worker.said()
    assert wrong(found(flow, "offsets", "rows")) == ""

    with flow.worker:
        flow.play(lost)  # the way out
        flow.await_worked(120)
        assert_all_is_as_recomputed(flow)
        assert_rows_are_as_recomputed(flow, seen(flow))


def test_offsets_that_are_newer_than_the_logs_are_named_and_the_documented_way_out_works(
    flow: Flow, tmp_path: Path
) -> None:
    with flow.worker:
        flow.play(drops(range(20)))
        flow.await_worked(40)
    gone(flow, "worker")
    sources = [
        TopicPartition(*place)
        for name in (flow.settings.raw_topic, "grade-events")
        for place in flow.partitions(name)
    ]
    client = KafkaAdminClient(bootstrap_servers=flow.servers)
    try:
        newer = dict.fromkeys(sources, OffsetAndMetadata(1_000, "", -1))
        client.alter_group_offsets(flow.settings.group, newer)
        said = wrong(found(flow, "offsets"))
        assert all(f"{place.topic}[{place.partition}]: worked on" in said for place in sources)
        with running(flow, tmp_path, "worker") as worker:
            assert worker.popen.wait(120) == TopicChangedError.exit_code, worker.said()
            assert "now, and was worked on up to 1000: Kafka lost records" in worker.said()
            assert "docs/own-kafka.md, A Kafka that was set back" in worker.said()
        gone(flow, flow.settings.worker_id)

        flow.make_anew("grade-scores-changelog")  # as docs/own-kafka.md says
        client.delete_group_offsets(flow.settings.group, sources)
    finally:
        client.close()
    with flow.worker:
        flow.play(drops(range(10, 30)))  # half of it once more
        flow.await_worked(80)
        assert_changelog_is_as_recomputed(flow, seen(flow))
        assert_rows_are_as_recomputed(flow, seen(flow))
        assert wrong(found(flow, "offsets", "rows", "progress", "readiness")) == ""
