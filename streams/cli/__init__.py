"""The command ``gradewatch``: one module per noun; each command says its exit codes."""

from __future__ import annotations

import importlib
import sys

import click

from streams.errors import GradewatchError

COMMANDS = {
    "demo": "streams.cli.demo:demo",
    "broker": "streams.cli.broker:broker",
    "topics": "streams.cli.topics:topics",
    "doctor": "streams.cli.doctor:doctor",
    "worker": "streams.cli.worker:worker",
    "workers": "streams.cli.workers:workers",
    "events": "streams.cli.events:events",
    "scores": "streams.cli.scores:scores",
    "alerts": "streams.cli.alerts:alerts",
}
"""Command → where it lives. Imported when called, so that ``--help`` answers at once."""


class _Commands(click.Group):
    """Loads a command when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - our own table
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradewatch")
def cli() -> None:
    """Canvas grade events in, course scores kept, alerts out - on your own Kafka.

    Exit codes: 0 done, 1 failed, 2 changes or faults found, or wrong usage, 65 records are gone,
    69 broker unavailable, 78 configuration, 130 interrupted.
    """


def main() -> None:
    """Run the command line; every expected failure ends as one message, never a traceback."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GradewatchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
