"""Where the microseconds of an event go: every step of the core, alone, best of five.

What the steps leave of a worker's time per event is transport: fetch, produce, commit, Faust.

    make bench WHAT=stages
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from timeit import repeat
from typing import TYPE_CHECKING

from streams.agents import Produced
from streams.core import alerts, events, flow, packed, rules, scores
from streams.core.alerts import Judge
from streams.core.events import GradeEvent, student_key
from streams.core.intake import Reader
from streams.core.rows import Position, Row, Source, decode_row, encode_row
from streams.engine.outputs import Outputs
from streams.engine.routing import partition_of
from streams.settings import shipped
from streams.simulator import semester

if TYPE_CHECKING:
    from collections.abc import Callable

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
HERE, THERE = Position("AAAAAAAAAAAAAAAAAAAAAA", 10**6), Source("canvas-live-events", 0, 0)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=100_000, help="of which the last 5,000")
    chosen = arguments.parse_args()
    text = shipped("rules.yaml").read_text()
    reader, judge = Reader(), Judge(rules.load(text, "rules.yaml"), b"sixteen bytes or more")
    rows: dict[tuple[bytes, str], Row] = {}
    raws, cases = [], []
    for number, raw in enumerate(semester(1, chosen.events, END)):
        taken = flow.take_in(reader, raw.value, raw.timestamp_ms)
        if not isinstance(taken, flow.Passed):
            continue
        event = events.decode(taken.value)
        assert not isinstance(event, events.Control)  # noqa: S101 - intake writes none
        at = student_key(event.tenant, event.student_id), event.course_id
        before = rows.get(at)
        applied = scores.apply(before, event, Position(HERE.topic_id, number), THERE)
        if applied.row is not None:
            rows[at] = applied.row
        if number > chosen.events - 5_000 and before and applied.row:
            raws.append(raw)
            cases.append(
                (event, taken, before, applied, judge.judge(before, event, applied, THERE))
            )
    kept = [(encode_row(before), row.row) for _, _, before, row, _ in cases]
    found = [alert for *_, judged in cases for alert in judged.alerts]

    def say(what: str, step: Callable[[], object]) -> float:
        spent = min(repeat(step, number=1, repeat=5)) / len(cases) * 1e6
        print(f"{what:58}{spent:6.1f} us")
        return spent

    print(f"{len(cases):,} events, {len(found):,} alerts")
    intake = [
        say("intake: Canvas's JSON read, checked, canonical ids", lambda: [
            reader.read(raw.value, raw.timestamp_ms) for raw in raws]),
        say("intake: canonical JSON", lambda: [events.encode(event) for event, *_ in cases]),
        say("intake: key, partition, output", lambda: _outputs(cases)),
    ]  # fmt: skip
    scoring = [
        say("scoring: canonical JSON read", lambda: [events.decode(t.value) for _, t, *_ in cases]),
        say("scoring: row unpacked", lambda: [packed.unpack(value) for value, _ in kept]),
        say("scoring: row decoded (unpacking included)", lambda: [
            decode_row(value) for value, _ in kept]),
        say("scoring: event applied", lambda: [
            scores.apply(before, event, HERE, THERE) for event, _, before, *_ in cases]),
        say("scoring: judged", lambda: [
            judge.judge(before, event, applied, THERE) for event, _, before, applied, _ in cases]),
        say("scoring: alerts written", lambda: [
            (alerts.encode(alert), alerts.headers(alert)) for alert in found]),
        say("scoring: row encoded and packed", lambda: [
            encode_row(row) for _, row in kept if row]),
    ]  # fmt: skip
    total = sum(intake) + sum(scoring) - scoring[1]
    print(f"{'the core of both hops, every row on its own':58}{total:6.1f} us")


def _outputs(cases: list[tuple[GradeEvent, flow.Passed, Row, object, object]]) -> Outputs:
    outputs = Outputs()
    for event, taken, *_ in cases:
        key = student_key(event.tenant, event.student_id)
        place = partition_of(key, 4)
        outputs.add("grade-events", place, Produced(key, taken.value, 0, []))
    return outputs


if __name__ == "__main__":
    main()
