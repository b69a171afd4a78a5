"""A worker as a process of its own: started, watched until ready, asked for numbers, stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self

import psutil
from prometheus_client.parser import text_string_to_metric_families

from streams.access.tokens import read_token
from streams.broker import guard, ports
from streams.core.alerts import POSTED
from streams.errors import GradewatchError
from streams.settings import environment

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_LAST_LINES: Final = 15


class Numbers(NamedTuple):
    """What a worker has counted since it started.

    Attributes:
        fates: Records by agent and fate.
        refused: Refused records by reason, of both agents.
        alerts: Steps of alerts written to grade-alerts, by kind.
    """

    fates: Counter[tuple[str, str]]
    refused: Counter[str]
    alerts: Counter[str]

    def of(self, agent: str) -> int:
        """Return how many records an agent has worked on: the sum of their fates."""
        return sum(number for (who, _), number in self.fates.items() if who == agent)

    @property
    def scored(self) -> int:
        """How many events scoring has worked on: control records are none."""
        return self.of("scoring") - self.fates["scoring", "control"]

    @property
    def passed(self) -> int:
        """How many events intake wrote to ``grade-events``; its control records are none."""
        return self.fates["intake", "passed"]


def worker_command() -> list[str]:
    """Return the command line of a worker."""
    return [sys.executable, "-m", "streams", "worker"]


def guarded(
    command: list[str], settings: Settings, output: IO[bytes] | None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command that never outlives this process, even if that is killed.

    Args:
        command: Program and arguments.
        settings: What it is told, by its environment.
        output: Where its words go; None: to our standard error.

    Returns:
        Its guard, which exits with its exit code, and its own process id.
    """
    process = subprocess.Popen(
        [sys.executable, guard.__file__, str(os.getpid()), *command],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=output,
        start_new_session=True,  # Ctrl-C is ours; we tell it
    )
    assert process.stdout is not None  # noqa: S101 - we asked for a pipe
    with process.stdout as told:
        return process, int(told.readline() or 0)


class WorkerProcess:
    """``gradewatch worker`` in a process that never outlives this one, even if we are killed.

    Attributes:
        url: Its web views.
        log: The file its log goes to.
    """

    def __init__(self, settings: Settings, log: Path) -> None:
        """Choose its port; ``with`` starts it.

        Args:
            settings: What the worker is told.
            log: File for its output; appended to.
        """
        wanted = settings.web_port
        port = wanted if wanted and ports.is_free(wanted) else ports.choose(0)
        self._settings = settings.model_copy(update={"web_port": port})
        self.url = f"http://{settings.web_host}:{port}"
        self.log = log
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def worker_id(self) -> str:
        """The name of this worker in the group: ``GRADEWATCH_WORKER_ID``."""
        return self._settings.worker_id

    @property
    def pid(self) -> int:
        """The worker's own process id."""
        return self._pid

    def start(self) -> None:
        """The process runs; it is not ready yet."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._guard, self._pid = guarded(worker_command(), self._settings, output)

    def __enter__(self) -> Self:
        """Start it and wait until it is ready.

        Raises:
            GradewatchError: It ended, or was not ready in time.
        """
        self.start()
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def await_ready(self) -> None:
        """Return once ``/readyz`` says so.

        Raises:
            GradewatchError: It ended, or was not ready in time; its last words are shown.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers("/readyz"):
            self.require_alive()
            if time.monotonic() > deadline:
                raise self.failure(f"the worker is not ready after {READY_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def require_alive(self) -> None:
        """Return while it runs.

        Raises:
            GradewatchError: It ended; its last words are shown.
        """
        if self._guard is None or self._guard.poll() is not None:
            raise self.failure("the worker ended")

    def numbers(self) -> Numbers:
        """Return what it has counted.

        Raises:
            GradewatchError: It does not answer.
        """
        numbers = Numbers(Counter(), Counter(), Counter())
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                labels, value = sample.labels, int(sample.value)
                if sample.name == "gradewatch_records_total":
                    numbers.fates[labels["agent"], labels["fate"]] += value
                elif sample.name == "gradewatch_refused_total":
                    numbers.refused[labels["reason"]] += value
                elif sample.name == "gradewatch_alerts_total" and labels["audience"] != POSTED:
                    numbers.alerts[labels["kind"]] += value
        return numbers

    def get(self, path: str) -> str:
        """Return the body of one of its web views.

        Raises:
            GradewatchError: It does not answer, or refuses.
        """
        try:
            with urllib.request.urlopen(self._request(path), timeout=10) as answer:  # noqa: S310
                return str(answer.read().decode())
        except OSError as error:
            raise self.failure(f"the worker does not answer {path}: {error}") from None

    def stop(self) -> int | None:
        """It has ended; a worker that does not within ``STOP_SECONDS`` was killed.

        Returns:
            Its exit code; None if it never started.
        """
        if self._guard is None:
            return None
        self._guard.terminate()
        return self._guard.wait(STOP_SECONDS)

    def kill(self) -> None:
        """It has ended as a crash ends it: ``kill -9``."""
        psutil.Process(self._pid).kill()
        if self._guard is not None:
            self._guard.wait(STOP_SECONDS)

    def failure(self, what: str) -> GradewatchError:
        """Return an error that shows the worker's last words.

        Args:
            what: What is wrong.
        """
        try:
            words = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        except OSError:
            words = []
        return GradewatchError("\n  ".join([what, *words]), f"the whole log is {self.log}")

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self._request(path), timeout=2):  # noqa: S310 - our own
                return True
        except OSError:
            return False

    def _request(self, path: str) -> urllib.request.Request:
        file = self._settings.web_token_file
        headers = {"Authorization": f"Bearer {read_token(file)}"} if file else {}
        return urllib.request.Request(self.url + path, headers=headers)  # noqa: S310 - our own
