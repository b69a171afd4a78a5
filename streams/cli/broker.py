"""``gradewatch broker``: the embedded Kafka started, stopped and looked at."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from streams import broker as embedded
from streams import settings
from streams.broker import jars

if TYPE_CHECKING:
    from collections.abc import Iterator

UNAVAILABLE = 69

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=True, path_type=Path),
    help="Where its data is kept, and Kafka's jars.  [default: GRADEWATCH_DATA_DIR]",
)


@click.group()
def broker() -> None:
    """Run a genuine Apache Kafka on this machine, for a first look, tests and small sites.

    It listens on loopback only and asks nobody who they are. With KAFKA_BOOTSTRAP_SERVERS set,
    the other commands use that Kafka instead.
    """


@broker.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"TCP port; 0: any free one.  [default: the last one, at first {embedded.DEFAULT_PORT}]",
)
@_data_dir
def start(port: int | None, data_dir: Path | None) -> None:
    """Start the broker, or find it running; it answers when this returns.

    The first start downloads Kafka (about 45 MB). Exit codes: 0 it answers, 69 it could not be
    started.
    """
    chosen = settings.load(data_dir=data_dir)
    with progress() as on_progress:
        running = embedded.start(chosen.data_dir, port, on_progress)
    if running.already:
        click.echo(f"already running at {running.bootstrap_servers} (pid {running.pid})")
    else:
        click.echo(
            f"Apache Kafka {embedded.VERSION} answers at {running.bootstrap_servers} "
            f"(pid {running.pid}, {running.seconds:.1f} s)"
        )


@broker.command()
@_data_dir
def stop(data_dir: Path | None) -> None:
    """Stop the broker; its data stays.

    Exit codes: 0 none runs now, 69 it could not be stopped.
    """
    chosen = settings.load(data_dir=data_dir)
    with progress() as on_progress:
        stopped = embedded.stop(chosen.data_dir, on_progress)
    if stopped is None:
        click.echo("not running")
    elif stopped.killed:
        click.echo(
            f"killed after {stopped.seconds:.0f} s without a shutdown (pid {stopped.pid}); "
            "the next start recovers its data"
        )
    else:
        click.echo(f"stopped (pid {stopped.pid}, {stopped.seconds:.1f} s)")


@broker.command()
@_data_dir
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def status(data_dir: Path | None, form: str) -> int:
    """Say whether the broker runs, where, and how much it keeps.

    Exit codes: 0 it answers, 69 it does not.
    """
    found = embedded.status(settings.load(data_dir=data_dir).data_dir)
    fields = dataclasses.asdict(found) | {"data_dir": str(found.data_dir)}
    if form == "json":
        click.echo(json.dumps(fields))
    else:
        for name, value in fields.items():
            if value is not None:
                click.echo(f"{name.replace('_', ' '):<18} {value}")
    return 0 if found.state == "running" else UNAVAILABLE


@broker.command(hidden=True)
def lock() -> None:
    """Write the jars' lock file anew, for a new version of Kafka (maintainers)."""
    with tempfile.TemporaryDirectory() as scratch:
        pinned = jars.write_lock(Path(scratch))
    click.echo(f"{jars.LOCK.name}: {len(pinned)} jars, {sum(jar.size for jar in pinned):,} bytes")


@contextmanager
def progress() -> Iterator[jars.Progress]:
    """Give a bar on a terminal; elsewhere one plain line for each new thing that happens."""
    if not sys.stderr.isatty():
        said = set()

        def line(message: str, _done: int, _total: int) -> None:
            if message not in said:
                said.add(message)
                click.echo(message, err=True)

        yield line
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:

        def draw(message: str, done: int, total: int) -> None:
            if not bar.tasks or bar.tasks[0].description != message:
                for task in bar.task_ids:
                    bar.remove_task(task)
                bar.add_task(message, total=total or None)  # without a total it only pulses
            bar.update(bar.task_ids[0], completed=done)

        yield draw
