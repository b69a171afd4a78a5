"""A broker started: everything checked first, its process guarded until it is handed over."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from kafka.errors import KafkaError

from streams.broker import config, guard, jars, ports, settle, state
from streams.broker.files import unwritable
from streams.errors import EmbeddedBrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_SECONDS = 120.0
"""What a start may take, recovery of the data after a kill included."""

SHOWN_LINES = 5
_TELLING = re.compile(r"\b(ERROR|FATAL)\b|Exception|Error\b")


@dataclass(frozen=True)
class Running:
    """A broker that answers.

    Attributes:
        bootstrap_servers: ``host:port`` for any Kafka client.
        pid: The JVM's process id.
        already: It ran before; nothing was started.
        seconds: What the start took, downloads included.
    """

    bootstrap_servers: str
    pid: int
    already: bool
    seconds: float


def start(
    data_dir: Path,
    port: int | None = None,
    on_progress: jars.Progress = jars.silent,
    *,
    jar_dir: Path | None = None,
    memory_needed: int = config.MEMORY_NEEDED,
) -> Running:
    """A broker answers, and goes on when the caller ends; a second start changes nothing.

    Until it answers, its process lives no longer than ours: a start that fails, is interrupted or
    is killed leaves none behind.

    Args:
        data_dir: Where its data is kept.
        port: TCP port on loopback; None: the last one, at first `ports.DEFAULT_PORT`; 0: any
            free one.
        on_progress: Told what is happening.
        jar_dir: Where Kafka's jars are kept; None: under the data directory.
        memory_needed: Free memory to ask for first, in bytes.

    Raises:
        EmbeddedBrokerError: It cannot be started; the message says what is in the way.
    """
    broker, owned = _launch(data_dir, port, on_progress, jar_dir, memory_needed)
    if owned:
        owned.kill()  # frees the JVM from its guard
        owned.wait()
    return broker


@contextmanager
def running(
    data_dir: Path,
    port: int | None = None,
    on_progress: jars.Progress = jars.silent,
    *,
    jar_dir: Path | None = None,
    memory_needed: int = config.MEMORY_NEEDED,
) -> Iterator[Running]:
    """A broker answers within the block and ends with it; it never outlives this process.

    Even if this process is killed, its guard ends the broker. One that runs on the data directory
    already is used, and left alone.

    Args:
        data_dir: Where its data is kept.
        port: As in `start`.
        on_progress: As in `start`.
        jar_dir: As in `start`.
        memory_needed: As in `start`.

    Raises:
        EmbeddedBrokerError: It cannot be started; the message says what is in the way.
    """
    broker, owned = _launch(data_dir, port, on_progress, jar_dir, memory_needed)
    try:
        yield broker
    finally:
        if owned:
            owned.terminate()
            owned.wait()


def _launch(
    data_dir: Path,
    port: int | None,
    on_progress: jars.Progress,
    jar_dir: Path | None,
    memory_needed: int,
) -> tuple[Running, subprocess.Popen[bytes] | None]:
    """Return a broker that answers, and its guard if we started it."""
    began = time.monotonic()
    home = state.home_of(data_dir)
    with state.held(home, on_progress):
        last, process = state.last_start(home), state.live_process(home)
        if last and process:
            if port not in {None, 0, last.port}:
                raise EmbeddedBrokerError(
                    f"this broker runs on port {last.port} already (pid {process.pid})",
                    "stop it before giving it another port: gradewatch broker stop",
                )
            _await_answer(home, last.port, lambda: state.is_alive(process))
            address = f"{config.HOST}:{last.port}"
            seconds = time.monotonic() - began
            return Running(address, process.pid, already=True, seconds=seconds), None
        _need_memory(memory_needed)
        if port is None:
            port = last.port if last else ports.DEFAULT_PORT
        port = ports.choose(port)
        controller_port = last.controller_port if last else 0
        if not ports.is_free(controller_port) or controller_port in {0, port}:
            controller_port = ports.choose(0)
        paths = jars.fetch((jar_dir or jars.jar_directory(home.parent)).resolve(), on_progress)
        try:
            for name in ("tmp", "logs"):
                (home / name).mkdir(exist_ok=True)
            config.write_properties(home, port, controller_port)
            if config.cluster_id(home) is None:
                on_progress("formatting the storage, once", 0, 0)
                config.format_storage(paths, home)
            clean = settle.ended_cleanly(home / "data")
            on_progress(f"starting Apache Kafka {jars.VERSION}", 0, 0)
            owned = _guarded(config.kafka_command(paths, home), home)
        except OSError as error:
            raise unwritable(home, error) from error
        try:
            assert owned.stdout is not None  # noqa: S101 - it was asked for
            with owned.stdout as said:
                pid = int(said.readline() or 0)  # nothing: Java did not start; jvm.log says why
            with contextlib.suppress(psutil.NoSuchProcess):  # it died at once: the log says why
                created = psutil.Process(pid).create_time() if pid else 0.0
                state.remember(home, state.LastStart(pid, created, port, controller_port))
            _await_answer(home, port, lambda: owned.poll() is None)
            if not clean:
                on_progress("ending the transactions that it was killed in", 0, 0)
                with contextlib.suppress(KafkaError):  # as good as without
                    settle.settle(f"{config.HOST}:{port}")
        except BaseException:
            owned.terminate()
            owned.wait()
            raise
    seconds = time.monotonic() - began
    return Running(f"{config.HOST}:{port}", pid, already=False, seconds=seconds), owned


def _guarded(command: list[str], home: Path) -> subprocess.Popen[bytes]:
    """Start a command under `guard`, in a session of its own: Ctrl-C is ours alone."""
    with (home / "logs" / "jvm.log").open("wb") as output:
        return subprocess.Popen(
            # -I -S: nothing of the environment and no packages, up in 20 ms
            [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), *command],
            cwd=home,
            umask=0o077,  # records hold grades: nobody else on this machine reads them
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )


def _need_memory(needed: int) -> None:
    available = psutil.virtual_memory().available
    if available < needed:
        raise EmbeddedBrokerError(
            f"memory is short: Kafka needs {needed >> 20} MiB, {available >> 20} MiB are free",
            "end other programs, or use a Kafka elsewhere: KAFKA_BOOTSTRAP_SERVERS",
        )


def _await_answer(home: Path, port: int, is_alive: Callable[[], bool]) -> None:
    """Return when the broker answers.

    Raises:
        EmbeddedBrokerError: Its process ended, or the deadline passed; its last words are shown.
    """
    log = home / "logs" / "server.log"
    before = log.stat().st_size if log.exists() else 0
    deadline = time.monotonic() + START_SECONDS
    while not state.answers(port, config.cluster_id(home)):
        if not is_alive():
            raise EmbeddedBrokerError(
                "Kafka ended while it started" + _last_words(home, before),
                f"the whole log is {log}",
            )
        if time.monotonic() > deadline:
            raise EmbeddedBrokerError(
                f"Kafka does not answer after {START_SECONDS:.0f} s" + _last_words(home, before),
                f"look at {log}; then: gradewatch broker stop, and start",
            )
        time.sleep(state.POLL_SECONDS)


def _last_words(home: Path, before: int) -> str:
    """Return the lines that tell most of what Java and Kafka said since a start."""
    said = (home / "logs" / "jvm.log").read_bytes()
    with contextlib.suppress(FileNotFoundError), (home / "logs" / "server.log").open("rb") as log:
        log.seek(before if before <= log.seek(0, os.SEEK_END) else 0)  # smaller: rolled over
        said += log.read()
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)] or lines
    return ":\n    " + "\n    ".join(telling[-SHOWN_LINES:]) if telling else ", without a word"
