"""When each tenant was heard of in a log, and what rules about feeds tell of it.

Logs are read partition by partition, in any order: silences are found once all is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.core.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.events import Instant
    from streams.core.rules import Rules
    from streams.trust.tally import Tally

_KEY: Final = b"silences keep no alert ids"
_TEN_MINUTES: Final = len("2026-02-03T10:1")
"""No silence is shorter: of the events of ten minutes the first and the last will do."""


class Silences:
    """When each tenant was heard of, to ten minutes where it was all the time."""

    def __init__(self, sets: Sequence[Rules]) -> None:
        """Remember the sets of rules; where none has a rule about feeds, nothing is noted."""
        self._sets = [rules.model_copy(update={"rules": rules.feeds}) for rules in sets]
        self.wanted = any(rules.rules for rules in self._sets)
        self._heard: dict[tuple[str, str], tuple[Instant, Instant]] = {}

    def note(self, tenant: str, at: Instant) -> None:
        """Note an event of a tenant."""
        place = at[:_TEN_MINUTES], tenant
        held = self._heard.get(place)
        if held is None:
            self._heard[place] = at, at
        elif not held[0] <= at <= held[1]:
            self._heard[place] = min(held[0], at), max(held[1], at)

    def count(self, tallies: Sequence[Tally], upto: Instant, audience: str, *, keep: bool) -> None:
        """Count what each set tells of all that was noted.

        Args:
            tallies: One for each set.
            upto: How far the clock comes at the end.
            audience: Whose alerts are counted.
            keep: Whether the tallies are to be compared.
        """
        told = sorted((*span, tenant) for (_, tenant), span in self._heard.items())
        for rules, tally in zip(self._sets, tallies, strict=True):
            if not rules.rules:
                continue
            replay = Replay(rules, _KEY)
            for first, last, tenant in told:
                tally.count(replay.clock(first), audience, keep=keep)
                replay.hear(tenant, first)
                tally.count(replay.clock(first), audience, keep=keep)
                replay.hear(tenant, last)
            tally.count(replay.clock(upto), audience, keep=keep)
