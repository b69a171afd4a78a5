"""What commands that plan and apply share: a question before anything changes, and exit codes."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from streams.errors import GradewatchError

if TYPE_CHECKING:
    from collections.abc import Iterator


def ask(count: int) -> None:
    """Somebody at the terminal wants the changes.

    Raises:
        GradewatchError: They do not, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise GradewatchError(
            f"{count} changes are not carried out: there is no terminal to ask on", "add --yes"
        )
    if not click.confirm(f"carry out {count} changes?", err=True):
        raise GradewatchError("nothing was changed")


@contextmanager
def errors_exit_1() -> Iterator[None]:
    """Let every failure exit 1, so that 2 can only mean changes."""
    try:
        yield
    except GradewatchError as error:
        error.exit_code = 1
        raise
