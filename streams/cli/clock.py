"""``gradewatch clock``: how far the clock of each partition is, and the way back if it is ahead."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import click

from streams import admin, settings
from streams.cli.instants import InstantType
from streams.clocks import Clocks
from streams.core.clock_health import ahead, holder_of
from streams.core.instants import instant, milliseconds
from streams.engine.blocking import Failed
from streams.errors import GradewatchError, NotFoundError

if TYPE_CHECKING:
    from streams.core.clock import State
    from streams.core.events import Instant

WORKED_SECONDS: Final = 60.0
"""How long it is waited for until scoring has worked on the record."""


@click.group()
def clock() -> None:
    """Show the clocks that alerts are settled by, or set back one that is ahead."""


@clock.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def show(form: str) -> int:
    """Show each partition's clock, horizon and which raw partition holds it.

    Exit codes: 0 shown, 1 there is no clock yet, 2 one is ahead of the time of day, 69 Kafka
    unavailable, 78 configuration.
    """
    chosen = settings.load()
    states = Clocks(chosen, admin.bootstrap(chosen)).states()
    now = int(time.time() * 1000)
    if not states:
        raise NotFoundError("no partition has a clock yet", "start a worker: gradewatch worker")
    told = [_told(number, state, now) for number, state in states.items()]
    if form == "json":
        click.echo(json.dumps({"now": instant(now), "partitions": told}))
    else:
        click.echo(f"{'partition':<10}{'clock':<26}{'horizon':<26}{'against now':<14}held by")
        for one in told:
            holder = one["held_by"]
            who = f"raw partition {holder['partition']}, {holder['reached'] or 'no watermark'}"
            click.echo(
                f"{one['partition']:<10}{one['clock'] or 'none':<26}{one['horizon'] or 'none':<26}"
                f"{one['against_now']:<14}{who if holder['partition'] is not None else ''}"
            )
    wrong = [one for one in told if one["ahead"]]
    for one in wrong:
        click.echo(
            f"partition {one['partition']} has a time that is not yet: {one['ahead']}\n"
            "  next: gradewatch clock reset", err=True,
        )  # fmt: skip
    return 2 if wrong else 0


@clock.command()
@click.option(
    "--to", "at", type=InstantType(), default=None,
    help="The latest time that stays.  [default: Kafka's time]",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(at: Instant | None, *, yes: bool) -> int:
    """Set every clock back that is ahead; rows stay.

    A record of the log says so to each partition of grade-events, so a replay does the same. What
    a raw partition said later than that time is forgotten: the clock goes on once each has said
    anew how far it has come, within a minute while all are read. A tenant that was heard of later
    counts as heard of at that time. Alerts that were written too early stay on their topics.

    Exit codes: 0 set back, 1 not worked on yet, or not wanted, 69 Kafka unavailable, 78
    configuration.
    """
    chosen = settings.load()
    kafka = admin.bootstrap(chosen)
    clocks = Clocks(chosen, kafka)
    if not yes:
        until = at or "Kafka's time"
        click.confirm(f"Forget what clocks say that is later than {until}?", abort=True, err=True)
    count = admin.partition_count(kafka, chosen.topic("grade-events"))
    ends = clocks.set_back(range(count), at or "")
    deadline = time.monotonic() + WORKED_SECONDS
    while not _is_worked(clocks, ends):
        if time.monotonic() > deadline:
            raise GradewatchError(
                "the record is in the log, and no worker has come to it yet",
                "start a worker, or wait until it has caught up (gradewatch workers list); it need "
                "not be written again: gradewatch clock show",
            )
        time.sleep(0.2)
    click.echo(f"set back: {count} partitions; gradewatch clock show says when they go on")
    return 0


def _is_worked(clocks: Clocks, ends: Any) -> bool:  # noqa: ANN401 - as `set_back` returned it
    try:
        return clocks.is_worked(ends)
    except Failed:  # a transaction is pending: asked again
        return False


def _told(number: int, state: State, now: int) -> dict[str, Any]:
    holder = holder_of(state)
    return {
        "partition": number,
        "clock": state.clock,
        "horizon": state.horizon,
        "against_now": _against(state.clock, now),
        "ahead": ahead(state, now),
        "watermarks": {str(raw): at for raw, at in state.watermarks.items()},
        "held_by": {
            "partition": holder and holder.partition, "reached": holder.reached if holder else "",
        },
    }  # fmt: skip


def _against(clock: Instant, now: int) -> str:
    """Return how far a clock is from the time of day, in words.

    Example:
        >>> _against("1970-01-01T00:00:00.000Z", 90_000), _against("", 0)
        ('90 s behind', '')
        >>> _against("1970-01-03T00:00:00.000Z", 0)
        '48 h ahead'
    """
    if not clock:
        return ""
    seconds = (milliseconds(clock) - now) / 1000
    way = "ahead" if seconds > 0 else "behind"
    apart = abs(seconds)
    return f"{apart:.0f} s {way}" if apart < 7200 else f"{apart / 3600:.0f} h {way}"
