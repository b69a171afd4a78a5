"""A partition's own state: its clock, and the rules in force. Both come from the log alone.

The clock is the least of the watermarks of all partitions of the raw topic, so one that lags or is
dead holds it back. Kept as a row of its own on the changelog.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from streams.core.erasure import Erasure
from streams.core.events import Control, Instant
from streams.core.instants import checked, instant, milliseconds
from streams.core.packed import pack, unpack
from streams.core.rows import UnreadableError
from streams.core.tracks import Cause

OWNER: Final = b"~partition"
"""Under which the state is kept among the rows. No student's key is like it: those have a colon."""

ITEM: Final = b"state"


class Since(Struct, frozen=True, array_like=True, gc=False):
    """When rules came into force: what had come, and was settled, was judged by those before.

    Rows are settled when they are next looked at, which may be later.

    Attributes:
        offset: Of the record that put them in force.
        horizon: As it was then.
    """

    offset: int = 0
    horizon: Instant = ""


class Silent(Struct, frozen=True, array_like=True, gc=False):
    """An alert about a feed that is open.

    Attributes:
        rule: The rule's id.
        tenant: Whose feed.
        heard: When its last event was.
        opened_at: When it had been silent for too long.
        severity: As it was told.
        began: The control record that brought it.
    """

    rule: str
    tenant: str
    heard: Instant
    opened_at: Instant
    severity: str
    began: Cause


class State(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a partition knows besides its rows.

    Attributes:
        topic: The raw topic that the watermarks are of.
        partitions: How many it has.
        watermarks: The latest of each of its partitions.
        clock: The least of them; empty while one is missing.
        horizon: The last instant that is settled; empty while there is no clock.
        rules: In force, as `Rules.canonical`; empty: none.
        since: From where on they judge.
        heard: When the latest event of each tenant was; of the first partition only.
        silent: The alerts about feeds that are open, by rule and tenant; likewise.
        erased: Who was erased, by `erasure.mark`.
    """

    topic: str = ""
    partitions: int = 0
    watermarks: dict[int, Instant] = {}
    clock: Instant = ""
    horizon: Instant = ""
    rules: str = ""
    since: Since = Since()
    heard: dict[str, Instant] = {}
    silent: tuple[Silent, ...] = ()
    erased: dict[str, Erasure] = {}


def with_watermark(state: State, told: Control, grace: int) -> State:
    """Return the state after a watermark; the very object where nothing changed.

    Args:
        state: Before.
        told: The watermark.
        grace: Seconds that an event may come late and still be judged in its place.

    Raises:
        ValueError: Its time is none that intake writes.

    Example:
        >>> noon = "2026-02-03T12:00:00.000Z"
        >>> told = Control(kind="watermark", topic="raw", partition=0, partitions=2, at=noon)
        >>> one = with_watermark(State(), told, 600)
        >>> one.clock
        ''
        >>> with_watermark(one, msgspec.structs.replace(told, partition=1), 600).clock
        '2026-02-03T12:00:00.000Z'
    """
    if not told.at:  # it only says who was heard of
        return state
    checked(told.at)
    same = state.topic == told.topic
    known = state.watermarks if same else {}
    moved = known | {told.partition: max(told.at, known.get(told.partition, ""))}
    watermarks = dict(sorted(moved.items()))  # in one order, so that equal states are equal bytes
    clock = state.clock
    if all(number in watermarks for number in range(told.partitions)):
        clock = max(clock, min(watermarks[number] for number in range(told.partitions)))
    # Rules with a longer grace do not take back what was settled.
    settled = instant(milliseconds(clock) - 1000 * grace - 1) if clock else ""
    return msgspec.structs.replace(
        state, topic=told.topic, partitions=told.partitions, watermarks=watermarks, clock=clock,
        horizon=max(state.horizon, settled) if clock else "",
    )  # fmt: skip


def set_back(state: State, at: Instant) -> State:
    """Return the state without any time later than an instant; the very object if it has none.

    A raw partition whose watermark was later has to say anew how far it has come. A clock that was
    later is forgotten: there is none until every raw partition has a watermark again.

    Args:
        state: Before.
        at: The latest time that stays.

    Example:
        >>> wrong = State(partitions=1, watermarks={0: "2099"}, clock="2099", horizon="2098")
        >>> set_back(wrong, "2026") == State(partitions=1)
        True
    """
    if max([state.clock, *state.watermarks.values(), *state.heard.values()], default="") <= at:
        return state
    is_ahead = state.clock > at
    return msgspec.structs.replace(
        state,
        watermarks={number: one for number, one in state.watermarks.items() if one <= at},
        clock="" if is_ahead else state.clock,
        horizon="" if is_ahead else state.horizon,
        # When the last honest event was is not known: silence counts from here.
        heard={tenant: min(one, at) for tenant, one in state.heard.items()},
    )


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(State)


def encode_state(state: State) -> bytes:
    """Return the state's value on the changelog; equal states give equal bytes."""
    return pack(_encoder.encode(state))


def decode_state(value: bytes) -> State:
    """Return the state that ``encode_state`` wrote.

    Raises:
        UnreadableError: Another version of gradewatch wrote it, or another producer.
    """
    try:
        return _decoder.decode(unpack(value))
    except (ValueError, msgspec.MsgspecError) as error:
        raise UnreadableError from error
