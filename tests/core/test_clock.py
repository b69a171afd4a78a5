"""A partition's state is written and read whole, the same bytes however its watermarks came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.clock import State, decode_state, encode_state, with_watermark
from streams.core.events import Control
from streams.core.instants import instant


def told(partition: int, at: int) -> Control:
    return Control(kind="watermark", topic="raw", partition=partition, partitions=3, at=instant(at))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10**12)), max_size=9))
def test_a_state_is_written_and_read_whole(marks: list[tuple[int, int]]) -> None:
    state = State(rules='{"rules":[]}')
    for partition, at in marks:
        state = with_watermark(state, told(partition, at), 600)

    assert decode_state(encode_state(state)) == state


@given(st.permutations([(0, 5), (1, 7), (2, 3)]))
def test_equal_states_are_equal_bytes(marks: list[tuple[int, int]]) -> None:
    state, other = State(), State()
    for partition, at in marks:
        state = with_watermark(state, told(partition, at), 0)
    for partition, at in sorted(marks):
        other = with_watermark(other, told(partition, at), 0)

    assert encode_state(state) == encode_state(other)
