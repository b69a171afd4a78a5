"""``gradewatch rules mutate``: whether rule tests notice when a rule is changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from streams.cli.rule_tests import FILES, load
from streams.errors import ConfigurationError
from streams.trust import trial
from streams.trust.mutate import measure

if TYPE_CHECKING:
    from pathlib import Path

LEAST = 95
"""Percent of the mutants that must be noticed."""


@click.command()
@click.argument("file", type=FILES)
@click.option("--processes", type=click.IntRange(1), help="[default: one for each core]")
@click.option("--least", type=click.IntRange(0, 100), default=LEAST, show_default=True)
def mutate(file: Path, processes: int | None, least: int) -> None:
    """Change one thing of the rules at a time, and see whether a test in FILE notices.

    Every number one step up and down, every optional clause left out, every choice made otherwise,
    every rule left out. What no test noticed is named.

    Exit codes: 0 enough are noticed, 1 too few, or a test fails already, 78 a file is wrong.
    """
    tests, rules = load(file)
    failing = [result.name for result in trial.run(tests, rules) if result.failures]
    if failing:
        click.echo(f"{file}: a test fails already: {failing[0]}", err=True)
        click.get_current_context().exit(1)
    columns = (TextColumn("mutants"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("mutants")
        score = measure(
            tests,
            rules,
            processes or psutil.cpu_count() or 1,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if score.wrong:
        raise ConfigurationError(
            "\n  ".join([f"{file}: equivalent is not right", *score.wrong]), "correct the list"
        )
    for name in score.survivors:
        click.echo(f"survived  {name}")
    total = score.noticed + len(score.survivors)
    more = f", {len(score.equivalent)} equivalent" if score.equivalent else ""
    click.echo(f"{file}: {score.noticed} of {total} mutants noticed ({score.percent:.1f} %){more}")
    if score.percent < least:
        click.get_current_context().exit(1)
