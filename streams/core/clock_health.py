"""Whether a partition's clock is ahead of the time of day, and which raw partition holds it.

Pure: the caller says what time it is. Used by workers, the doctor and ``gradewatch clock``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core.ahead import CLOCK_MILLISECONDS
from streams.core.instants import instant, milliseconds

if TYPE_CHECKING:
    from streams.core.clock import State
    from streams.core.events import Instant

RESET: Final = "gradewatch clock reset"


class Holder(NamedTuple):
    """The raw partition with the least watermark.

    Attributes:
        partition: Its number.
        reached: How far it has come; empty: it has no watermark.
    """

    partition: int
    reached: Instant


def holder_of(state: State) -> Holder | None:
    """Return the raw partition that holds a clock; None before the first watermark of all.

    Example:
        >>> from streams.core.clock import State
        >>> holder_of(State(partitions=3, watermarks={0: "2026-02-03", 1: "2026-02-01"}))
        Holder(partition=2, reached='')
        >>> holder_of(State(partitions=2, watermarks={0: "2026-02-03", 1: "2026-02-01"}))
        Holder(partition=1, reached='2026-02-01')
    """
    known = state.watermarks
    return min(
        (Holder(number, known.get(number, "")) for number in range(state.partitions)),
        key=lambda one: (one.reached, one.partition),
        default=None,
    )


def ahead(state: State, now: int) -> Instant:
    """Return the latest time in a state that cannot be right; empty where all can be.

    Args:
        state: Of a partition.
        now: The time of day, milliseconds since 1970.

    Example:
        >>> from streams.core.clock import State
        >>> ahead(State(clock="1970-01-01T01:00:00.000Z"), 0)
        ''
        >>> ahead(State(heard={"t": "1970-01-01T01:00:00.001Z"}), 0)
        '1970-01-01T01:00:00.001Z'
    """
    latest = max([state.clock, *state.watermarks.values(), *state.heard.values()])
    return latest if latest > instant(now + CLOCK_MILLISECONDS) else ""


def ahead_words(partition: int, latest: Instant, now: int) -> str:
    """Return what is wrong with a clock that is ahead, in one clause.

    Args:
        partition: Of ``grade-events``.
        latest: As `ahead` returned it.
        now: The time of day, milliseconds since 1970.

    Example:
        >>> ahead_words(2, "1970-01-03T00:00:00.000Z", 0)
        "the clock of partition 2 is ahead of Kafka's time by 48 h (1970-01-03T00:00:00.000Z)"
    """
    hours = (milliseconds(latest) - now) // 3_600_000
    return f"the clock of partition {partition} is ahead of Kafka's time by {hours} h ({latest})"


def held_words(topic: str, holder: Holder, seconds: float) -> str:
    """Return which raw partition holds the clock, in one clause.

    Args:
        topic: The raw topic's name.
        holder: The partition.
        seconds: For how long it has not moved.

    Example:
        >>> held_words("raw", Holder(3, ""), 720)
        'raw[3] has not said for 12 min how far it has come, and holds every clock'
    """
    where, minutes = f"{topic}[{holder.partition}]", f"{seconds / 60:.0f} min"
    if not holder.reached:
        return f"{where} has not said for {minutes} how far it has come, and holds every clock"
    return f"{where} has stood at {holder.reached} for {minutes}, and holds every clock there"
