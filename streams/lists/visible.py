"""Who sees which alert, and what of it: for lists, pages and streams alike.

An alert on posted facts is written twice, for two audiences: whoever sees unposted scores is shown
the staff's, everybody else the posted one, and nobody both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.access.roles import Right
from streams.core.alerts import OPERATOR, POSTED, STAFF
from streams.core.rules import Kind

if TYPE_CHECKING:
    from streams.access.roles import Eyes, Person
    from streams.lists.held import Listed

_OVERRIDES: Final = frozenset(kind for kind in Kind if kind.startswith("override_"))


def sees(person: Person, alert: Listed) -> bool:
    """Tell whether a person is shown an alert.

    Args:
        person: Who asks.
        alert: About a student: in their scope, of the audience that is theirs. About a feed: for
            whoever operates, within their tenant.
    """
    if alert.student_id is None or alert.course_id is None:
        whose = alert.audience == OPERATOR and person.tenant in {None, alert.tenant}
        return whose and person.may(Right.OPERATE)
    return (
        alert.audience == audience(person.eyes, alert.kind)
        and person.may(Right.SCORES)
        and person.sees(alert.tenant, alert.student_id, alert.course_id)
    )


def audience(eyes: Eyes, kind: str) -> str | None:
    """Return whose version of an alert some eyes are shown; None: none.

    Args:
        eyes: Theirs.
        kind: The alert's: overrides are staff's alone, and told to whoever sees overrides.
    """
    if eyes.unposted:
        return STAFF
    if kind in _OVERRIDES:
        return STAFF if eyes.overrides else None
    return POSTED


def hidden(eyes: Eyes) -> frozenset[str]:
    """Return the fields of an alert that some eyes are not shown in lists.

    What is not shown is not filtered by either: an answer's length would tell it.
    """
    return frozenset() if eyes.work else frozenset({"work"})


def cut(alert: dict[str, Any], eyes: Eyes) -> dict[str, Any]:
    """Return an alert without what some eyes are not shown: absent, not null.

    Args:
        alert: As `streams.lists.held.whole` or `item` returned it; it is changed.
        eyes: Whose.
    """
    if eyes.unposted:
        return alert
    alert.pop("inputs", None)  # a rule may have looked at unposted scores
    if "evidence" in alert:
        alert["evidence"] = [
            {name: value for name, value in each.items() if name != "muted"}
            for each in alert["evidence"]
            if not each.get("muted")
        ]
    return alert
