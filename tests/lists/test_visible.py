"""Which alerts a role is shown, and what of them: every combination, said once more and plainly."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streams.access.roles import Person, Role
from streams.lists import held as records
from tests.lists.alerts import T, a_record, taken

if TYPE_CHECKING:
    from streams.lists.store import Alerts

SHOWN = {
    (Role.OPERATOR, "staff", "score_drop"): False,
    (Role.OPERATOR, "posted", "score_drop"): False,
    (Role.OPERATOR, "staff", "override_gap"): False,
    (Role.OPERATOR, "posted", "override_gap"): False,
    (Role.ADVISOR, "staff", "score_drop"): False,
    (Role.ADVISOR, "posted", "score_drop"): True,
    (Role.ADVISOR, "staff", "override_gap"): True,
    (Role.ADVISOR, "posted", "override_gap"): False,
    (Role.INSTRUCTOR, "staff", "score_drop"): True,
    (Role.INSTRUCTOR, "posted", "score_drop"): False,
    (Role.INSTRUCTOR, "staff", "override_gap"): True,
    (Role.INSTRUCTOR, "posted", "override_gap"): False,
    (Role.STUDENT, "staff", "score_drop"): False,
    (Role.STUDENT, "posted", "score_drop"): True,
    (Role.STUDENT, "staff", "override_gap"): False,
    (Role.STUDENT, "posted", "override_gap"): False,
    (Role.SERVICE, "staff", "score_drop"): True,
    (Role.SERVICE, "posted", "score_drop"): False,
    (Role.SERVICE, "staff", "override_gap"): True,
    (Role.SERVICE, "posted", "override_gap"): False,
}
SCOPES: dict[str, dict[str, Any]] = {
    "theirs": {"students": frozenset({"48"})},
    "their course": {"courses": frozenset({"565"})},
    "another's": {"students": frozenset({"49"})},
    "another course": {"courses": frozenset({"566"})},
    "nobody": {"students": frozenset()},
    "another tenant": {"tenant": "another"},
}


def whole(alerts: Alerts, person: Person) -> dict[str, Any] | None:
    held = alerts.one("a1", person)
    return None if held is None else alerts.shown(records.whole(held), held, person)


@pytest.mark.parametrize(
    ("role", "audience", "kind", "scope"),
    [(*one, scope) for one, scope in product(SHOWN, SCOPES)],
)
def test_an_alert_is_shown_to_whom_it_is_for(
    role: Role, audience: str, kind: str, scope: str
) -> None:
    alerts = taken(a_record(1, audience=audience, kind=kind))
    person = Person("somebody", role, **{"tenant": T} | SCOPES[scope])

    shown = whole(alerts, person) is not None
    assert shown is (SHOWN[role, audience, kind] and scope.startswith("their"))


@pytest.mark.parametrize("role", [Role.ADVISOR, Role.STUDENT])
def test_what_is_not_posted_is_absent(role: Role) -> None:
    told = whole(taken(a_record(1)), Person("somebody", role, T))

    assert told is not None
    assert "inputs" not in told
    assert [each["event_id"] for each in told["evidence"]] == ["e", "h"]
    assert b"muted" not in msgspec.json.encode(told)
    assert ("work" in told) is (role is Role.ADVISOR)


def test_who_sees_all_is_shown_all() -> None:
    record = a_record(1, audience="staff")
    told = whole(taken(record), Person("somebody", Role.INSTRUCTOR, T))

    assert told == record | {"late": False, "gap_suspected": False, "work": {"state": "new"}}
