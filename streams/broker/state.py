"""The broker of a data directory as it is: found again, asked, ended."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import psutil
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.broker import config, jars, ports
from streams.broker.files import exclusive
from streams.errors import EmbeddedBrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STOP_SECONDS = 30.0
"""What a broker may take to end, asked to or killed."""

ANSWER_MS = 5_000
POLL_SECONDS = 0.05
CLOCK_STEP_SECONDS = 5.0
"""How far a process's start time may seem to move when the system's clock is set."""


@dataclass(frozen=True)
class Stopped:
    """A broker was ended.

    Attributes:
        pid: What was its process id.
        killed: It did not end in time by itself; its data is recovered at the next start.
        seconds: What that took.
    """

    pid: int
    killed: bool
    seconds: float


@dataclass(frozen=True)
class Status:
    """What is known of the broker of a data directory.

    Attributes:
        state: ``not answering`` while it starts, or when it hangs.
        pid: The JVM's process id while there is one.
        port: TCP port on loopback, of the last start; None before the first.
        bootstrap_servers: ``host:port``, of the last start; None before the first.
        version: Of Apache Kafka.
        cluster_id: Kept from the first start on.
        data_dir: The directory it was asked of.
        data_bytes: What the data takes on the disk, without jars and logs.
    """

    state: Literal["running", "not answering", "stopped"]
    pid: int | None
    port: int | None
    bootstrap_servers: str | None
    version: str
    cluster_id: str | None
    data_dir: Path
    data_bytes: int


@dataclass(frozen=True)
class LastStart:
    """What ``broker.json`` keeps: enough to know the process again, and its ports."""

    pid: int
    created: float
    port: int
    controller_port: int


def home_of(data_dir: Path) -> Path:
    """Return the broker's own directory under a data directory."""
    return data_dir.expanduser().resolve() / "broker"


@contextlib.contextmanager
def held(home: Path, on_progress: jars.Progress) -> Iterator[None]:
    """Hold a broker's directory: one command starts or stops it at a time."""
    waiting = "waiting for another command that starts or stops this broker"
    with exclusive(home, lambda: on_progress(waiting, 0, 0)):
        home.chmod(0o700)  # records hold grades; earlier versions left them readable to everybody
        yield


def remember(home: Path, last: LastStart) -> None:
    """The last start can be read back, whole, even if this process is killed meanwhile."""
    part = home / "broker.json.part"
    part.write_text(json.dumps(asdict(last)))
    part.replace(home / "broker.json")


def last_start(home: Path) -> LastStart | None:
    """Return what was remembered; None if nothing was, or it cannot be read."""
    try:
        return LastStart(**json.loads((home / "broker.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def live_process(home: Path) -> psutil.Process | None:
    """Return the broker's process; None if it ended, however, or its pid is another's now.

    Known by pid, start time and the properties file on its command line, so that a process that
    happens to have the pid later is never taken for the broker, nor ended in its place.
    """
    last = last_start(home)
    if last is None or not last.pid:
        return None
    try:
        process = psutil.Process(last.pid)
        same = abs(process.create_time() - last.created) < CLOCK_STEP_SECONDS
        if same and is_alive(process) and str(config.properties_path(home)) in process.cmdline():
            return process
    except psutil.Error:
        pass
    return None


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; one that waits only to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(port: int, cluster_id: str | None) -> bool:
    """Return whether the broker of a cluster answers a request for its metadata on a port."""
    if cluster_id is None or not ports.is_open(port):
        return False
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=f"{config.HOST}:{port}",
            client_id="gradewatch-broker",
            bootstrap_timeout_ms=ANSWER_MS,
            request_timeout_ms=ANSWER_MS,
        )
        try:
            cluster = admin.describe_cluster()
        finally:
            admin.close()
    except KafkaError:
        return False
    return bool(cluster["cluster_id"] == cluster_id and cluster["brokers"])


def status(data_dir: Path) -> Status:
    """Return what is known of the broker of a data directory; starts and changes nothing."""
    home = home_of(data_dir)
    last, process, cluster_id = last_start(home), live_process(home), config.cluster_id(home)
    answering = last is not None and process is not None and answers(last.port, cluster_id)
    return Status(
        state="running" if answering else "not answering" if process else "stopped",
        pid=process.pid if process else None,
        port=last.port if last else None,
        bootstrap_servers=f"{config.HOST}:{last.port}" if last else None,
        version=jars.VERSION,
        cluster_id=cluster_id,
        data_dir=data_dir,
        data_bytes=sum(map(_bytes_on_disk, (home / "data").rglob("*"))),
    )


def stop(
    data_dir: Path, on_progress: jars.Progress = jars.silent, *, deadline: float = STOP_SECONDS
) -> Stopped | None:
    """No broker runs on the data directory.

    Args:
        data_dir: Where its data is kept.
        on_progress: Told what is happening.
        deadline: What a controlled shutdown may take before the process is killed, in seconds.

    Returns:
        How it ended; None if none was running.

    Raises:
        EmbeddedBrokerError: The process does not end even when killed.
    """
    home = home_of(data_dir)
    if not home.exists():
        return None
    with held(home, on_progress):
        process = live_process(home)
        if process is None:
            return None
        on_progress("stopping Apache Kafka", 0, 0)
        began = time.monotonic()
        process.terminate()
        killed = not _until(lambda: not is_alive(process), deadline)
        if killed:
            process.kill()
            if not _until(lambda: not is_alive(process), STOP_SECONDS):
                raise EmbeddedBrokerError(
                    f"process {process.pid} does not end, even when killed",
                    f"it waits for a disk: look at the one that holds {data_dir}",
                )
        return Stopped(process.pid, killed, time.monotonic() - began)


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _bytes_on_disk(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512  # an index is sparse: its length says nothing
    except FileNotFoundError:  # Kafka deletes segments while we look
        return 0
