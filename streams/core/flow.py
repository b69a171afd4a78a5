"""One record's journey: raw bytes → event → row → alerts. Each stage gives a record one Fate."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from streams.core import ahead, at_once, events, feeds, life, scores, waking
from streams.core.canvas import Refusal
from streams.core.clock import Since, State, set_back, with_watermark
from streams.core.cooldowns import without_late_cooldowns
from streams.core.erasure import Erasure, covers, mark
from streams.core.events import Control, Instant, Reason, student_key
from streams.core.fates import Fate
from streams.core.fingerprints import possible
from streams.core.instants import checked, instant, milliseconds
from streams.core.outcome import Outcome, fate_of, refused_as_future
from streams.core.packed import NO_TIMER
from streams.core.rows import Position
from streams.core.ruleset import RuleSet, rule_set
from streams.core.transitions import Who

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.alerts import Place, Told, Writer
    from streams.core.events import GradeEvent
    from streams.core.feeds import FeedStep
    from streams.core.intake import Reader
    from streams.core.keeping import Rows
    from streams.core.rows import Row
    from streams.core.tracks import Cause
    from streams.core.transitions import Transition


class Passed(Struct, frozen=True, gc=False):
    """A record for ``grade-events``: the student's key, and the canonical event's bytes."""

    key: bytes
    value: bytes
    event_time: Instant = ""
    tenant: str = ""


def take_in(reader: Reader, value: bytes | None, timestamp: int | None) -> Passed | Refusal | None:
    """Return what intake writes for one raw record. Never raises for a bad record.

    Args:
        reader: Knows the tenants.
        value: The raw record's value.
        timestamp: Its Kafka timestamp, milliseconds since 1970. For a record that has none: the
            latest time at which Kafka can have received the record. None: the record does not come
            from Kafka.

    Returns:
        The canonical record (``Fate.PASSED``), a refusal (``REFUSED``), or None (``IGNORED``).

    Example:
        >>> from streams.core.intake import Reader
        >>> take_in(Reader(), None, 0).reason.value
        'empty'
    """
    event = reader.read(value, timestamp)
    if event is None or isinstance(event, Refusal):
        return event
    key = student_key(event.tenant, event.student_id)
    return Passed(key, events.encode(event), event.event_time, event.tenant)


class Partition:
    """A partition of ``grade-events`` being scored, record by record.

    Attributes:
        state: Its clock and its rules, as of the last record.
        rules: Those rules, ready to judge by.
    """

    def __init__(self, writer: Writer, place: Place, state: State, rows: Rows) -> None:
        """Take a partition up.

        Args:
            writer: Makes alerts.
            place: Which partition it is.
            state: As of the record before.
            rows: As of the record before.
        """
        self._writer, self._place, self._rows = writer, place, rows
        self._watches = place.partition == feeds.WATCHING
        self.state = state
        self.rules = rule_set(state.rules)
        self._told: list[Told] = []

    def step(self, value: bytes | None, offset: int, timestamp: int | None) -> Outcome:
        """Return what one record comes to; rows and state are kept as they are after it.

        Args:
            value: The record's value.
            offset: Where it stands.
            timestamp: Kafka's time of the record, milliseconds since 1970. None: the log does not
                come from Kafka, and its own times hold.

        Returns:
            Fate and alerts. A record that is not ours is refused, never raised.

        Raises:
            UnreadableError: Of a row that another version wrote.
        """
        if not value:
            return Outcome(Fate.REFUSED, refusal=Refusal(Reason.EMPTY, "no value"))
        try:
            event = events.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refusal = Refusal(Reason.INTERNAL, "not a record that intake writes")
            return Outcome(Fate.REFUSED, refusal=refusal)
        self._told = []
        if isinstance(event, Control):
            return self._control(event, value, offset, timestamp)
        if timestamp is not None and ahead.is_future_event(event.event_time, timestamp):
            return refused_as_future("event_time: over 24 h after the record")
        return self._score(event, Position(self._place.topic_id, offset))

    def _score(self, event: GradeEvent, at: Position) -> Outcome:
        owner, item = student_key(event.tenant, event.student_id), event.course_id.encode()
        if self.state.erased and covers(
            self.state.erased, mark(self._writer.id_key, owner), at.offset, event.event_time
        ):
            return Outcome(Fate.ERASED)
        who = Who(event.tenant, event.student_id, event.course_id)
        rules, held = self.rules, self._rows.of(owner, item)
        before = held
        steps: list[Transition] = []
        if held is not None:
            before = None if held.wake else life.settle_quietly(held, self.state.horizon)
            if before is None:
                before, steps = self._settle(held, who)
        self._tell(steps, who)
        applied = scores.apply(before, event, at, keep_changes=rules.keep_changes)
        row, no_baseline, alerted = applied.row, False, False
        if row is not None and row is not before:
            judged = at_once.judge(rules, before, event, applied, who, offset=at.offset)
            row, no_baseline, alerted = judged.row, judged.no_baseline, bool(judged.steps)
            self._tell(judged.steps, who)
            if event.event_time <= self.state.horizon:  # late: it is settled as it comes
                row, more = self._settle(row, who)
                self._tell(more, who)
        elif not steps:  # nothing is new: what was settled is settled again next time
            return Outcome(fate_of(applied.standing, alerted=False))
        assert row is not None  # noqa: S101 - it is `before` at least, which had steps
        self._keep(owner, item, row)
        gaps = row.posted.gaps - (0 if held is None else held.posted.gaps)
        fate = fate_of(applied.standing, alerted=alerted)
        return Outcome(fate, tuple(self._told), no_baseline=no_baseline, gaps=gaps)

    def _control(self, told: Control, value: bytes, offset: int, timestamp: int | None) -> Outcome:
        cause = feeds.cause_of(told, value, offset) if self._watches else None
        outcome = Outcome(Fate.CONTROL)
        try:
            if timestamp is not None:
                told = ahead.bounded(told, timestamp)
            match told.kind:
                case "watermark":
                    outcome = self._watermark(told, cause)
                case "rules":
                    outcome = self._switch(told, offset, cause)
                case "erase":
                    outcome = self._erase(told, offset)
                case "clock":
                    self._set_back(told)
        except ahead.AheadError:
            return refused_as_future("a watermark over 1 h ahead of Kafka's time")
        except ValueError:
            refusal = Refusal(Reason.INTERNAL, f"a control record of kind {told.kind} that is none")
            return Outcome(Fate.REFUSED, refusal=refusal)
        return outcome

    def _watermark(self, told: Control, cause: Cause | None) -> Outcome:
        """Move the clock; whatever is due comes before the next record, in order of time."""
        was = self.state.horizon
        heard = feeds.hear(self.state, told) if cause is not None else self.state
        self.state = with_watermark(heard, told, self.rules.rules.grace)
        gaps, failures = (0, []) if self.state.horizon == was else self._wake()
        if cause is not None:
            self._tell_feeds(*feeds.judge(self.rules, self.state, cause))
        return Outcome(Fate.CONTROL, tuple(self._told), gaps=gaps, failures=tuple(failures))

    def _wake(self) -> tuple[int, list[Exception]]:
        """Settle the rows that are due; return how many gaps there were, and bugs of ours."""
        limit = milliseconds(self.state.horizon) + 1
        gaps, failures = 0, list[Exception]()
        due = [*self._rows.waking(limit)]  # sorted, so a heap
        while due:
            wake, owner, item = heappop(due)
            row = self._rows.of(owner, item)
            if row is None or row.wake != wake:
                continue
            who = _who(owner, item)
            try:
                after, steps = self._settle(row, who, instant(wake))
                self._tell(steps, who)
                again = self._keep(owner, item, after)
            except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the clock
                failures.append(error)
                self._rows.keep(owner, item, msgspec.structs.replace(row, wake=0))
                continue
            gaps += after.posted.gaps - row.posted.gaps
            if wake < again < limit:
                heappush(due, (again, owner, item))
        return gaps, failures

    def _switch(self, told: Control, offset: int, cause: Cause | None) -> Outcome:
        """Judge by other rules from here on; alerts of those that are gone are resolved."""
        canonical = bytes(told.rules).decode()
        if canonical == self.state.rules:
            return Outcome(Fate.CONTROL)
        new = rule_set(canonical)
        if new.hash != told.rules_hash:
            raise ValueError("rules that are not what their hash says")
        checked(told.at)
        horizon = self.state.horizon
        rows = {(owner, item) for _, owner, item in self._rows.waking(NO_TIMER + 1)}
        rows.update(self._rows.recent(milliseconds(horizon) if horizon else 0))
        for owner, item in sorted(rows):
            row = self._rows.of(owner, item)
            if row is not None:
                who = _who(owner, item)
                row, steps = life.withdraw(self.rules, new, row, who, told.at)
                self._tell(steps, who)
                self._keep(owner, item, row, new)
        if cause is not None:
            self._tell_feeds(*feeds.withdraw(self.rules, new, self.state, told.at, cause))
        self.rules = new
        self.state = msgspec.structs.replace(
            self.state, rules=canonical, since=Since(offset, horizon)
        )
        return Outcome(Fate.CONTROL, tuple(self._told))

    def _erase(self, told: Control, offset: int) -> Outcome:
        """Forget a student: rows, what is known of alerts, and events to come of before."""
        if not (told.tenant and told.student_id):
            raise ValueError("an erasure of nobody")
        owner, rules = student_key(told.tenant, told.student_id), self.rules.rules.students
        ids, gone = [rule.id for rule in rules], set(told.fingerprints)
        for item, row in self._rows.drop(owner):
            gone |= possible(self._writer.key, ids, _who(owner, item), row)
        erasure = Erasure(offset, checked(told.at))
        erased = {**self.state.erased, mark(self._writer.id_key, owner): erasure}
        self.state = msgspec.structs.replace(self.state, erased=dict(sorted(erased.items())))
        return Outcome(Fate.CONTROL, erased=tuple(sorted(gone)))

    def _set_back(self, told: Control) -> None:
        """Take back a clock that was ahead, and what rows still wait for because of it."""
        was = self.state
        self.state = set_back(was, checked(told.at))
        if was.clock > told.at:
            for owner, item in sorted(self._rows.every()):
                row = self._rows.of(owner, item)
                after = row and without_late_cooldowns(self.rules, row, told.at)
                if after is not None and after is not row:
                    self._keep(owner, item, after)

    def _settle(
        self, row: Row, who: Who, upto: Instant | None = None
    ) -> tuple[Row, list[Transition]]:
        state = self.state
        return life.settle(self.rules, row, who, upto or state.horizon, state.since)

    def _keep(self, owner: bytes, item: bytes, row: Row, rules: RuleSet | None = None) -> int:
        """Keep a row, and return when it is to be looked at."""
        wake = waking.wake(rules or self.rules, row)
        kept = row if wake == row.wake else msgspec.structs.replace(row, wake=wake)
        self._rows.keep(owner, item, kept)
        return wake

    def _tell(self, steps: Iterable[Transition], who: Who) -> None:
        for step in steps:
            self._told += self._writer.tell(step, who, self.rules.hash, self.state.clock)

    def _tell_feeds(self, state: State, steps: Iterable[FeedStep]) -> None:
        self.state = state
        for step in steps:
            self._told.append(self._writer.tell_feed(step, self.rules.hash, state.clock))


def _who(owner: bytes, item: bytes) -> Who:
    tenant, _, student = owner.decode().rpartition(":")
    return Who(tenant, student, item.decode())
