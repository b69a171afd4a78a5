"""``gradewatch events refused``: what intake refused and why; looked at, and sent again."""

from __future__ import annotations

import asyncio
import heapq
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from streams import admin, settings
from streams.cli.refusals import Refusal, Refusals, opened, printable
from streams.core.events import Reason
from streams.errors import GradewatchError
from streams.player import Player
from streams.simulator import RawRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOPIC = "grade-events-refused"
_COLUMNS = ("record", "time", "reason", "source", "detail")
_reason = click.option(
    "--reason", type=click.Choice([reason.value for reason in Reason]), help="Only this one."
)


@click.group()
def refused() -> None:
    """Look at events that were refused, and send them again once the cause is mended."""


@refused.command(name="list")
@_reason
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def list_(reason: str | None, limit: int, form: str) -> None:
    """List the newest refused events, oldest of them first; never what was in them.

    Exit codes: 0 listed, 69 Kafka unavailable, 78 configuration.
    """
    newest, total = asyncio.run(_newest(reason, limit))
    rows = [refusal.fields() for refusal in newest]
    if form == "json":
        click.echo(json.dumps(rows))
        return
    table = [_COLUMNS, *(_row(fields) for fields in rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(_COLUMNS))]
    for row in table if rows else ():
        click.echo("  ".join(f"{cell:<{widths[n]}}" for n, cell in enumerate(row)).rstrip())
    click.echo(f"{len(rows):,} of {total:,} refused events", err=bool(rows))


async def _newest(reason: str | None, limit: int) -> tuple[list[Refusal], int]:
    chosen = settings.load()
    total = 0
    kept: list[tuple[str, int, int, Refusal]] = []
    async with opened(admin.bootstrap(chosen), chosen.topic(TOPIC)) as refusals:
        async for found in refusals.read(reason):
            total += 1
            heapq.heappush(kept, (found.time, found.partition, found.offset, found))
            if len(kept) > limit:
                heapq.heappop(kept)
    return [found for *_, found in sorted(kept)], total


def _row(fields: dict[str, Any]) -> tuple[str, ...]:
    source = fields["source"]
    return (
        f"{fields['partition']} {fields['offset']}",
        fields["time"],
        fields["reason"],
        f"{source['topic']}[{source['partition']}]@{source['offset']}",
        fields["detail"],
    )


@refused.command()
@click.argument("partition", type=click.IntRange(0))
@click.argument("offset", type=click.IntRange(0))
@click.option("--payload", is_flag=True, help="The original bytes too: they hold personal data.")
def show(partition: int, offset: int, *, payload: bool) -> None:
    """Show why one event was refused; with --payload, its bytes on standard output.

    Exit codes: 0 shown, 1 no such record, 69 Kafka unavailable, 78 configuration.
    """
    found = asyncio.run(_one(partition, offset))
    click.echo(f"{'time':<21}{found.time}", err=payload)
    for name, text in found.headers.items():
        click.echo(f"{name:<21}{text}", err=payload)
    click.echo(f"{'bytes':<21}{len(found.value or b''):,}", err=payload)
    if payload:
        click.echo("warning: what follows is an education record with personal data", err=True)
        # Exactly the bytes, for a file; a terminal gets none that could steer it.
        value = found.value or b""
        click.echo(printable(value) if sys.stdout.isatty() else value, nl=sys.stdout.isatty())


async def _one(partition: int, offset: int) -> Refusal:
    chosen = settings.load()
    async with opened(admin.bootstrap(chosen), chosen.topic(TOPIC)) as refusals:
        return await refusals.one(partition, offset)


@refused.command()
@click.argument("partition", type=click.IntRange(0), required=False)
@click.argument("offset", type=click.IntRange(0), required=False)
@_reason
@click.option("--yes", is_flag=True, help="Do not ask.")
def retry(partition: int | None, offset: int | None, reason: str | None, *, yes: bool) -> None:
    """Send refused events again: one, those of a reason, or all; key and bytes as they came.

    They become new records of the raw topic, with today's time; the refused ones stay. Those that
    are not what Canvas sent are left out: too large to be kept whole, or refused by scoring.

    Exit codes: 0 all acknowledged, 1 no such record or all are left out, 2 not confirmed,
    69 Kafka unavailable, 78 configuration.
    """
    if (partition is None) != (offset is None):
        raise click.UsageError("give PARTITION and OFFSET, or neither")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody to ask: confirm with --yes")
    at = None if partition is None or offset is None else (partition, offset)
    asyncio.run(_retry(at, reason, yes=yes))


async def _retry(at: tuple[int, int] | None, reason: str | None, *, yes: bool) -> None:
    chosen = settings.load()
    kafka = admin.bootstrap(chosen)
    raw, log = chosen.topic(chosen.raw_topic), chosen.topic("grade-events")
    # Read twice, never held: there may be more than memory. What is refused anew meanwhile lies
    # behind the end that was taken at the beginning.
    async with opened(kafka, chosen.topic(TOPIC)) as refusals:
        obstacles: Counter[str | None] = Counter()
        async for found in _chosen(refusals, at, reason):
            obstacles[_obstacle(found, log)] += 1
        count = obstacles.pop(None, 0)
        left_out = [f"{number:,} left out: {why}" for why, number in obstacles.items()]
        if left_out and not count:
            raise GradewatchError(
                "\n  ".join(["nothing sent", *left_out]),
                "gradewatch events refused list says where each stood, as long as it is kept there",
            )
        if not count:
            click.echo("no refused events to send again")
            return
        for line in left_out:
            click.echo(line, err=True)
        if not yes:
            click.confirm(f"Send {count:,} refused events to {raw} again?", abort=True)
        sent = 0
        async with Player(kafka, raw) as player:
            async for found in _chosen(refusals, at, reason):
                if _obstacle(found, log) is None:
                    now = int(time.time() * 1000)
                    await player.send(RawRecord(found.value, found.key, now))
                    sent += 1
    click.echo(f"{sent:,} refused events sent to {raw} again")


async def _chosen(
    refusals: Refusals, at: tuple[int, int] | None, reason: str | None
) -> AsyncIterator[Refusal]:
    """Yield the refusal at a partition and offset, or else all; with a reason, only those."""
    if at is None:
        async for found in refusals.read(reason):
            yield found
    else:
        found = await refusals.one(*at)
        if reason in {None, found.reason}:
            yield found


def _obstacle(refusal: Refusal, log: str) -> str | None:
    """Say why a refusal is not what Canvas sent; None where it is."""
    if refusal.truncated:
        return "too large, only its beginning was kept"
    if refusal.source == log:
        return "scoring refused it, it holds an event as intake wrote it"
    return None
