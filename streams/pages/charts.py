"""Where the lines and marks of a chart stand: whole numbers, made of days and percents.

Templates draw them as SVG. Nothing here is text for people, and nothing is markup.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.pages.words import unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WEEKS: Final = 8
"""How far back a sparkline looks from its last point."""

FEW: Final = 5
"""Of fewer students no distribution is drawn: it would tell of each."""

SPARK: Final = (132, 36)
"""Width and height of a sparkline."""

CHART: Final = (360, 210)
"""Width and height of a chart of a course."""

_PAD: Final = 4
_LEFT: Final = 34
_TOP: Final = 10
_BOTTOM: Final = 24

Point = tuple[str, float | None]
"""A day, and the percent at its end."""

Spot = tuple[int, int]
"""Where something stands: right from the left edge, down from the top."""


class Spark(NamedTuple):
    """A sparkline.

    Attributes:
        line: The score's corners, as ``points`` of a polyline.
        threshold: How far down the threshold is; None: there is none.
        mark: Where the alert is; None: its score is not known.
    """

    line: str
    threshold: int | None
    mark: Spot | None


class Mark(NamedTuple):
    """Something that happened, on a chart."""

    x: int
    y: int
    severity: str
    alert_id: str


class Chart(NamedTuple):
    """A course's scores on the scale from 0 to 100, which all its neighbours have.

    Attributes:
        line: Corners of what is posted, as ``points`` of a polyline.
        unposted: Likewise with unposted work; empty: not shown.
        last: Where the last score is.
        marks: Where alerts are.
        override: How far down the override is; None: there is none.
        grid: How far down each line of the grid is, with its percent.
        first_day, last_day: Of the scale; empty: there are no scores.
    """

    line: str
    unposted: str
    last: Spot | None
    marks: tuple[Mark, ...]
    override: int | None
    grid: tuple[tuple[int, int], ...]
    first_day: str
    last_day: str


class Bar(NamedTuple):
    """How many scores there are from one percent to another."""

    name: str
    many: int
    x: int
    y: int
    width: int
    height: int


def threshold_score(alert: Mapping[str, Any]) -> float | None:
    """Return the score at which an alert's rule takes notice; None: it is not about one.

    Example:
        >>> threshold_score({"kind": "score_drop", "before": 92.0, "after": 78.0, "change": -14.0,
        ...     "size": 14.0, "threshold": 10.0})
        82.0
    """
    threshold, before = alert.get("threshold"), alert.get("before")
    if threshold is None or alert["kind"] == "score_below":
        return threshold
    if before is None or alert["kind"] not in {"score_drop", "score_slide"}:
        return None
    if unit(alert) == "%":
        return float(before * (1 - threshold / 100))
    return float(before - threshold)


def spark(alert: Mapping[str, Any], room: tuple[int, int] = SPARK) -> Spark | None:
    """Return the sparkline of an alert; None where it came without points.

    The scale is that of what is shown: a sparkline says how a score moved, not where it stands.

    Args:
        alert: With ``points``.
        room: Width and height.
    """
    known = _known(alert.get("points") or ())
    if not known:
        return None
    end = known[-1][0]
    start = max(known[0][0], end - 7 * WEEKS)
    recent = [point for point in known if point[0] >= start]
    line_at = threshold_score(alert)
    is_of_line = alert.get("score", "current_score").endswith("current_score")
    after = alert.get("after") if is_of_line else None
    values = [*(value for _, value in recent), *(v for v in (line_at, after) if v is not None)]
    low, high = min(values), max(values)
    spread = max(high - low, 5.0)
    width, height = room

    def across(day: int) -> int:
        return round(_PAD + (width - 2 * _PAD) * (day - start) / max(end - start, 1))

    def down(value: float) -> int:
        return round(height - _PAD - (height - 2 * _PAD) * (value - low) / spread)

    mark = None
    when = _day(alert["event_time"][:10])
    if after is not None and when is not None:
        mark = (across(min(max(when, start), end)), down(after))
    corners = [(across(day), down(value)) for day, value in recent]
    if len(corners) == 1:
        corners = [(_PAD, corners[0][1]), (width - _PAD, corners[0][1])]
    return Spark(_line(corners), None if line_at is None else down(line_at), mark)


def span(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the first and the last day that any of some rows has a score of."""
    histories = [row.get(name) or () for row in rows for name in ("history", "unposted_history")]
    days = sorted(point[0] for history in histories for point in history)
    return (days[0], days[-1]) if days else ("", "")


def course_chart(row: Mapping[str, Any], days: tuple[str, str]) -> Chart:
    """Return the chart of a row.

    Args:
        row: With ``history`` and, as far as shown, ``unposted_history``, ``alerts``, an override.
        days: First and last day of the scale, the same for all neighbours.
    """
    width, height = CHART
    start, end = _day(days[0]) or 0, _day(days[1]) or 0

    def across(day: int) -> int:
        inner = width - _LEFT - 14
        return round(_LEFT + inner * (min(max(day, start), end) - start) / max(end - start, 1))

    def down(value: float) -> int:
        inner = height - _TOP - _BOTTOM
        return round(_TOP + inner * (1 - min(max(value, 0.0), 100.0) / 100))

    lines = [
        [(across(day), down(value)) for day, value in _known(row.get(name) or ())]
        for name in ("history", "unposted_history")
    ]
    marks = tuple(
        Mark(across(when), down(alert["after"]), alert["severity"], alert["alert_id"])
        for alert in reversed(row.get("alerts") or ())  # the loudest is drawn over the others
        if alert.get("after") is not None and (when := _day(alert["event_time"][:10])) is not None
    )
    override = row.get("override_score")
    return Chart(
        _line(lines[0]),
        _line(lines[1]) if lines[1] != lines[0] else "",
        lines[0][-1] if lines[0] else None,
        marks,
        None if override is None else down(override),
        tuple((down(percent), percent) for percent in (0, 25, 50, 75, 100)),
        *days,
    )


def histogram(scores: Sequence[float]) -> tuple[Bar, ...]:
    """Return how many scores there are in each ten percent; none of fewer than `FEW` scores.

    The first also holds what is below 0, the last what is above 100.

    Example:
        >>> [bar.many for bar in histogram([5, 15, 15, 99, 104])]
        [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
        >>> histogram([5, 15, 15, 99])
        ()
    """
    if len(scores) < FEW:
        return ()
    counts = [0] * 10
    for score in scores:
        counts[min(max(int(score // 10), 0), 9)] += 1
    width, height = CHART
    step = (width - _LEFT - 8) / 10
    inner = height - _TOP - 12 - _BOTTOM
    bars = []
    for at, number in enumerate(counts):
        tall = round(inner * number / max(counts))
        name = ["under 10", *(f"{10 * n} to {10 * n + 9}" for n in range(1, 9)), "90 and more"][at]
        x = round(_LEFT + at * step)
        bars.append(Bar(name, number, x, height - _BOTTOM - tall, round(step) - 4, tall))
    return tuple(bars)


def _known(points: Sequence[Point]) -> list[tuple[int, float]]:
    """Return the points that have a score, by the number of their day."""
    numbered = ((_day(day), value) for day, value in points)
    return [(day, value) for day, value in numbered if day is not None and value is not None]


@lru_cache(maxsize=1024)
def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def _line(corners: Sequence[Spot]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)
