"""What scoring makes of one record of ``grade-events``."""

from __future__ import annotations

from msgspec import Struct

from streams.core.alerts import Told
from streams.core.canvas import Refusal
from streams.core.events import Reason
from streams.core.fates import Fate
from streams.core.history import Standing


class Outcome(Struct, frozen=True, gc=False):
    """What scoring made of one record of ``grade-events``.

    Attributes:
        fate: Exactly one.
        told: Alerts to be written, in order.
        refusal: Why it was refused.
        no_baseline: An override could not be judged, for want of a score to measure it against.
        gaps: How often what an event says was before is not what was known.
        failures: Bugs of ours that kept single rows from being looked at.
        erased: Fingerprints of alerts that nobody is to know of any longer.
    """

    fate: Fate
    told: tuple[Told, ...] = ()
    refusal: Refusal | None = None
    no_baseline: bool = False
    gaps: int = 0
    failures: tuple[Exception, ...] = ()
    erased: tuple[str, ...] = ()


def refused_as_future(detail: str) -> Outcome:
    """Return the outcome of a record whose time is too far ahead of Kafka's.

    Args:
        detail: Which time, and the limit.
    """
    return Outcome(Fate.REFUSED, refusal=Refusal(Reason.FUTURE_EVENT, detail))


def fate_of(standing: Standing, *, alerted: bool) -> Fate:
    """Return the fate of an event.

    Args:
        standing: Where it stands among what the row knew.
        alerted: Whether rules alerted by it.
    """
    if standing is Standing.REPEATED:
        return Fate.DUPLICATE
    if alerted:
        return Fate.ALERTED
    return Fate.LATE if standing is Standing.LATE else Fate.KEPT
