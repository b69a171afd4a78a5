"""The clocks that alerts are settled by: whether one is ahead of the time of day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.clocks import Clocks
from streams.core.acls import Role
from streams.core.clock_health import RESET, ahead, ahead_words
from streams.doctor.finding import Check, fail

if TYPE_CHECKING:
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient


def _right(patient: Patient) -> Look:
    """Look at the state of each partition, as the changelog has it."""
    if patient.role not in {Role.WORKER, Role.PRIVACY}:
        return f"not for the role {patient.role}: it may not read rows"
    states = Clocks(patient.settings, patient.kafka).states()
    now = int(patient.now() * 1000)
    for number, state in states.items():
        latest = ahead(state, now)
        if latest:
            yield fail(f"{ahead_words(number, latest, now)}: alerts fire too early", RESET)
    least = min((state.clock for state in states.values()), default="")
    return f"{len(states)} partitions have a state; the least clock is {least or 'none yet'}"


CHECKS: Final = (Check("clocks", _right),)
