"""``gradewatch rules check`` and ``schema``: is a rules file right, and what may one say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams import settings
from streams.core.rule_lint import inspect
from streams.core.rule_schema import schema as json_schema
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ODD = 2
_WRONG = ConfigurationError.exit_code


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--strict", is_flag=True, help="Exit 2 where something is odd.")
def check(files: Sequence[Path], *, strict: bool) -> int:
    """Check rules files, by default the one of the settings; no cluster is asked.

    Whatever is wrong is told with line and column; so is what is valid and yet odd: rules that
    repeat others, keys without effect.

    Exit codes: 0 valid, 78 something is wrong, 2 with --strict: something is odd.
    """
    codes = [_check(file) for file in files or [settings.load().rules]]
    if _WRONG in codes:
        return _WRONG
    return _ODD if strict and _ODD in codes else 0


@click.command()
def schema() -> None:
    """Show the JSON Schema of rules.yaml, for editors.

    Exit codes: 0 shown.
    """
    click.echo(json_schema(), nl=False)


def _check(file: Path) -> int:
    """Say what is wrong or odd in a file, and return the exit code of that."""
    try:
        rules, odd = inspect(_text(file), str(file))
    except ConfigurationError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}" if line.startswith(str(file)) else line, err=True)
        return _WRONG
    for line in odd:
        click.echo(f"warning: {line}", err=True)
    count = len(rules.rules)
    told = f", {len(odd)} odd" if odd else ""
    click.echo(f"{file}: {count} rule{'s' if count != 1 else ''}, hash {rules.hash}: valid{told}")
    return _ODD if odd else 0


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror}",
            "name another file, or let GRADEWATCH_RULES name it",
        ) from None
