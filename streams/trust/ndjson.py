"""Events from files: a line is what Canvas sends, or a record as ``grade-events`` holds it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from streams.core import events
from streams.core.canvas import Refusal
from streams.core.events import Control
from streams.core.flow import Passed, take_in
from streams.core.identity import identified
from streams.core.instants import DAY_SECONDS, plus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.events import Instant
    from streams.core.intake import Reader

_CANONICAL: Final = b'{"type":"'
_HOUR: Final = len("2026-02-03T10")


class Lines:
    """Reads lines, which stand in the order of time.

    They have no Kafka timestamps that an event could be too far ahead of. An event that leaps more
    than a day ahead of all before it, and that the next one does not follow, is refused instead:
    it would move the clock to where everything is late.

    Attributes:
        passed_over: How many lines brought no event, by the reason: ``ignored`` (another live
            event, or a control record), or why intake refuses it.
    """

    def __init__(self, reader: Reader) -> None:
        """Remember how tenants are named."""
        self._reader = reader
        self._leap: Passed | None = None
        self._latest = self._limit = ""
        self.passed_over: Counter[str] = Counter()

    def read(self, line: bytes) -> Sequence[Passed]:
        """Return the events that are known to count once this line is.

        Args:
            line: With or without its end.
        """
        passed = self._canonical(line) if line.startswith(_CANONICAL) else self._raw(line)
        if passed is None:
            return ()
        at, leap = passed.event_time, self._leap
        settled: tuple[Passed, ...] = ()
        if leap is not None:
            self._leap = None
            if plus(at, DAY_SECONDS) < leap.event_time:
                self.passed_over["future_event"] += 1
            else:
                self._move(leap.event_time)
                settled = (leap,)
        if at > self._limit:
            self._leap = passed
            return settled
        if at > self._latest:
            self._move(at)
        return (*settled, passed)

    def rest(self) -> Sequence[Passed]:
        """Return what no further line can refute."""
        leap, self._leap = self._leap, None
        return () if leap is None else (leap,)

    def _move(self, at: Instant) -> None:
        if at[:_HOUR] != self._latest[:_HOUR]:
            self._limit = plus(at, DAY_SECONDS)
        self._latest = at

    def _raw(self, line: bytes) -> Passed | None:
        taken = take_in(self._reader, line.rstrip(b"\r\n"), None)
        if isinstance(taken, Passed):
            return taken
        self.passed_over[taken.reason.value if isinstance(taken, Refusal) else "ignored"] += 1
        return None

    def _canonical(self, line: bytes) -> Passed | None:
        try:
            event = events.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.passed_over["not a record of grade-events"] += 1
            return None
        if isinstance(event, Control):  # the clock is made anew, and the rules are others
            self.passed_over["ignored"] += 1
            return None
        key = events.student_key(event.tenant, event.student_id)
        return Passed(key, events.encode(identified(event)), event.event_time, event.tenant)
