"""A ``gradewatch`` process of a test's own, to signal and to listen to."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from streams.broker import ports
from streams.settings import environment

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.kafka.running import Flow

PROGRAM = ("-m", "streams")
STOP_SECONDS = 25


class Process:
    """A ``gradewatch`` process, and what it said."""

    def __init__(
        self,
        flow: Flow,
        tmp_path: Path,
        *words: str,
        program: Sequence[str] = PROGRAM,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        """Start it with the flow's settings, changed by ``settings``, on a web port of its own."""
        port = ports.choose(0)
        self.url = f"http://127.0.0.1:{port}"
        self._said = tmp_path / f"{port}.log"
        with self._said.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *program, *words],
                env=environment(flow.settings.model_copy(update=settings))
                | {"GRADEWATCH_WEB_PORT": str(port)},
                stdout=output,
                stderr=output,
            )

    def said(self) -> str:
        return self._said.read_text()

    def says(self, word: str) -> bool:
        assert self.popen.poll() is None, self.said()
        return word in self.said()

    def get(self, path: str) -> str:
        """Return what it answers; nothing where it does not."""
        assert self.popen.poll() is None, self.said()
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:  # noqa: S310 - ours
                return str(answer.read().decode())
        except OSError:
            return ""

    def told(self, number: signal.Signals) -> int:
        """Return the exit code of a process that is sent a signal."""
        self.popen.send_signal(number)
        return self.popen.wait(STOP_SECONDS)


@contextmanager
def running(
    flow: Flow,
    tmp_path: Path,
    *words: str,
    program: Sequence[str] = PROGRAM,
    **settings: Any,  # noqa: ANN401
) -> Iterator[Process]:
    """Give a process that does not outlive the test."""
    process = Process(flow, tmp_path, *words, program=program, **settings)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.wait()
