"""What becomes of records: each has one fate at each of the two agents."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Fate(StrEnum):
    """What became of a record, the first that applies. Return value, metric label, page's word."""

    # intake
    REFUSED = "refused"
    IGNORED = "ignored"  # a live event that is none of the three
    PASSED = "passed"
    # scoring (and refused)
    CONTROL = "control"
    DUPLICATE = "duplicate"
    ERASED = "erased"  # of a student who was erased since
    ALERTED = "alerted"
    LATE = "late"  # a newer event of its fact was there before
    KEPT = "kept"


INTAKE_FATES: Final = (Fate.REFUSED, Fate.IGNORED, Fate.PASSED)
SCORING_FATES: Final = (
    Fate.CONTROL, Fate.REFUSED, Fate.ERASED, Fate.DUPLICATE, Fate.ALERTED, Fate.LATE, Fate.KEPT,
)  # fmt: skip
