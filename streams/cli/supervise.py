"""Several worker processes as one: started, started again when they end, stopped together.

One process works on one core. Each is a worker of its own to Kafka: id ``<worker id>-<number>``,
web views on the base port + number. SIGHUP goes to all of them.
"""

from __future__ import annotations

import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

from streams.cli.process import guarded, worker_command
from streams.errors import ConfigurationError, RecordsDeletedError

if TYPE_CHECKING:
    import subprocess

    from streams.settings import Settings

log = logging.getLogger("gradewatch.worker")

POLL_SECONDS: Final = 0.2
BACKOFF_SECONDS: Final = (1.0, 30.0)
"""First and longest pause before a worker that ended is started again."""

STOP_SECONDS: Final = 15.0
"""How long a worker whose guard was killed may take to stop, before it is killed."""

FINAL: Final = {ConfigurationError.exit_code, RecordsDeletedError.exit_code}
"""Exit codes that another start would not change."""

HEALTHY_SECONDS: Final = 60.0
"""A worker that ran for so long starts again after the first pause."""


class _Child:
    """One worker: running, or to be started at a time."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.worker_id
        self._settings = settings
        self._pause = BACKOFF_SECONDS[0]
        self._since = self._due = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._worker: psutil.Process | None = None
        self._ended = 0.0  # when the guard ended last

    def look(self) -> int | None:
        """Start it if it is due; return the exit code of one that has just ended."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._due and not self._orphan_lives(now):
                self._since = now
                self.process, pid = guarded(worker_command(), self._settings, None)
                with suppress(psutil.NoSuchProcess):
                    self._worker = psutil.Process(pid) if pid else None
            return None
        code = self.process.poll()
        if code is not None:
            self.process = None
            self._ended = now
            if self._worker is not None:
                with suppress(psutil.NoSuchProcess):
                    self._worker.terminate()  # nothing runs, unless the guard alone was killed
            first, longest = BACKOFF_SECONDS
            healthy = now - self._since > HEALTHY_SECONDS
            self._pause = first if healthy else min(2 * self._pause, longest)
            self._due = now + self._pause
            log.error("%s exited with %d; starts again in %.0f s", self.name, code, self._pause)
        return code

    def _orphan_lives(self, now: float) -> bool:
        """Return whether a worker still runs whose guard was killed; kill it after a while.

        It would keep the port, and a place in the group, from the worker that is started next.
        """
        worker = self._worker
        with suppress(psutil.NoSuchProcess):
            if worker is not None and worker.status() != psutil.STATUS_ZOMBIE:
                if now - self._ended > STOP_SECONDS:
                    worker.kill()
                return worker.is_running()
        self._worker = None
        return False

    def reload(self) -> None:
        """Have it look at its rules file, if it runs."""
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """End it; return its exit code, 0 where it does not run."""
        while self.process is None and self._orphan_lives(time.monotonic()):
            time.sleep(POLL_SECONDS)
        if self.process is None:
            return 0
        return self.process.wait()


def supervise(settings: Settings, processes: int) -> int:
    """Run workers until a signal stops them, or one says that another start changes nothing.

    Args:
        settings: Of the first; the others have ids and ports that follow.
        processes: How many.

    Returns:
        The exit code: 0 all stopped, 1 one had to be stopped uncommitted, 65 records are gone,
        78 configuration.

    Raises:
        ConfigurationError: They cannot all have the same URL.
    """
    if settings.canonical_url is not None:
        raise ConfigurationError(
            "GRADEWATCH_CANONICAL_URL is one URL, and every process needs its own",
            "unset it, or run the workers one by one",
        )
    children = [_Child(_numbered(settings, number)) for number in range(processes)]
    told = False

    def tell(*_: object) -> None:
        nonlocal told
        told = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, tell)
    signal.signal(signal.SIGHUP, lambda *_: _reload(children))
    log.info("%d workers, %s to %s", processes, children[0].name, children[-1].name)
    code = None
    while not told and code not in FINAL:
        for child in children:
            code = child.look()
            if code in FINAL:
                break
        time.sleep(POLL_SECONDS)
    for child in children:
        if child.process is not None:
            child.process.terminate()
    codes = [child.stop() for child in children]
    if code in FINAL:
        return int(code or 0)
    return int(any(codes))


def _reload(children: list[_Child]) -> None:
    for child in children:
        child.reload()


def _numbered(settings: Settings, number: int) -> Settings:
    port = settings.web_port + number if settings.web_port else 0
    name = f"{settings.worker_id}-{number}"
    return settings.model_copy(update={"worker_id": name, "web_port": port})
