"""Cooldowns that a clock which was ahead began too early, and a row without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.core.instants import plus
from streams.core.tracks import QUIET

if TYPE_CHECKING:
    from streams.core.events import Instant
    from streams.core.rows import Row
    from streams.core.ruleset import RuleSet
    from streams.core.tracks import Episode, Track


def without_late_cooldowns(rules: RuleSet, row: Row, at: Instant) -> Row:
    """Return a row without the cooldowns that began after an instant; the same object if none did.

    A clock that was ahead resolved alerts too early, and their cooldowns would last until long
    after the right time.

    Args:
        rules: In force; a cooldown of a rule that is gone counts as 0.
        row: The row.
        at: The latest time at which an alert can have been resolved.
    """

    def stays(key: str, episode: Episode) -> bool:
        if episode.state != QUIET:
            return True
        rule = rules.by_id.get(key.partition(":")[0])
        return episode.until <= plus(at, rule.cooldown if rule is not None else 0)

    def cleared(track: Track) -> Track:
        kept = {key: one for key, one in track.episodes.items() if stays(key, one)}
        return (
            track
            if len(kept) == len(track.episodes)
            else msgspec.structs.replace(track, episodes=kept)
        )

    staff, posted = cleared(row.staff), cleared(row.posted)
    if staff is row.staff and posted is row.posted:
        return row
    return msgspec.structs.replace(row, staff=staff, posted=posted)
