"""The second opinion on silent feeds: a partition of ``grade-events`` → what is told to operators.

Written from docs/alerts.md alone, and nothing of ``streams`` is imported. Every watermark is looked
at with all that was said before it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.oracle.living import Clock, Told
from tests.oracle.living_rules import Rule, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.oracle.living import Record

Fields = dict[str, Any]

WATCHED: Final = 1_000


def feeds(records: Iterable[Record]) -> list[Told]:
    """Return all that must be told of feeds, in order."""
    clock = Clock()
    told: list[Told] = []
    rules: list[Rule] = []
    said: list[tuple[str, datetime]] = []
    firing: dict[tuple[str, str], Fields] = {}
    for offset, _, value in records:
        if value["type"] != "control" or value["kind"] not in {"watermark", "rules"}:
            continue
        if value["kind"] == "watermark":
            clock.hear(value)
            said += [(name, moment(at)) for name, at in sorted(value.get("heard", {}).items())]
            steps = [] if clock.now is None else _judged(rules, firing, _latest(said), clock.now)
        else:
            stated = [Rule(one) for one in value["rules"].get("rules", ())]
            rules = [rule for rule in stated if rule.kind == "feed_silent"]
            left = {(rule.id, one) for rule in rules for _, one in firing if _is_about(rule, one)}
            steps = [
                _resolved(one, "rule_removed", moment(value["at"]))
                for name, one in firing.items() if name not in left
            ]  # fmt: skip
        for step in sorted(steps, key=lambda one: (one["at"], one["rule"], one["tenant"])):
            name = step["rule"], step["tenant"]
            if step["transition"] == "opened":
                firing[name] = step
            else:
                del firing[name]
            told.append(Told("operator", offset, step))
    return told


def _latest(said: list[tuple[str, datetime]]) -> dict[str, datetime]:
    """Return when each tenant was heard of last, of the first so many."""
    watched = list(dict.fromkeys(name for name, _ in said))[:WATCHED]
    return {one: max(at for name, at in said if name == one) for one in watched}


def _judged(
    rules: list[Rule],
    firing: dict[tuple[str, str], Fields],
    heard: dict[str, datetime],
    now: datetime,
) -> list[Fields]:
    steps = []
    for rule in rules:
        for tenant, last in heard.items():
            alert = firing.get((rule.id, tenant))
            due = last + rule.seconds("silence")
            if alert is None and due <= now and _is_about(rule, tenant):
                steps.append(
                    {
                        "rule": rule.id, "kind": rule.kind, "tenant": tenant,
                        "transition": "opened", "state": "firing", "reason": "threshold_reached",
                        "seq": 1, "severity": rule.stated["severity"],
                        "pending_since": _text(last), "opened_at": _text(due), "at": _text(due),
                    }
                )  # fmt: skip
            elif alert and due > now and last > moment(alert["pending_since"]):
                at = max(last, moment(alert["opened_at"]))
                steps.append(_resolved(alert, "recovered", at))
    return steps


def _resolved(alert: Fields, reason: str, at: datetime) -> Fields:
    over = {"transition": "resolved", "state": "resolved", "reason": reason, "seq": 2}
    return alert | over | {"at": _text(at)}


def _is_about(rule: Rule, tenant: str) -> bool:
    ids = rule.stated.get("match", {}).get("tenants", {})
    return tenant in ids.get("in", [tenant]) and tenant not in ids.get("out", [])


def _text(at: datetime) -> str:
    whole = at - timedelta(microseconds=at.microsecond % 1000)
    return f"{whole.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
