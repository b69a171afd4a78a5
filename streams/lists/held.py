"""One alert as the lists hold it: the record as it came, and the few fields that lists look at."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from streams.core.events import Instant, Percent
from streams.core.instants import milliseconds

RANK: Final = {"critical": 3, "warning": 2, "info": 1}
"""Severity → how loud."""

_LEFT_OUT: Final = ("evidence", "inputs", "rules_hash")
"""What one alert is asked for, and a list does without."""


class Step(NamedTuple):
    """One step of an alert, as its history shows it.

    Attributes:
        seq: From 1.
        transition: opened | updated | recovering | relapsed | resolved.
        reason: Why.
        severity: As of this step.
        changed_at: When.
        before: Percent; what it is measured from.
        after: Percent; what held then.
    """

    seq: int
    transition: str
    reason: str
    severity: str
    changed_at: Instant
    before: Percent | None
    after: Percent | None


class Listed(Struct, frozen=True, kw_only=True):
    """What lists sort, filter and decide by; everything else stays in the record's bytes."""

    alert_id: str
    fingerprint: str
    seq: int
    state: str
    transition: str
    reason: str
    kind: str
    rule: str
    severity: str
    audience: str
    tenant: str
    student_id: str | None = None
    course_id: str | None = None
    before: Percent | None = None
    after: Percent | None = None
    size: float | None = None
    opened_at: Instant
    changed_at: Instant


class Held(NamedTuple):
    """An alert that is listed.

    Attributes:
        listed: What lists look at.
        value: The record on ``grade-alerts-state``.
        partition: Its partition: the student's.
        offset: Its offset.
        orders: Where it stands in each order of `streams.lists.query.Sort`.
        steps: Those seen so far, by ``seq``; earlier ones may have been compacted away.
    """

    listed: Listed
    value: bytes
    partition: int
    offset: int
    orders: tuple[Order, ...]
    steps: dict[int, Step]


Order = tuple[float | int | str, ...]
"""Where an alert stands: smaller first. The last part is its fingerprint."""

_decoder: Final = msgspec.json.Decoder(Listed)


def hold(value: bytes, partition: int, offset: int, before: Held | None) -> Held:
    """Return a record of ``grade-alerts-state`` as lists hold it.

    Args:
        value: Its value.
        partition: Its partition.
        offset: Its offset.
        before: What its key was held as.

    Raises:
        msgspec.MsgspecError: It is no alert.
        ValueError: It says no time when it opened.
    """
    listed = _decoder.decode(value)
    opened, fingerprint = -milliseconds(listed.opened_at), listed.fingerprint
    size = float("inf") if listed.size is None else -listed.size
    orders = (
        (-RANK.get(listed.severity, 0), opened, fingerprint),
        (opened, fingerprint),
        (size, opened, fingerprint),
    )
    same = before is not None and before.listed.alert_id == listed.alert_id
    steps = before.steps if before is not None and same else {}
    steps[listed.seq] = step_of(listed)
    return Held(listed, value, partition, offset, orders, steps)


def step_of(listed: Listed) -> Step:
    """Return the step that a record tells of."""
    return Step(
        listed.seq, listed.transition, listed.reason, listed.severity, listed.changed_at,
        listed.before, listed.after,
    )  # fmt: skip


def step(value: bytes) -> tuple[str, Step]:
    """Return the alert id and the step of a record of ``grade-alerts`` or ``grade-alerts-posted``.

    Raises:
        msgspec.MsgspecError: It is no alert.
    """
    listed = _decoder.decode(value)
    return listed.alert_id, step_of(listed)


def whole(held: Held) -> dict[str, Any]:
    """Return the record as people get it, everything in it."""
    told: dict[str, Any] = msgspec.json.decode(held.value)
    told.setdefault("gap_suspected", False)
    told.setdefault("late", False)
    return told


def item(held: Held) -> dict[str, Any]:
    """Return what a list shows of it."""
    told = whole(held)
    for name in _LEFT_OUT:
        told.pop(name, None)
    return told
