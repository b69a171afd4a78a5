"""Bytes of memory per row at the end of a simulated semester, and where they go.

make bench WHAT=memory ARGS="--events 200000"
python -m benchmarks.memory --train     # a new dictionary for streams/core/packed.py
"""

from __future__ import annotations

import argparse
import base64
import gc
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from timeit import repeat
from typing import TYPE_CHECKING

import msgspec
import zstandard

from benchmarks.feed import EVERY, ID_KEY, RULES
from streams.core import flow, rules
from streams.core.alerts import Place
from streams.core.events import Control, decode, student_key
from streams.core.instants import instant
from streams.core.intake import Reader
from streams.core.packed import pack, unpack
from streams.core.replay import Replay
from streams.core.rows import Row, decode_row, encode_row
from streams.engine.table import Rows
from streams.simulator import semester

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.core.rules import Rules

ROOT = Path(__file__).parent.parent
END = datetime(2026, 5, 15, 17, tzinfo=UTC)
DICTIONARY_BYTES = 2048
LIVING = rules.load((ROOT / "rules" / "university.yaml").read_text(), "university.yaml")
Key = tuple[bytes, bytes]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--train", action="store_true")
    arguments.add_argument("--living", action="store_true", help="with the university's rules")
    chosen = arguments.parse_args()
    if chosen.train:
        train()
        return
    rows = end_of(chosen.events, 1, LIVING if chosen.living else RULES)
    plain = [msgspec.msgpack.encode(row) for row in rows.values()]
    names = [(bytes([*owner]), bytes([*item])) for owner, item in rows]  # as they come: copies
    values = list(map(pack, plain))
    held = Rows()
    gc.collect()
    tracemalloc.start()
    held.apply((*name, value) for name, value in zip(names, values, strict=True))
    gc.collect()
    around, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    number = len(rows)
    # The values were there before the measurement; an object's head is 33 bytes.
    packed = sum(map(len, values)) / number + 33
    owners = len({owner for owner, _ in rows})
    print(f"{chosen.events:,} events: {number:,} rows of {owners:,} students")
    print(f"as MessagePack    {sum(map(len, plain)) / number:6.0f} bytes a row")
    print(f"packed            {packed:6.0f}")
    print(f"names, dictionaries, index {around / number:6.0f}")
    print(f"in all            {packed + around / number:6.0f}")
    some, kept, held_rows = plain[:2_000], values[:2_000], list(rows.values())[:2_000]
    for name, call in {
        "pack": lambda: [pack(one) for one in some],
        "unpack": lambda: [unpack(one) for one in kept],
        "decode": lambda: [decode_row(one) for one in kept],
        "encode": lambda: [encode_row(one) for one in held_rows],
    }.items():
        print(f"{name:17} {min(repeat(call, number=1, repeat=5)) / len(some) * 1e6:6.1f} us")


def end_of(events: int, seed: int, in_force: Rules = RULES) -> dict[Key, Row]:
    """Return every row at the end of a semester."""
    return dict(_history(events, seed, in_force))


def _history(events: int, seed: int, in_force: Rules) -> Iterator[tuple[Key, Row]]:
    reader, chance = Reader(), Random(seed)  # noqa: S311 - to be had again
    topic_id = base64.urlsafe_b64encode(chance.randbytes(16)).decode().rstrip("=")
    replay = Replay(in_force, ID_KEY, Place("grade-events", topic_id, 0))
    for number, raw in enumerate(semester(seed, events, END)):
        if number % EVERY == 0:
            replay.clock(instant(raw.timestamp_ms))
        taken = flow.take_in(reader, raw.value, raw.timestamp_ms)
        if isinstance(taken, flow.Passed):
            replay.step(taken.value, number)
            event = decode(taken.value)
            assert not isinstance(event, Control)  # noqa: S101 - intake writes none
            key = student_key(event.tenant, event.student_id), event.course_id.encode()
            row = replay.rows.get(key)
            if row is not None:
                yield key, row


def train() -> None:
    """Print a dictionary made of rows of all ages, under rules of both sorts."""
    chance = Random(7)  # noqa: S311 - to be had again
    rows = [
        row
        for seed in range(6)
        for _, row in _history(16_000, seed, LIVING if seed % 2 else RULES)
        if chance.random() < 0.1
    ]
    samples = [msgspec.msgpack.encode(row) for row in rows]
    made = zstandard.train_dictionary(DICTIONARY_BYTES, samples, dict_id=1)
    text = base64.b85encode(made.as_bytes()).decode()
    for first in range(0, len(text), 88):
        print(f'        "{text[first : first + 88]}"')


if __name__ == "__main__":
    main()
