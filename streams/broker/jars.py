"""The jars of Apache Kafka: exactly those of the lock file, on disk and unchanged."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streams.broker.files import exclusive, unwritable
from streams.errors import EmbeddedBrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jgo.maven import MavenContext

VERSION = "4.3.1"
LOCK = Path(__file__).with_name(f"kafka-{VERSION}.sha256")
"""One jar a line: sha256, size in bytes, ``group:artifact:version``, in class path order."""

KAFKA = f"org.apache.kafka:kafka_2.13:{VERSION}"
LOG4J = "org.apache.logging.log4j"
AT_ONCE = 8
TRIES = 3
TIMEOUT_SECONDS = 20

Progress = Callable[[str, int, int], None]
"""Told what is happening, the bytes done and the bytes in all (0, 0 where nothing is counted)."""


def silent(message: str, done: int, total: int) -> None:
    """Report nothing: the `Progress` of a caller who shows none."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock file."""

    sha256: str
    size: int
    coordinate: str

    @property
    def name(self) -> str:
        """The file's name: ``kafka-clients-4.3.1.jar``."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def jar_directory(data_dir: Path) -> Path:
    """Return where the jars lie under a data directory; brokers with other data can share them."""
    return data_dir / f"kafka-{VERSION}"


def locked(lock: Path = LOCK) -> list[Jar]:
    """Return the jars of a lock file, in class path order."""
    lines = (line.split() for line in lock.read_text("utf-8").splitlines())
    return [Jar(sha256, int(size), coordinate) for sha256, size, coordinate in lines]


def fetch(
    directory: Path,
    on_progress: Progress = silent,
    *,
    lock: Path = LOCK,
    repositories: dict[str, str] | None = None,
) -> list[Path]:
    """Every jar of the lock is in the directory and has its checksum.

    All of them are read each time (44 MB: 0.04 s), so a jar that was changed later never runs.
    Those that are missing are downloaded first, several at once, each checked before it gets its
    name: an interrupted download leaves nothing half there, and the next one goes on from it.

    Args:
        directory: Where the jars are, or will be.
        on_progress: Told of downloads only.
        lock: The lock file.
        repositories: Name → URL to download from; None: jgo's own default.

    Returns:
        The jars' paths, in class path order.

    Raises:
        EmbeddedBrokerError: A jar cannot be downloaded, differs from the lock or cannot be written.
    """
    jars = locked(lock)
    if not all((directory / jar.name).exists() for jar in jars):
        with exclusive(
            directory, lambda: on_progress("waiting for another command that downloads Kafka", 0, 0)
        ):
            missing = [jar for jar in jars if not (directory / jar.name).exists()]
            _download(missing, directory, on_progress, repositories)
    for jar in jars:
        _check(directory / jar.name, jar)
    return [directory / jar.name for jar in jars]


def _download(
    jars: list[Jar],
    directory: Path,
    on_progress: Progress,
    repositories: dict[str, str] | None,
) -> None:
    """Bring jars into a directory that this process holds."""
    # A fifth of a command's start, and needed once in the life of a machine.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    total = sum(jar.size for jar in jars)
    message = f"downloading Apache Kafka {VERSION}: {len(jars)} jars, {total / 1e6:.0f} MB, once"
    done = 0
    counting = threading.Lock()
    cancelled = threading.Event()

    @contextmanager
    def count(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        def add(size: int) -> None:
            nonlocal done
            if cancelled.is_set():
                raise InterruptedError
            with counting:
                done += size
                on_progress(message, min(done, total), total)

        yield add

    staging = directory / ".part"
    shutil.rmtree(staging, ignore_errors=True)  # of a download that was killed
    context = MavenContext(
        PythonResolver(progress_callback=count),
        repo_cache=staging,
        remote_repos=repositories,
        timeout=TIMEOUT_SECONDS,
    )
    on_progress(message, 0, total)
    pool = ThreadPoolExecutor(AT_ONCE, "download")
    try:
        for _ in pool.map(lambda jar: _download_one(context, jar, directory), jars):
            pass
    finally:
        cancelled.set()  # Ctrl-C, or a jar failed: the others stop at their next chunk
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(staging, ignore_errors=True)


def _download_one(context: MavenContext, jar: Jar, directory: Path) -> None:
    artifact = context.create_dependency(jar.coordinate).artifact
    for tries_left in reversed(range(TRIES)):
        if half := artifact.cached_path:  # jgo would take a half file for a whole one
            half.unlink(missing_ok=True)
        try:
            path = artifact.resolve()
        except OSError as error:
            if error.errno is not None:  # the disk; errors of the network carry no number
                raise unwritable(directory, error) from error
            if not tries_left:
                raise _refused(jar, type(error).__name__) from error
        except RuntimeError as error:  # jgo: no repository has it
            raise _refused(jar, "no repository offers it") from error
        else:
            _check(path, jar)
            path.replace(directory / jar.name)
            return


def _refused(jar: Jar, why: str) -> EmbeddedBrokerError:
    return EmbeddedBrokerError(
        f"cannot download {jar.name} ({jar.coordinate}): {why}",
        "connect to the network (a proxy: HTTPS_PROXY) and run this again, it goes on from here; "
        "or use a Kafka of yours: KAFKA_BOOTSTRAP_SERVERS",
    )


def _check(path: Path, jar: Jar) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != jar.sha256:
        raise EmbeddedBrokerError(
            f"{jar.name} is not the file that was pinned: sha256 {digest}, expected {jar.sha256}",
            f"it is not used; remove {path.parent} and run this again; if it stays so, "
            "whatever serves your downloads changes them",
        )


def write_lock(scratch: Path, lock: Path = LOCK) -> list[Jar]:
    """The lock file names what Kafka needs at run time today, by Kafka's own description.

    Only for maintainers, when `VERSION` changes. The logging backend is not among Kafka's
    dependencies; it is added at the version of Kafka's log4j, by itself: resolved together with
    Kafka, its list of versions would replace Kafka's own (kafka-clients 3.9 beside a 4.3 broker).

    Args:
        scratch: An empty directory for the downloads.
        lock: The file to write.

    Returns:
        What was written.
    """
    from jgo.maven import MavenContext  # noqa: PLC0415 - as above

    context = MavenContext(repo_cache=scratch)
    inputs, needed = context.resolver.resolve([context.create_dependency(KAFKA)])
    log4j = next(one.version for one in needed if one.artifactId == "log4j-core")
    backend = context.create_dependency(f"{LOG4J}:log4j-slf4j-impl:{log4j}")
    jars = []
    for one in [*inputs, *needed, backend]:
        content = one.artifact.resolve().read_bytes()
        coordinate = f"{one.groupId}:{one.artifactId}:{one.version}"
        jars.append(Jar(hashlib.sha256(content).hexdigest(), len(content), coordinate))
    lines = [f"{jar.sha256} {jar.size:>8} {jar.coordinate}\n" for jar in jars]
    lock.write_text("".join(lines), "utf-8")
    return jars
