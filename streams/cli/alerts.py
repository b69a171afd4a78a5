"""``gradewatch alerts``: the alerts as they are written."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from streams import admin, settings
from streams.cli.explain import explain, why_not_
from streams.cli.reading import behind, reader
from streams.core.alerts import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import ConsumerRecord

    from streams.security import Kafka

WAIT_MS = 500
"""How long a look for alerts waits for one."""


@click.group()
def alerts() -> None:
    """Look at alerts."""


alerts.add_command(explain)
alerts.add_command(why_not_)


@alerts.command()
@click.option("--format", "form", type=click.Choice(["line", "json"]), default="line")
@click.option("--from-beginning", is_flag=True, help="Those that are kept first, then new ones.")
@click.option("--exit-when-idle", is_flag=True, help="Stop where there are no more.")
def tail(*, form: str, from_beginning: bool, exit_when_idle: bool) -> None:
    """Show alerts as they are written, one a line, until Ctrl-C.

    With json a line is the alert as the topic holds it. Reading takes nothing from other readers.

    Exit codes: 0 stopped, 69 Kafka unavailable, 78 configuration.
    """
    chosen = settings.load()
    # What matters of the client's complaints is raised, or waited for.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    show: Callable[[dict[str, Any]], str] = line if form == "line" else _compact
    reading = _tail(
        admin.bootstrap(chosen),
        chosen.topic("grade-alerts"),
        show,
        from_beginning=from_beginning,
        exit_when_idle=exit_when_idle,
    )
    with suppress(KeyboardInterrupt):  # the way to end it
        asyncio.run(reading)


def line(alert: dict[str, Any]) -> str:
    """Return an alert as one line for people; nothing in it can steer a terminal.

    Args:
        alert: The value of a record of ``grade-alerts``.

    Raises:
        LookupError, TypeError, ValueError: It is not an alert.

    Example:
        >>> line({
        ...     "event_time": "2026-02-03T12:30:05.000Z", "severity": "warning",
        ...     "kind": "score_drop", "student_id": "48", "course_id": "565",
        ...     "before": 84.25, "after": 71.5, "change": -12.75, "summary": "Current score fell",
        ... })
        '2026-02-03 12:30:05 warning score_drop  student 48 course 565  84.25 → 71.5 (-12.75)  Current score fell'
    """  # noqa: E501 - one line
    when = alert["event_time"]
    step = alert.get("transition", "opened")
    told = (
        f"{alert.get('changed_at', when)[:19].replace('T', ' ')}"
        f" {alert['severity']} {alert['kind']}{'' if step == 'opened' else f' {step}'}"
        f"  {_about(alert)}  {alert['summary']}"
    )
    return "".join(character if character.isprintable() else "?" for character in told)


def _about(alert: dict[str, Any]) -> str:
    if alert.get("audience") == OPERATOR:
        return f"tenant {alert['tenant']}"
    before, after, change = (alert.get(name) for name in ("before", "after", "change"))
    moved = f"{_shown(before)} → {_shown(after)}"
    if change is not None:
        moved += f" ({change:+g})"
    return f"student {alert['student_id']} course {alert['course_id']}  {moved}"


def _shown(score: float | None) -> str:
    return "none" if score is None else f"{score:g}"


def _compact(alert: dict[str, Any]) -> str:
    return json.dumps(alert, ensure_ascii=False, separators=(",", ":"))


async def _tail(
    kafka: Kafka,
    topic: str,
    show: Callable[[dict[str, Any]], str],
    *,
    from_beginning: bool,
    exit_when_idle: bool,
) -> None:
    async with reader(kafka, topic) as consumer:
        if from_beginning:
            await consumer.seek_to_beginning()
        else:
            await consumer.seek_to_end()
        while True:
            fetched = await consumer.getmany(timeout_ms=WAIT_MS)
            records = [record for some in fetched.values() for record in some]
            for record in sorted(records, key=lambda each: each.timestamp):
                _say(record, show)
            if exit_when_idle and not records and not await behind(consumer):
                return


def _say(record: ConsumerRecord[bytes, bytes], show: Callable[[dict[str, Any]], str]) -> None:
    """Print one alert; flushed, so that a pipe has it at once."""
    try:
        click.echo(show(json.loads(record.value or b"")))
    except (LookupError, TypeError, ValueError):
        where = f"partition {record.partition}, offset {record.offset}"
        click.echo(f"passed over what is not an alert: {where}", err=True)
