"""Looks at a whole set-up, and says of each thing how it is, what shows it, and what to do.

It changes nothing: its one transaction holds nothing and is given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.doctor import (
    brokers,
    clocks,
    here,
    offsets,
    rights,
    rows,
    topics,
    transactions,
    workers,
)
from streams.doctor.finding import Check, Finding, State
from streams.doctor.patient import Patient

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CHECKS", "Check", "Finding", "Patient", "State", "examine"]

CHECKS: Final = (
    *here.CHECKS,
    *brokers.CHECKS,
    *transactions.CHECKS,
    *rights.CHECKS,
    *topics.CHECKS,
    *offsets.CHECKS,
    *rows.CHECKS,
    *clocks.CHECKS,
    *workers.CHECKS,
)
"""Everything that is looked at, in the order of the report."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Yield what is found, as it is found: one finding at least for each check.

    A check that cannot be made is a warning: nobody knows. Where Kafka does not answer, nothing
    more is asked of it.
    """
    try:
        for check in CHECKS:
            if check.asks_kafka and patient.silent:
                yield check.not_made("Kafka does not answer", "see the check of the brokers")
            else:
                yield from check.made(patient)
    finally:
        patient.close()
