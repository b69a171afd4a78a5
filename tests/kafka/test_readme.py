"""README's "Run against your own Kafka" is followed literally, on a Kafka that asks who we are.

Only what is an example there is another here: the address, the password, who "one who may" is.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.broker import ports
from streams.connection import client
from streams.player import play
from streams.simulator import RawRecord
from tests.kafka.secured import PASSWORD
from tests.scenarios import a_course_grade_change, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka

README = Path(__file__).parents[2] / "README.md"
BIN = Path(sys.executable).parent
EXAMPLE = "kafka.example.edu:9093"
USER = "gradewatch"


class Reader:
    """Somebody who reads the section, and types what it says."""

    def __init__(self, secured: SecuredKafka, namespace: str, folder: Path) -> None:
        text = README.read_text().split("## Run against your own Kafka")[1]
        blocks = re.findall(r"^   ```\n(.*?)^   ```", text, re.MULTILINE | re.DOTALL)
        self.way_in, self.made = blocks
        assert EXAMPLE in self.way_in
        self.way_in = self.way_in.replace(EXAMPLE, secured.servers("SASL"))
        [step] = re.findall(r"^4\. (.*?)\n\n", text, re.MULTILINE | re.DOTALL)
        self.commands = re.findall(r"`(gradewatch [^`]+)`", step)
        self._folder = folder
        # What the test is apart from others by; the page is silent of both.
        self._env = {"GRADEWATCH_NAMESPACE": namespace, "GRADEWATCH_WEB_PORT": str(ports.choose(0))}

    def started(self, commands: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-ec", f"{self.way_in}\n{commands}"],  # noqa: S607
            cwd=self._folder,
            env={**os.environ, **self._env, "PATH": f"{BIN}:{os.environ['PATH']}"},  # noqa: TID251
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def typed(self, commands: str) -> str:
        process = self.started(commands)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said


@pytest.fixture
def reader(secured_kafka: SecuredKafka, namespace: str, tmp_path: Path) -> Iterator[Reader]:
    secured_kafka.add_user(USER)
    for file, text in (("password", PASSWORD + USER), ("admin-password", PASSWORD + "admin")):
        (tmp_path / file).write_text(text)
        (tmp_path / file).chmod(0o600)
    shutil.copy(secured_kafka.ca_file, tmp_path / "ca.pem")
    yield Reader(secured_kafka, namespace, tmp_path)
    secured_kafka.revoke(USER)


def test_the_section_is_true(secured_kafka: SecuredKafka, namespace: str, reader: Reader) -> None:
    raw = f"{namespace}-canvas-live-events"
    with client(secured_kafka.admin) as asked:  # step 1: the topic is yours
        asked.create_topics({raw: {"num_partitions": 4, "replication_factor": 1}})
    doctor, worker, tail, scores = reader.commands

    as_one_who_may = (
        "export GRADEWATCH_KAFKA_USERNAME=admin GRADEWATCH_KAFKA_PASSWORD_FILE=admin-password\n"
    )
    said = reader.typed(as_one_who_may + reader.made)
    assert "done: 9 changes" in said

    assert ", 0 warn, 0 fail" in reader.typed(doctor)

    running, watching = reader.started(f"exec {worker}"), reader.started(f"exec {tail}")
    try:
        with playing(secured_kafka, raw):
            assert watching.stdout is not None
            alert = watching.stdout.readline()
        assert "student 48 course 565  84.25 → 61.5" in alert, alert
        assert "565" in reader.typed(scores.replace("STUDENT", "48"))
        assert running.poll() is None
    finally:
        for process in (watching, running):
            process.terminate()
            said, _ = process.communicate(timeout=30)
    assert running.returncode == 0, said


@contextmanager
def playing(secured: SecuredKafka, raw: str) -> Iterator[None]:
    """A student's score falls again and again: who tails sees what comes after it looks."""
    done = threading.Event()

    def play_on() -> None:
        for second in itertools.count():
            value = a_course_grade_change("48", "565", current=(84.25, 61.5), at=moment(second))
            asyncio.run(play([RawRecord(value, None, milliseconds(moment(second)))],
                             secured.admin, raw, None))  # fmt: skip
            if done.wait(0.5):
                return

    thread = threading.Thread(target=play_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
