"""A worker ends when it is told to, whatever it is doing; what it could not commit comes again."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from streams.broker import ports
from streams.simulator import RawRecord
from tests.kafka.process import running
from tests.kafka.running import Flow, until
from tests.scenarios import a_course_grade_change, milliseconds, moment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka, OwnKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_worker_with_exit_code_0_and_leaves_nothing_behind(
    flow: Flow, tmp_path: Path, number: signal.Signals
) -> None:
    with running(flow, tmp_path, "worker") as worker:
        until(lambda: bool(worker.get("/readyz")))
        family = psutil.Process(worker.popen.pid).children(recursive=True)

        assert worker.told(number) == 0, worker.said()
        assert not [child for child in family if child.is_running()]
        assert ports.is_free(int(worker.url[-5:]))
        assert "the rules alert at once" in worker.said()
        assert worker.said().rstrip().endswith(f"worker {flow.settings.worker_id} stopped")


def test_a_signal_stops_a_worker_that_is_still_starting(flow: Flow, tmp_path: Path) -> None:
    with running(flow, tmp_path, "worker") as worker:
        until(lambda: bool(worker.get("/livez")))

        assert worker.told(signal.SIGTERM) == 0, worker.said()
        assert "Traceback" not in worker.said()
        assert "Task was destroyed" not in worker.said()


def test_signals_that_would_show_what_a_worker_holds_do_nothing(flow: Flow, tmp_path: Path) -> None:
    with running(flow, tmp_path, "worker") as worker:
        until(lambda: bool(worker.get("/readyz")))
        before = worker.said()
        worker.popen.send_signal(signal.SIGUSR1)
        worker.popen.send_signal(signal.SIGUSR2)

        assert worker.get("/livez")
        assert worker.said() == before


def test_an_idle_worker_stops_while_kafka_is_away_and_does_not_flood_its_log(
    own_kafka: OwnKafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path)
    with running(flow, tmp_path, "worker") as worker:
        until(lambda: bool(worker.get("/readyz")))
        own_kafka.kill()
        until(lambda: worker.says("Unable connect"))

        assert worker.get("/livez")
        assert worker.told(signal.SIGTERM) == 0, worker.said()
        assert len(worker.said().splitlines()) < 60


@pytest.mark.crash
def test_a_worker_amid_a_batch_ends_while_kafka_is_away_and_the_next_one_completes_it(
    own_kafka: OwnKafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path)
    fall = [
        a_course_grade_change(str(student), current=(84.25, 71.5), at=moment(student))
        for student in range(1, 20_001)
    ]
    with running(flow, tmp_path, "worker") as worker:
        until(lambda: bool(worker.get("/readyz")))
        flow.play([RawRecord(value, None, milliseconds(moment(30_000))) for value in fall])
        until(lambda: 'fate="passed"' in worker.get("/metrics"))
        own_kafka.kill()

        assert worker.told(signal.SIGTERM) == 1, worker.said()
        assert "the next start works on it again" in worker.said()
    own_kafka.start()
    with flow.worker:
        flow.await_worked(len(fall))
        rows = f'gradewatch_rows{{state="serving"}} {len(fall)}.0'
        until(lambda: rows in flow.worker.get("/metrics"))  # published after they are committed
    students = {record.key for record in flow.read("grade-alerts")}
    assert len(students) == len(fall)


@pytest.mark.crash
def test_a_worker_that_comes_back_at_once_on_another_port_works(flow: Flow, tmp_path: Path) -> None:
    """Kafka still knows the first one: a static member stays so long after it has gone."""
    for _ in range(2):
        with running(flow, tmp_path, "worker") as worker:
            until(lambda: bool(worker.get("/readyz")))
            assert worker.told(signal.SIGTERM) == 0, worker.said()


def test_alerts_tail_shows_an_alert_as_it_is_written_until_ctrl_c(
    flow: Flow, tmp_path: Path
) -> None:
    with running(flow, tmp_path, "alerts", "tail", "--from-beginning") as tail, flow.worker:
        fall = a_course_grade_change("48", "565", current=(84.25, 71.5), at=moment(0))
        flow.play([RawRecord(fall, None, milliseconds(moment(0)))])
        until(lambda: tail.says("84.25 → 71.5 (-12.75)"))

        assert tail.told(signal.SIGINT) == 0
        assert len(tail.said().splitlines()) == 1
