"""The rules file is looked at while the worker runs; what it says takes effect without a restart.

Only a change of the file announces anything: workers whose files differ for a while, as in a
rollout, do not outshout each other. What is wrong changes nothing, and is said loudly.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from mode import Service

from streams import files
from streams.core.rules import load
from streams.core.yamlfile import MAX_BYTES
from streams.engine.blocking import Hung, beside
from streams.errors import BrokerError, ConfigurationError, GradewatchError
from streams.watched import WatchedFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.announce import Announcer
    from streams.core.rules import Rules
    from streams.metrics import Metrics

log = logging.getLogger("gradewatch.rules")

LOOK_SECONDS: Final = 2.0
"""How often the file is looked at."""

HANG_SECONDS: Final = 60.0
"""How long an announcement may take before it is tried again."""


class Reload(Service):
    """Keeps one worker's rules as its file says.

    Attributes:
        rules: As the file said them when they were read last without a mistake.
        failed: Why the file as it is now is not in force; empty: it is.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], Rules],
        announcer: Announcer,
        metrics: Metrics,
        taken: Callable[[Rules], None],
    ) -> None:
        """Read the file; nothing is announced yet.

        Args:
            path: The rules file.
            read: Reads it.
            announcer: Tells everybody.
            metrics: Where it is counted.
            taken: Told of the rules, and of others whenever they change.

        Raises:
            ConfigurationError: It is wrong or cannot be read.
        """
        super().__init__()
        self._path, self._file = path, WatchedFile(path, read)
        self._announcer, self._metrics, self._taken = announcer, metrics, taken
        self._asked = asyncio.Event()
        self._news = False
        self.failed = ""
        self.rules = read()
        taken(self.rules)

    def begin(self) -> None:
        """The rules are announced, before anything is worked on by them.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
            ConfigurationError: A file that is needed to get in is missing or bad.
        """
        self._say(news=self._announcer.announce(self.rules, _now()))

    def look_now(self) -> None:
        """Look at the file at once, changed or not."""
        log.info("told to look at %s", self._path)
        self._news = True
        self._asked.set()

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_SECONDS)
            self._asked.clear()
            if not self.should_stop:
                await self.look()

    async def look(self) -> None:
        """Announce what the file says, if that has changed, or could not be announced before."""
        try:
            rules = await self._file.changed(always=self._news)
            if rules is None:
                return
            if rules.hash != self.rules.hash:
                self._news = True
            if self._news:
                announce = partial(self._announcer.announce, rules, _now())
                news = await beside(announce, HANG_SECONDS)
                self._news, self.rules = False, rules
                self._taken(rules)
                self._say(news=news)
            else:
                self._well()
        except (BrokerError, Hung) as error:
            self._news = True  # tried again at the next look
            self._fail(error)
        except GradewatchError as error:
            self._news = False  # until the file changes
            self._fail(error)

    def _say(self, *, news: bool) -> None:
        count, digest = len(self.rules.rules), self.rules.hash
        if news:
            log.info("rules %s (%d rules) are announced", digest, count)
        else:
            log.info("rules %s (%d rules) are the ones announced last", digest, count)
        self._well()

    def _well(self) -> None:
        if self.failed:
            log.info("%s is in force again as it is: rules %s", self._path, self.rules.hash)
        self.failed = ""
        self._metrics.reload_failed.set(0)
        self._metrics.reload_success.set(time.time())

    def _fail(self, error: Exception) -> None:
        told = str(error.args[0])
        if told != self.failed:
            kind = "is wrong" if isinstance(error, ConfigurationError) else "is not announced"
            log.error("%s %s, rules %s stay: %s", self._path, kind, self.rules.hash, told)
        self.failed = told
        self._metrics.reload_failed.set(1)


def _now() -> int:
    return int(time.time() * 1000)


def read_rules(path: Path) -> Rules:
    """Return the rules as their file has them now.

    Args:
        path: The file.

    Raises:
        ConfigurationError: The file cannot be read, or is wrong.
    """
    try:
        text = files.read(path, MAX_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"the rules file {path} cannot be read: {error.strerror}",
            "correct GRADEWATCH_RULES, or unset it to use the rules that ship with gradewatch",
        ) from None
    return load(text, str(path))
