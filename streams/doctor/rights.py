"""Whether this principal may do what its role needs: each ACL, looked at by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams import rights
from streams.core.acls import required
from streams.doctor.finding import Check, fail

if TYPE_CHECKING:
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient


def _acls(patient: Patient) -> Look:
    """Look for each ACL that the role needs."""
    settings = patient.settings
    needed = required(
        patient.topics, settings.group, patient.role, transactions=settings.exactly_once
    )
    for acl in rights.lacking(patient.kafka, needed):
        yield fail(
            f"no {acl}: {acl.why}",
            f"gradewatch topics acls apply --role {patient.role} --principal User:NAME, as one who "
            "may; or a DENY is in the way",
        )
    return f"role {patient.role}: {len(needed)} ACLs, or what comes to the same"


CHECKS: Final = (Check("ACLs", _acls),)
