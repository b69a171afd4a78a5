"""Rules played over a log: what they would have told, and what others would have told instead.

Only rows and counts are held in memory. Students share nothing but the clock, so that they are
divided among processes; one process reads, and says how late it is.
"""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct, field

from streams.core import events
from streams.core.events import Control
from streams.core.instants import instant, milliseconds
from streams.core.replay import Replay
from streams.trust.silences import Silences
from streams.trust.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from streams.core.events import Instant
    from streams.core.flow import Passed
    from streams.core.rules import Rules

_KEY: Final = b"backtests keep no alert ids"
_BATCH: Final = 2000
_MINUTE: Final = len("2026-02-03T10:15")


class Plan(NamedTuple):
    """What is played.

    Attributes:
        rules: The rules.
        against: Other rules to compare with; None: none.
        audience: Whose alerts are counted, ``staff`` or ``posted``.
    """

    rules: Rules
    against: Rules | None = None
    audience: str = "staff"

    @property
    def sets(self) -> list[Rules]:
        """The rules, and those they are compared with."""
        return [rules for rules in (self.rules, self.against) if rules is not None]


class Result(Struct):
    """What came of it."""

    tally: Tally = field(default_factory=Tally)
    other: Tally = field(default_factory=Tally)
    students: int = 0
    failures: int = 0  # bugs of ours

    def merge(self, result: Result) -> None:
        """Add what came of other students."""
        self.tally.merge(result.tally)
        self.other.merge(result.other)
        self.students += result.students
        self.failures += result.failures


class Player:
    """Plays the logs of some partitions, or of some students of one, and counts."""

    def __init__(self, plan: Plan) -> None:
        """Begin with no row."""
        self._plan = plan
        self._sets = plan.sets
        self._replays: dict[int, list[Replay]] = {}
        self._result = Result()

    def play(self, log: int, value: bytes) -> None:
        """Play one record of a log."""
        replays = self._replays.get(log)
        if replays is None:
            replays = self._replays[log] = [Replay(rules, _KEY) for rules in self._sets]
        tallies = (self._result.tally, self._result.other)
        for replay, tally in zip(replays, tallies, strict=False):
            outcome = replay.step(value)
            self._result.failures += len(outcome.failures)
            if outcome.told:
                tally.count(outcome.told, self._plan.audience, keep=len(self._sets) > 1)

    def result(self) -> Result:
        """Return what was counted."""
        replays = [some[0] for some in self._replays.values()]
        self._result.students = len({owner for one in replays for owner, _ in one.rows})
        return self._result


class Backtest:
    """Shares records among processes, and moves the clocks.

    The clock of a log is the latest event time so far, to the minute: what comes more than
    ``grace`` behind it is late, as it would have been.

    Attributes:
        events: How many were played.
        first: The earliest event time.
        last: The latest.
    """

    def __init__(self, plan: Plan, processes: int) -> None:
        """Start the processes; one is this one.

        Args:
            plan: What is played.
            processes: How many.
        """
        self._plan = plan
        self._clocks: dict[int, str] = {}
        self._silences = Silences(plan.sets)
        self._shards: list[_Shard] = (
            [_Here(plan)] if processes == 1 else [_There(plan) for _ in range(processes)]
        )
        self.events = 0
        self.first: Instant = ""
        self.last: Instant = ""

    def record(self, passed: Passed, log: int | None = None) -> None:
        """Play an event.

        Args:
            passed: The event.
            log: The partition it stands on, each a clock of its own; None: all stand on one.
        """
        at, shards = passed.event_time, self._shards
        clocks, name = self._clocks, log or 0
        shard = shards[(crc32(passed.key) if log is None else log) % len(shards)]
        clock = clocks.get(name, "")
        if at[:_MINUTE] > clock:
            clock = clocks[name] = at[:_MINUTE]
        # A shard need not know how late it is before something comes.
        if shard.clocks.get(name) != clock:
            shard.clocks[name] = clock
            shard.put(name, _watermark(f"{clock}:00.000Z"))
        shard.put(name, passed.value)
        if self._silences.wanted:
            self._silences.note(passed.tenant, at)
        self.events += 1
        self.first = min(self.first or at, at)
        self.last = max(self.last, at)

    def finish(self, upto: Instant = "") -> Result:
        """Judge all that is due by an instant, by default the last event, and return the result.

        Raises:
            RuntimeError: A process ended early; it has said why.
        """
        upto = max(upto, self.last)
        if upto:
            longest = max(rules.grace for rules in self._plan.sets)
            told = _watermark(instant(milliseconds(upto) + 1000 * longest + 1))
            for shard in self._shards:
                for log in shard.clocks:
                    shard.put(log, told)
        result = Result()
        for shard in self._shards:
            shard.close()
        for shard in self._shards:
            result.merge(shard.result())
        if self._silences.wanted and upto:
            sets, audience = self._plan.sets, self._plan.audience
            tallies = (result.tally, result.other)[: len(sets)]
            self._silences.count(tallies, upto, audience, keep=len(sets) > 1)
        return result

    def stop(self) -> None:
        """End the processes, whatever they are at."""
        for shard in self._shards:
            shard.stop()


class _Shard:
    """Where records are played.

    Attributes:
        clocks: How late each log is, as far as it was told.
    """

    def __init__(self) -> None:
        self.clocks: dict[int, str] = {}

    def put(self, log: int, value: bytes) -> None:
        """Play one."""
        raise NotImplementedError

    def close(self) -> None:
        """Say that no more come."""

    def result(self) -> Result:
        """Return what was counted."""
        raise NotImplementedError

    def stop(self) -> None:
        """End at once."""


class _Here(_Shard):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._player = Player(plan)
        self.put = self._player.play  # type: ignore[method-assign] # no detour for each record
        self.result = self._player.result  # type: ignore[method-assign]


class _There(_Shard):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, plan), daemon=True)
        self._process.start()
        theirs.close()
        self._waiting: list[tuple[int, bytes]] = []
        self._encode = msgspec.msgpack.Encoder().encode

    def put(self, log: int, value: bytes) -> None:
        self._waiting.append((log, value))
        if len(self._waiting) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        try:
            self._connection.send_bytes(self._encode(self._waiting))
        except OSError as error:
            raise RuntimeError("a process of the backtest has ended") from error
        self._waiting.clear()

    def close(self) -> None:
        if self._waiting:
            self._flush()
        self._connection.send_bytes(b"")

    def result(self) -> Result:
        try:
            result: Result = self._connection.recv()
        except EOFError as error:
            raise RuntimeError("a process of the backtest has ended") from error
        self._process.join()
        return result

    def stop(self) -> None:
        self._process.terminate()


def _work(connection: Connection, plan: Plan) -> None:
    player = Player(plan)
    for log, value in _records(connection):
        player.play(log, value)
    connection.send(player.result())


def _records(connection: Connection) -> Iterator[tuple[int, bytes]]:
    decoder = msgspec.msgpack.Decoder(list[tuple[int, bytes]])
    while batch := connection.recv_bytes():
        yield from decoder.decode(batch)


def _watermark(at: Instant) -> bytes:
    return events.encode(Control(kind="watermark", topic="backtest", partitions=1, at=at))
