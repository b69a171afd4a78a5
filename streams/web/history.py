"""A score's past: one point for each day on which there was a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from streams.core.tracks import closings_of

if TYPE_CHECKING:
    from streams.core.rows import Scores
    from streams.core.tracks import Track


def history(track: Track, held: Scores | None, which: int) -> list[tuple[str, float]]:
    """Return the last score of each day on which there was one, and the one that holds now.

    Args:
        track: The past, as far as it is settled: without rules that settle there is none.
        held: The scores that hold.
        which: Of them, 0 the posted current score, 2 the one with unposted work.

    Returns:
        (day, percent), oldest first; at most 33.
    """
    points = closings_of(track.closings)
    now = held.new[which] if held else None
    # A day that adds nothing is left out: it would tell of what is not posted.
    if held and now is not None and (not points or points[-1][1] != now):
        day = held.event_time[:10]
        points = [*(one for one in points if one[0] < day), (day, now)]
    return points


def is_unposted(alert: bytes) -> bool:
    """Tell whether an alert is about a score with unposted work.

    Args:
        alert: Its record on ``grade-alerts-state``.
    """
    return _decoder.decode(alert).view == "unposted"


class _Viewed(Struct):
    view: str | None = None


_decoder: Final = msgspec.json.Decoder(_Viewed)
