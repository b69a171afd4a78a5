"""What came of a backtest, as data and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.core.rule_parts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.core.rules import Rules
    from streams.trust.backtest import Backtest, Plan, Result
    from streams.trust.tally import Opened, Tally

_TOP: Final = 10


def report(
    plan: Plan,
    played: Backtest,
    result: Result,
    passed_over: dict[str, int],
    seconds: float,
    *,
    ids: bool,
) -> dict[str, Any]:
    """Return what came of a backtest.

    Args:
        plan: What was played.
        played: How much of it.
        result: What came of it.
        passed_over: Lines without an event, by reason.
        seconds: How long it took.
        ids: Whether students may be named.
    """
    told: dict[str, Any] = {
        "events": played.events,
        "students": result.students,
        "first": played.first,
        "last": played.last,
        "seconds": round(seconds, 1),
        "events_per_second": round(played.events / seconds) if seconds else 0,
        "passed_over": passed_over,
        "failures": result.failures,
        "rules_hash": plan.rules.hash,
        "audience": plan.audience,
        **_counted(plan.rules, result.tally, result.students, ids=ids),
    }
    if plan.against is not None:
        told["against"] = {
            "rules_hash": plan.against.hash,
            **_difference(result.tally.alerts, result.other.alerts, ids=ids),
        }
    return told


def _counted(rules: Rules, tally: Tally, students: int, *, ids: bool) -> dict[str, Any]:
    counted: dict[str, Any] = {
        "rules": [
            {
                "rule": rule.id,
                "opened": tally.opened[rule.id],
                "updated": tally.updated[rule.id],
                "resolved": tally.resolved[rule.id] if rule.lives else None,
                "open": tally.opened[rule.id] - tally.resolved[rule.id] if rule.lives else None,
                **{word.value: tally.severities[rule.id, word.value] for word in Severity},
            }
            for rule in rules.rules
        ],
        "weeks": dict(sorted(tally.weeks.items())),
        "courses": dict(tally.courses.most_common(_TOP)),
        "students_by_alerts": tally.distribution(students),
    }
    if ids:
        top = tally.students.most_common(_TOP)
        counted["students_with_most"] = {key.decode(): count for key, count in top}
    return counted


def _difference(ours: set[Opened], theirs: set[Opened], *, ids: bool) -> dict[str, Any]:
    added, removed = theirs - ours, ours - theirs
    names = sorted({one.rule for one in ours | theirs})
    return {
        "added": len(added),
        "removed": len(removed),
        "rules": [
            {
                "rule": name,
                "added": sum(one.rule == name for one in added),
                "removed": sum(one.rule == name for one in removed),
                "same": sum(one.rule == name for one in ours & theirs),
            }
            for name in names
        ],
        "examples_added": _examples(added, ids=ids),
        "examples_removed": _examples(removed, ids=ids),
    }


def _examples(some: Iterable[Opened], *, ids: bool) -> list[dict[str, Any]]:
    chosen = sorted(some, key=lambda one: (one.opened_at, one.rule, one.student_id))[:_TOP]
    left_out = set() if ids else {"student_id", "tenant"}
    return [
        {
            name: value
            for name, value in one._asdict().items()
            if name not in (left_out if one.student_id else {"student_id", "course_id"})
        }
        for one in chosen
    ]


def text(told: dict[str, Any]) -> str:
    """Return a report for people.

    Args:
        told: As ``report`` returned it.
    """
    speed = f"{told['seconds']:.1f} s ({told['events_per_second']:,} events/s)"
    period = f"{told['first'][:10]} to {told['last'][:10]}"
    lines = [
        f"{told['events']:,} events of {told['students']:,} students, {period}, in {speed}",
    ]
    if told["passed_over"]:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in told["passed_over"].items())
        lines.append(f"lines without an event: {reasons}")
    if told["failures"]:
        lines.append(f"{told['failures']:,} rows could not be judged: a bug, please report it")
    lines += ["", *_table(told["rules"])]
    lines += ["", "week of     alerts"]
    lines += [f"{week}  {count:>6,}" for week, count in told["weeks"].items()]
    lines += ["", "course      alerts"]
    lines += [f"{course:<10}  {count:>6,}" for course, count in told["courses"].items()]
    by_alerts = told["students_by_alerts"].items()
    lines += ["", "students with " + ", ".join(f"{n} alerts: {count:,}" for n, count in by_alerts)]
    for student, count in told.get("students_with_most", {}).items():
        lines.append(f"{student:<24}{count:>6,}")
    if "against" in told:
        lines += ["", *_compared(told["against"])]
    return "\n".join(lines)


def _compared(against: dict[str, Any]) -> list[str]:
    lines = [f"the other rules would add {against['added']:,} and remove {against['removed']:,}"]
    lines += _table(against["rules"])
    for sign, name in (("+", "examples_added"), ("-", "examples_removed")):
        for one in against[name]:
            student = f" student {one['student_id']}" if "student_id" in one else ""
            whom = f"course {one['course_id']}" if "course_id" in one else f"tenant {one['tenant']}"
            opened = one["opened_at"][:16].replace("T", " ")
            lines.append(f"{sign} {opened}  {one['rule']}  {whom}{student}")
    return lines


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["no rules"]
    cells = [[*rows[0]], *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            f"{cell:>{width}}" if column else f"{cell:<{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
