"""``gradewatch events``: simulated Canvas traffic, events from a file, and the refused ones."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from streams import admin, settings
from streams.cli.refused import refused
from streams.errors import GradewatchError
from streams.player import paced, play
from streams.simulator import RawRecord, semester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHOWN = 10
"""How many bad lines of a file are named."""

_format = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
_rate = click.option("--rate", type=click.IntRange(1), help="Events per second.  [default: all]")


@click.group()
def events() -> None:
    """Play events to the topic your Canvas live events arrive on; look after refused ones."""


events.add_command(refused)


class _Instant(click.ParamType):
    """ISO 8601 with an offset."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the instant that the text names."""
        try:
            instant = datetime.fromisoformat(str(value))
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            self.fail("not ISO 8601 with an offset, such as 2026-05-15T17:00:00Z", param, ctx)
        return instant


@events.command()
@click.option("--events", "count", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Other seed, other semester.")
@click.option("--end", type=_Instant(), help="When the semester ends, ISO 8601.  [default: now]")
@click.option("--students", type=click.IntRange(1), help="[default: one for 66 events]")
@click.option("--courses", type=click.IntRange(1), help="[default: classes of about 30]")
@_rate
@click.option(
    "--to",
    type=click.File("wb", lazy=True),
    help="File to write as NDJSON, '-' for standard output.  [default: the raw topic]",
)
@_format
def simulate(
    *,
    count: int,
    seed: int,
    end: datetime | None,
    students: int | None,
    courses: int | None,
    rate: int | None,
    to: IO[bytes] | None,
    form: str,
) -> None:
    """Play a semester of made-up Canvas events, bad ones and repeats included.

    The same seed, count and end give the same bytes. NDJSON keeps the values only: no keys, no
    timestamps; send it with `gradewatch events send --raw`.

    Exit codes: 0 all acknowledged, 69 Kafka unavailable, 78 configuration.
    """
    end = end or datetime.fromtimestamp(time.time(), UTC)
    records = semester(seed, count, end, students=students, courses=courses)
    _run(records, count, to, rate, form)


@events.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--raw", is_flag=True, help="Send every line as it is, JSON or not.")
@_rate
@_format
def send(file: str, rate: int | None, form: str, *, raw: bool) -> None:
    """Send the lines of FILE ('-': standard input) to the raw topic, one record each.

    Nothing is sent unless every line is JSON, or --raw says that it may be anything.

    Exit codes: 0 all acknowledged, 1 a bad line, 69 Kafka unavailable, 78 configuration.
    """
    with click.open_file(file, "rb") as given, tempfile.TemporaryFile() as copy:
        lines: IO[bytes] = given
        if file == "-":  # read twice, first to be checked, then to be sent
            shutil.copyfileobj(given, copy)
            copy.seek(0)
            lines = copy
        count = _checked(lines, file, raw=raw)
        lines.seek(0)
        _run(map(_record, lines), count, None, rate, form)


def _checked(lines: IO[bytes], name: str, *, raw: bool) -> int:
    """Return the number of lines; unless ``raw``, each is JSON.

    Raises:
        GradewatchError: Some are not; the first are named as ``file:line``.
    """
    bad: list[str] = []
    number = bad_lines = 0
    for number, line in enumerate(lines, 1):
        problem = None if raw else _problem(line)
        if problem:
            bad_lines += 1
            if len(bad) < SHOWN:
                bad.append(f"{name}:{number}: {problem}")
    if not bad:
        return number
    more = [f"... and {bad_lines - SHOWN:,} more"] if bad_lines > SHOWN else []
    cause = f"nothing sent, {bad_lines:,} of {number:,} lines are not JSON:"
    raise GradewatchError(
        "\n  ".join([cause, *bad, *more]), "correct the lines, or send them as they are with --raw"
    )


def _problem(line: bytes) -> str | None:
    """Say what keeps a line from being JSON: a position, never a value."""
    if not line.strip():
        return "empty"
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return None


def _record(line: bytes) -> RawRecord:
    return RawRecord(line.rstrip(b"\r\n"), None, int(time.time() * 1000))


def _run(
    records: Iterable[RawRecord], count: int, to: IO[bytes] | None, rate: int | None, form: str
) -> None:
    """Play records to the raw topic, or to a file; say how many and how fast."""
    started = time.monotonic()
    # What matters of the client's complaints is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if to is None:
        chosen = settings.load()
        target = chosen.topic(chosen.raw_topic)
        kafka = admin.bootstrap(chosen)
        with _progress(count) as on_progress:
            done = asyncio.run(play(records, kafka, target, rate, on_progress))
    else:
        target = to.name
        with _progress(count) as on_progress:
            done = asyncio.run(_write(records, to, rate, on_progress))
    seconds = time.monotonic() - started
    speed = done / seconds if seconds else 0.0
    if form == "json":
        summary = {"events": done, "seconds": round(seconds, 3), "events_per_second": round(speed)}
        text = json.dumps({**summary, "to": target})
    else:
        text = f"{done:,} events to {target} in {seconds:.1f} s ({speed:,.0f} events/s)"
    click.echo(text, err=target == "-")  # standard output holds the events then


async def _write(
    records: Iterable[RawRecord],
    to: IO[bytes],
    rate: int | None,
    on_progress: Callable[[int], None],
) -> int:
    done = 0
    async for some in paced(records, rate):
        to.writelines((record.value or b"") + b"\n" for record in some)
        if rate:
            to.flush()
        done += len(some)
        on_progress(done)
    return done


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Give a bar on a terminal, and nothing elsewhere."""
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("events", total=total)
        yield lambda done: bar.update(task, completed=done)
