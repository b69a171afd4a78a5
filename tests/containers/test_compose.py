"""docker-compose.yml: two workers, simulated events in, alerts out, one worker killed, all gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.containers.engine import DockerError, compose_commands
from tests.containers.project import Project
from tests.kafka.crash.load import progress
from tests.kafka.running import assert_all_is_as_recomputed, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.containers.conftest import Images

pytestmark = pytest.mark.containers

EVENTS = 9_000
RATE = 150


def test_a_worker_is_killed_and_the_other_takes_over(compose: Images, tmp_path: Path) -> None:
    demo = {"DEMO_EVENTS": str(EVENTS), "DEMO_RATE": str(RATE)}
    with Project(compose, tmp_path, "--profile", "demo", told=demo) as project:
        project.await_ready("worker-1", "worker-2")
        flow = project.flow(tmp_path)
        until(lambda: bool(flow.read("grade-alerts")))
        project.kill("worker-1")
        before, alerts = progress(flow), len(flow.read("grade-alerts"))
        assert project.state("simulator")["Running"], "invalid: the events had ended"
        until(lambda: progress(flow) > before and len(flow.read("grade-alerts")) > alerts)
        assert not project.state("worker-1")["Running"], "invalid: nobody had to take over"
        flow.await_worked(EVENTS)
        project.start("worker-1")
        project.await_ready("worker-1", "worker-2")

        assert_all_is_as_recomputed(flow)
        written = [json.loads(record.value) for record in flow.read("grade-alerts")]
        told = ("--from-beginning", "--exit-when-idle", "--format", "json")
        shown = project.gradewatch("worker-2", "alerts", "tail", *told).splitlines()
        assert {json.loads(line)["alert_id"] for line in shown} == {
            alert["alert_id"] for alert in written
        }
        for alert in written[:20]:  # each worker answers for all, whichever holds the rows
            path = f"/api/v1/students/{alert['student_id']}?tenant={alert['tenant']}"
            answers = [project.get(name, path, project.token) for name in ("worker-1", "worker-2")]
            assert [answer and answer.status for answer in answers] == [200, 200]
            assert answers[0] == answers[1]
            refused = project.get("worker-1", path)
            assert refused is not None
            assert refused.status == 401


@pytest.mark.parametrize("command", [("docker", "compose"), ("docker-compose",)], ids=" ".join)
def test_either_compose_brings_it_up(
    compose: Images, tmp_path: Path, command: tuple[str, ...]
) -> None:
    if command not in compose_commands():
        pytest.skip(f"{' '.join(command)} is not installed")
    with Project(compose, tmp_path, command=command) as project:
        project.await_ready("worker-1", "worker-2")
        project.gradewatch("worker-1", "events", "simulate", "--events", "1000")
        flow = project.flow(tmp_path)
        flow.await_worked(1000)

        assert_all_is_as_recomputed(flow)


def test_a_token_that_was_not_made_is_named(compose: Images, tmp_path: Path) -> None:
    missing = tmp_path / "no-token"
    project = Project(compose, tmp_path, told={"GRADEWATCH_WEB_TOKEN_FILE": str(missing)})

    with pytest.raises(DockerError, match=str(missing)), project:
        pass
