"""How far ahead of Kafka's time an event or a clock may be.

Kafka's time is the timestamp of the record. On ``grade-events`` the broker sets it
(``message.timestamp.type: LogAppendTime``), so no client can choose it, and a replay sees the same.
Used by intake for raw records, and by scoring for every record of ``grade-events`` (decision 0013).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from streams.core.instants import instant

if TYPE_CHECKING:
    from streams.core.events import Control, Instant

EVENT_MILLISECONDS: Final = 24 * 3_600_000
"""How far ``event_time`` may be ahead of the record's timestamp."""

CLOCK_MILLISECONDS: Final = 3_600_000
"""How far a watermark may be ahead of its record's timestamp: Kafka's own default for
``message.timestamp.after.max.ms``, so no honest raw record is further ahead."""


def is_future_event(event_time: Instant, timestamp: int) -> bool:
    """Return True if an event is more than 24 h ahead of its record.

    Args:
        event_time: When Canvas says the event happened.
        timestamp: The record's Kafka timestamp, milliseconds since 1970.

    Example:
        >>> is_future_event("1970-01-02T00:00:00.001Z", 0)
        True
        >>> is_future_event("1970-01-02T00:00:00.001Z", 1)
        False
    """
    hour = timestamp - timestamp % 3_600_000
    # Nearly every event is older than its record's hour: one cached text settles those.
    return event_time > _latest_event(hour) and event_time > _latest_event(timestamp)


class AheadError(Exception):
    """A watermark is too far ahead of Kafka's time."""


def bounded(told: Control, timestamp: int) -> Control:
    """Return a control record with no time later than Kafka's; the same object if none is.

    A watermark of an idle partition has reached Kafka's time: the clock of the worker that wrote
    it does not matter. A ``clock`` record without a time stands for Kafka's time, too.

    Args:
        told: The control record.
        timestamp: Its record's Kafka timestamp, milliseconds since 1970.

    Raises:
        AheadError: A watermark, or an event that it tells of, is more than 1 h ahead.

    Example:
        >>> from streams.core.events import Control
        >>> bounded(Control(kind="rules", at="1970-01-01T00:00:09.000Z"), 1_500).at
        '1970-01-01T00:00:01.500Z'
        >>> bounded(Control(kind="watermark", at="1970-01-01T01:00:00.000Z"), 1_500).at
        '1970-01-01T00:00:01.500Z'
        >>> bounded(Control(kind="watermark", at="1970-01-01T01:00:01.501Z"), 1_500).at
        Traceback (most recent call last):
        streams.core.ahead.AheadError
    """
    now = instant(timestamp)
    if told.idle or (told.kind == "clock" and not told.at):
        return msgspec.structs.replace(told, at=now)
    latest = max([told.at, *told.heard.values()])
    if latest <= now:
        return told
    if told.kind == "watermark" and latest > instant(timestamp + CLOCK_MILLISECONDS):
        raise AheadError
    heard = {tenant: min(at, now) for tenant, at in told.heard.items()}
    return msgspec.structs.replace(told, at=min(told.at, now), heard=heard)


@lru_cache(maxsize=64)
def _latest_event(timestamp: int) -> Instant:
    return instant(timestamp + EVENT_MILLISECONDS)
