"""Who does the same job: ours, Kafka Streams, Quix Streams, a plain Faust app; how each starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import venv
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.feed import RULES_FILE
from streams.broker import ports
from streams.cli.process import WorkerProcess, worker_command
from streams.settings import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.settings import Settings

HERE = Path(__file__).parent
JAVA_APP = HERE / "kafka_streams"
QUIX_APP = HERE / "quix_streams"
UNIVERSITY = HERE.parent / "rules" / "university.yaml"


@dataclass(frozen=True)
class Job:
    """What a peer is to do.

    Attributes:
        settings: Whose Kafka, and which namespace.
        stage: ``whole``: raw topic to alerts; ``keyed``: from ``grade-events`` on.
        scratch: A directory of the run's own.
    """

    settings: Settings
    stage: str
    scratch: Path

    @property
    def source(self) -> str:
        """The topic that the job begins at."""
        name = self.settings.raw_topic if self.stage == "whole" else "grade-events"
        return self.settings.topic(name)


class Running:
    """A peer's process."""

    def __init__(self, pid: int) -> None:
        """Remember it."""
        self.pid = pid

    def kill(self) -> None:
        """It ended as in a crash."""
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """It stands still in whatever it was at."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        os.kill(self.pid, signal.SIGCONT)


@dataclass(frozen=True)
class Peer:
    """Something that does the job.

    Attributes:
        name: What the table calls it.
        between: The topic between its two hops, by job.
        running: Runs it for as long as a block.
        changelog: The topic of its rows, by job.
        missing: Why it cannot run here; empty if it can.
        transactional: Whether its outputs become visible with its offsets.
        rules: The file by which it judges.
    """

    name: str
    between: Callable[[Job], str]
    running: Callable[[Job], AbstractContextManager[Running]]
    changelog: Callable[[Job], str]
    missing: Callable[[], str] = lambda: ""
    transactional: bool = True
    rules: Path = RULES_FILE


@contextmanager
def ours(job: Job) -> Iterator[Running]:
    worker = WorkerProcess(job.settings, job.scratch / "ours.log")
    worker.start()
    try:
        yield Running(worker.pid)
    finally:
        worker.stop()


@contextmanager
def ours_on_all_cores(job: Job) -> Iterator[Running]:
    settings = job.settings.model_copy(update={"web_port": ports.choose(0)})
    command = [*worker_command(), "--processes", str(os.cpu_count())]
    with _process(command, job.scratch / "ours.log", environment(settings)) as running:
        yield running


@contextmanager
def _process(
    command: list[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[Running]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=HERE.parent, env=env)
    try:
        yield Running(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def plain_faust(guarantee: str) -> Callable[[Job], AbstractContextManager[Running]]:
    def running(job: Job) -> AbstractContextManager[Running]:
        where = [str(job.settings.kafka_bootstrap_servers), job.settings.namespace]
        more = [str(job.scratch / "plain"), job.stage, guarantee]
        command = [sys.executable, "-m", "benchmarks.plain_faust", *where, *more]
        return _process(command, job.scratch / "plain.log")

    return running


def kafka_streams(guarantee: str) -> Callable[[Job], AbstractContextManager[Running]]:
    def running(job: Job) -> AbstractContextManager[Running]:
        settings = job.settings
        jars = f"{JAVA_APP}/target/peer-1.jar:{JAVA_APP}/target/dependency/*"
        told = [
            str(settings.kafka_bootstrap_servers), settings.group, job.stage, job.source,
            settings.topic("grade-alerts"), "2", guarantee, str(job.scratch / "java"),
        ]  # fmt: skip
        java = ["java", "-Xmx2g", "-XX:+UseParallelGC", "-cp", jars, "peer.Peer", *told]
        return _process(java, job.scratch / "java.log")

    return running


@contextmanager
def quix(job: Job) -> Iterator[Running]:
    """A process a core: a Quix Streams application has one thread."""
    where = [str(job.settings.kafka_bootstrap_servers), job.settings.namespace]
    python = [str(QUIX_APP / ".venv" / "bin" / "python"), "-m", "benchmarks.quix_streams.app"]
    with ExitStack() as processes:
        for number in range(os.cpu_count() or 1):
            command = [*python, *where, str(job.scratch / f"quix-{number}"), job.stage]
            running = processes.enter_context(_process(command, job.scratch / "quix.log"))
        yield running


def quix_missing() -> str:
    """Make the environment of the Quix Streams app, or return why it cannot be made."""
    lock, made = QUIX_APP / "requirements.lock", QUIX_APP / ".venv" / "requirements.lock"
    if made.exists() and made.read_text() == lock.read_text():
        return ""
    print("installing Quix Streams into an environment of its own ...", file=sys.stderr)
    venv.create(made.parent, clear=True, with_pip=True)
    python = str(made.parent / "bin" / "python")
    told = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run(
        [*told, "--require-hashes", "-r", str(lock)], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        return "its packages were not installed: " + installed.stderr.strip()[-300:]
    made.write_text(lock.read_text())
    return ""


def java_app_missing() -> str:
    """Build the Kafka Streams app, or return why it cannot be built."""
    maven = shutil.which("mvn")
    if not maven or not shutil.which("javac"):
        return "javac and Maven are not here"
    if not (JAVA_APP / "target" / "peer-1.jar").exists():
        print("building the Kafka Streams app with Maven ...", file=sys.stderr)
        built = subprocess.run(
            [maven, "-q", "-B", "package"],
            cwd=JAVA_APP, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if built.returncode:
            return "Maven did not build it: " + built.stdout.strip()[-300:]
    return ""


def canonical(job: Job) -> str:
    return job.settings.topic("grade-events")


def repartition(job: Job) -> str:
    return f"{job.settings.group}-events-repartition"


def our_changelog(job: Job) -> str:
    return job.settings.topic("grade-scores-changelog")


def quix_changelog(job: Job) -> str:
    return f"changelog__{job.settings.group}--{canonical(job)}--default"


def changelog(job: Job) -> str:
    return f"{job.settings.group}-scores-changelog"


OURS = Peer("gradewatch, exactly_once", canonical, ours, our_changelog)
OURS_ON_ALL_CORES = Peer(
    "gradewatch, exactly_once, a process a core", canonical, ours_on_all_cores, our_changelog
)
OURS_LIVING, OURS_LIVING_ON_ALL_CORES = (
    replace(peer, name=f"{peer.name}, rules/university.yaml", rules=UNIVERSITY)
    for peer in (OURS, OURS_ON_ALL_CORES)
)
STREAMS = Peer(
    "Kafka Streams 4.3.1, exactly_once_v2",
    repartition, kafka_streams("exactly_once_v2"), changelog, java_app_missing,
)  # fmt: skip
STREAMS_AT_LEAST_ONCE = Peer(
    "Kafka Streams 4.3.1, at_least_once",
    repartition, kafka_streams("at_least_once"), changelog, java_app_missing, transactional=False,
)  # fmt: skip
QUIX = Peer(
    "Quix Streams 3.28, exactly-once, a process a core", canonical, quix, quix_changelog,
    quix_missing,
)  # fmt: skip
FAUST = Peer(
    "plain Faust app", canonical, plain_faust("at_least_once"), changelog, transactional=False
)
FAUST_EXACTLY_ONCE = Peer(
    "plain Faust app, its exactly_once", canonical, plain_faust("exactly_once"), changelog
)
PEERS = {
    "ours": OURS, "ours-all": OURS_ON_ALL_CORES,
    "living": OURS_LIVING, "living-all": OURS_LIVING_ON_ALL_CORES,
    "streams": STREAMS, "streams-alo": STREAMS_AT_LEAST_ONCE, "quix": QUIX, "faust": FAUST,
}  # fmt: skip
"""Who is timed."""

HEADLINE = {
    "faust": FAUST, "faust-eos": FAUST_EXACTLY_ONCE, "streams": STREAMS, "ours": OURS,
}  # fmt: skip
"""Who is killed."""
