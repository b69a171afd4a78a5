"""``gradewatch rules backtest``: what rules would have told of the past."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from streams import settings
from streams.cli.backtest_log import play_log
from streams.cli.backtest_report import report, text
from streams.cli.instants import InstantType
from streams.cli.rule_tests import FILES, load_rules
from streams.core.intake import Reader
from streams.errors import GradewatchError
from streams.trust.backtest import Backtest, Plan
from streams.trust.ndjson import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    from streams.core.events import Instant
    from streams.core.flow import Passed

_STEP = 5000
"""Lines between two looks at the progress bar."""


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--from", "start", type=InstantType(), help="Only events from this time on.")
@click.option("--to", "end", type=InstantType(), help="Only events before this time.")
@click.option("--rules", type=FILES, help="[default: the rules file in the settings]")
@click.option("--against", type=FILES, help="Other rules: what would they add, and remove?")
@click.option(
    "--audience", type=click.Choice(["staff", "posted"]), default="staff", show_default=True
)
@click.option("--ids", is_flag=True, help="Name students: the report is an education record then.")
@click.option("--processes", type=click.IntRange(1), help="[default: one for each core]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def backtest(  # noqa: PLR0917 - click gives them by name
    file: str | None,
    start: Instant | None,
    end: Instant | None,
    rules: Path | None,
    against: Path | None,
    audience: str,
    processes: int | None,
    form: str,
    *,
    ids: bool,
) -> None:
    """Play the past, and count what the rules would have told.

    The past is grade-events on Kafka, or the lines of FILE ('-': standard input), in the order of
    time: what Canvas sent, or records of grade-events. Nothing is written anywhere.

    Exit codes: 0 played, 69 Kafka unavailable, 78 configuration.
    """
    chosen = settings.load()
    plan = Plan(
        load_rules(rules or chosen.rules),
        None if against is None else load_rules(against),
        audience,
    )
    begun = time.monotonic()
    played = Backtest(plan, processes or psutil.cpu_count() or 1)
    lines = Lines(Reader(chosen.tenants, chosen.default_tenant))
    try:
        if file is None:
            logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
            with _progress(None) as on_progress:
                asyncio.run(play_log(chosen, played, start, end, on_progress))
        else:
            _play_file(file, lines, played, start or "", end or "9")
        result = played.finish(end or "")
    except RuntimeError as error:
        raise GradewatchError(str(error), "run it again with --processes 1") from error
    finally:
        played.stop()
    seconds = time.monotonic() - begun
    told = report(plan, played, result, dict(lines.passed_over), seconds, ids=ids)
    click.echo(json.dumps(told) if form == "json" else text(told))


def _play_file(file: str, lines: Lines, played: Backtest, start: str, end: str) -> None:
    def play(some: Iterable[Passed]) -> None:
        for passed in some:
            if start <= passed.event_time < end:
                played.record(passed)

    size = None if file == "-" else Path(file).stat().st_size
    with click.open_file(file, "rb") as given, _progress(size) as on_progress:
        stream: IO[Any] = given
        done = 0
        for number, line in enumerate(stream):
            play(lines.read(line))
            done += len(line)
            if number % _STEP == 0:
                on_progress(done, played.events, size)
        play(lines.rest())


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int, int, int | None], None]]:
    """Give a bar on a terminal, and nothing elsewhere: how much of how much; how many events."""
    columns = (
        TextColumn("{task.fields[events]:,} events"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=total, events=0)
        yield lambda done, events, of: bar.update(task, completed=done, total=of, events=events)
