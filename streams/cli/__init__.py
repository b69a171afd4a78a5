"""The command ``gradewatch``: one module per noun; each command says its exit codes."""

from __future__ import annotations

import sys

import click

from streams.cli.lazy import Lazy
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
    "rules": "streams.cli.rules:rules",
    "access": "streams.cli.access:access",
    "clock": "streams.cli.clock:clock",
    "privacy": "streams.cli.privacy:privacy",
    "alerts": "streams.cli.alerts:alerts",
}
"""Command → where it lives."""


@click.group(cls=Lazy, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
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
