"""The fixtures for tests of others, used as others use them: by a pytest of its own.

What it is told to run is what ``docs/testing.md`` shows, literally.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient

from streams.settings import environment, load

if TYPE_CHECKING:
    from streams.testing import Broker

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
CONFTEST, EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
SECONDS = 120

ALERTLESS = """
def test_in_vain(gradewatch_send, gradewatch_alerts):
    gradewatch_send(["no event", score("2026-02-03T10:15:30.000Z", before=84, after=83)])
    gradewatch_alerts()
    gradewatch_alerts(1, timeout=0.1)


def test_on_a_dead_worker(gradewatch_worker, gradewatch_send, gradewatch_alerts):
    gradewatch_worker.kill()
    gradewatch_send(score("2026-02-03T10:15:30.000Z", before=84, after=60))
    gradewatch_alerts(1)
"""

OVERRIDDEN = """
import pytest

RULES = '''rules:
  - {id: any-drop, kind: score_drop, points: 0.5, severity: info}
'''


@pytest.fixture
def gradewatch_namespace():
    return NAMESPACE


@pytest.fixture
def gradewatch_overrides(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    return {"rules": rules}


async def sent_and_awaited(send, alerts):
    send([score(f"2026-02-03T10:15:3{n}.000Z", 80 - n, 79 - n) for n in range(3)])
    return alerts(2) + alerts(1)


def test_rules_of_its_own_in_an_event_loop(gradewatch_send, gradewatch_alerts, gradewatch_topics):
    import asyncio

    assert gradewatch_topics["grade-alerts"] == f"{NAMESPACE}-grade-alerts"
    came = asyncio.run(sent_and_awaited(gradewatch_send, gradewatch_alerts))
    assert [(alert["rule"], alert["before"]) for alert in came] == [
        ("any-drop", 80), ("any-drop", 79), ("any-drop", 78),
    ]
    assert gradewatch_alerts() == []


def test_a_namespace_that_is_not_new(gradewatch_stage, gradewatch_settings):
    from streams.testing.stage import staged

    with staged(gradewatch_settings, remove=True):
        pass
"""


def ran(
    directory: Path, *options: str, test: str = EXAMPLE, **told: str
) -> subprocess.CompletedProcess[str]:
    """Run a suite of two files; nothing of a Kafka elsewhere is told but what is said here."""
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_alerts.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=directory,
        env={k: v for k, v in environment(load()).items() if "KAFKA" not in k} | told,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def left(bootstrap_servers: str, prefix: str) -> tuple[list[str], list[str]]:
    """Return the topics and groups whose names begin so."""
    with KafkaAdminClient(bootstrap_servers=bootstrap_servers) as client:
        groups = [each["group_id"] for each in client.list_groups()]
        return tuple(
            [name for name in names if name.startswith(prefix)]
            for names in (client.list_topics(), groups)
        )  # type: ignore[return-value]


@pytest.mark.kafka
def test_the_example_runs_as_it_stands_and_leaves_nothing_on_a_kafka_of_yours(
    gradewatch_broker: Broker, tmp_path: Path
) -> None:
    servers = gradewatch_broker.bootstrap_servers
    done = ran(tmp_path, KAFKA_BOOTSTRAP_SERVERS=servers)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert left(servers, "pytest-") == ([], [])
