"""How much one caller may ask: a bucket of tokens each, filled at a steady rate."""

from __future__ import annotations

from typing import Final

MOST_CALLERS: Final = 10_000
"""Callers that are remembered; whoever did not ask for longest is forgotten."""

BURST_SECONDS: Final = 3
"""Requests that may come at once, in seconds of the rate: a page and what it needs."""


class Rate:
    """Counts what each caller asks for."""

    def __init__(self, per_second: float) -> None:
        """Start with full buckets.

        Args:
            per_second: Requests that one caller may make, in the long run.
        """
        self._per_second = per_second
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when

    def take(self, caller: str, now: float) -> float:
        """Return how long the caller has to wait, in seconds; 0: the request is counted.

        Args:
            caller: Who asks.
            now: Monotonic seconds.

        Example:
            >>> rate = Rate(1)
            >>> [rate.take("ada", 0.0) for _ in range(4)], rate.take("ada", 1.0)
            ([0.0, 0.0, 0.0, 1.0], 0.0)
        """
        full = BURST_SECONDS * self._per_second
        tokens, then = self._buckets.pop(caller, (full, now))
        tokens = min(full, tokens + (now - then) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[caller] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > MOST_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return wait
