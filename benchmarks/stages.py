"""Where the microseconds of an event go: every step of the core, alone, best of five.

What the steps leave of a worker's time per event is transport: fetch, produce, commit, Faust.

    make bench WHAT=stages
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from timeit import repeat
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.feed import EVERY, ID_KEY, RULES
from streams.core import alerts, at_once, events, flow, life, packed, scores
from streams.core.alerts import Place, Writer
from streams.core.clock import Since
from streams.core.events import student_key
from streams.core.instants import instant
from streams.core.intake import Reader
from streams.core.replay import Replay
from streams.core.rows import Position, decode_row, encode_row
from streams.core.ruleset import RuleSet
from streams.core.transitions import Who
from streams.engine.outputs import Outputs, Produced
from streams.engine.routing import partition_of
from streams.simulator import RawRecord, semester

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.core.at_once import Judgement
    from streams.core.events import GradeEvent, Instant
    from streams.core.rows import Row
    from streams.core.scores import Applied

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
HERE = Position("AAAAAAAAAAAAAAAAAAAAAA", 10**6)


class Case(NamedTuple):
    """One event, and what scoring makes of it."""

    taken: flow.Passed
    event: GradeEvent
    who: Who
    horizon: Instant
    before: Row  # as it is kept
    settled: Row
    applied: Applied
    judged: Judgement
    after: Row  # to be kept


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=100_000, help="of which the last 5,000")
    chosen = arguments.parse_args()
    raws, cases = _cases(chosen.events)
    reader, rules = Reader(), RuleSet(RULES)
    writer = Writer(ID_KEY, Place("grade-events", HERE.topic_id, 0))
    kept = [(encode_row(case.before), case.after) for case in cases]
    steps = [(step, case.who, case.horizon) for case in cases for step in case.judged.steps]

    def write() -> list[object]:
        return [
            (alerts.encode(alert), alerts.headers(alert))
            for step, who, clock in steps
            for _, alert in writer.tell(step, who, rules.hash, clock)
        ]

    def say(what: str, step: Callable[[], object]) -> float:
        spent = min(repeat(step, number=1, repeat=5)) / len(cases) * 1e6
        print(f"{what:58}{spent:6.1f} us")
        return spent

    print(f"{len(cases):,} events, {len(write()):,} alerts of both audiences")
    intake = [
        say("intake: Canvas's JSON read, checked, canonical ids", lambda: [
            reader.read(raw.value, raw.timestamp_ms) for raw in raws]),
        say("intake: canonical JSON", lambda: [events.encode(case.event) for case in cases]),
        say("intake: key, partition, output", lambda: _outputs(cases)),
    ]  # fmt: skip
    scoring = [
        say("scoring: canonical JSON read", lambda: [
            events.decode(case.taken.value) for case in cases]),
        say("scoring: row unpacked", lambda: [packed.unpack(value) for value, _ in kept]),
        say("scoring: row decoded (unpacking included)", lambda: [
            decode_row(value) for value, _ in kept]),
        say("scoring: settled up to the horizon", lambda: [
            _settled(rules, case.before, case.who, case.horizon) for case in cases]),
        say("scoring: event applied", lambda: [
            scores.apply(case.settled, case.event, HERE) for case in cases]),
        say("scoring: judged", lambda: [
            at_once.judge(rules, case.settled, case.event, case.applied, case.who, offset=0)
            for case in cases]),
        say("scoring: alerts written", write),
        say("scoring: row encoded and packed", lambda: [encode_row(row) for _, row in kept]),
    ]  # fmt: skip
    total = sum(intake) + sum(scoring) - scoring[1]
    print(f"{'the core of both hops, every row on its own':58}{total:6.1f} us")


def _cases(count: int) -> tuple[list[RawRecord], list[Case]]:
    """Return the last 5,000 raw records that change a row known before, and their events."""
    reader, rules = Reader(), RuleSet(RULES)
    replay = Replay(RULES, ID_KEY, Place("grade-events", HERE.topic_id, 0))
    raws, cases = list[RawRecord](), list[Case]()
    for number, raw in enumerate(semester(1, count, END)):
        if number % EVERY == 0:
            replay.clock(instant(raw.timestamp_ms))
        taken = flow.take_in(reader, raw.value, raw.timestamp_ms)
        if not isinstance(taken, flow.Passed):
            continue
        event = events.decode(taken.value)
        assert not isinstance(event, events.Control)  # noqa: S101 - intake writes none
        at = student_key(event.tenant, event.student_id), event.course_id.encode()
        before, horizon = replay.rows.get(at), replay.partition.state.horizon
        replay.step(taken.value, number)
        if number <= count - 5_000 or before is None:
            continue
        who = Who(event.tenant, event.student_id, event.course_id)
        settled = _settled(rules, before, who, horizon)
        applied = scores.apply(settled, event, Position(HERE.topic_id, number))
        if applied.row is not None and applied.row is not settled:
            judged = at_once.judge(rules, settled, event, applied, who, offset=number)
            raws.append(raw)
            cases.append(
                Case(taken, event, who, horizon, before, settled, applied, judged, replay.rows[at])
            )
    return raws, cases


def _settled(rules: RuleSet, row: Row, who: Who, horizon: Instant) -> Row:
    settled = None if row.wake else life.settle_quietly(row, horizon)
    return settled or life.settle(rules, row, who, horizon, Since())[0]


def _outputs(cases: list[Case]) -> Outputs:
    outputs = Outputs()
    for case in cases:
        key = student_key(case.event.tenant, case.event.student_id)
        place = partition_of(key, 4)
        outputs.add("grade-events", place, Produced(key, case.taken.value, 0, []))
    return outputs


if __name__ == "__main__":
    main()
