"""``gradewatch rules``: what may be known of rules before they are live."""

from __future__ import annotations

import click

from streams.cli.lazy import Lazy

COMMANDS = {
    "check": "streams.cli.rules_check:check",
    "schema": "streams.cli.rules_check:schema",
    "test": "streams.cli.rule_tests:rule_tests",
    "mutate": "streams.cli.mutate:mutate",
    "backtest": "streams.cli.backtest:backtest",
}
"""Command → where it lives."""


@click.group(cls=Lazy, table=COMMANDS)
def rules() -> None:
    """What alerts: rules checked, tested and tried on the past before they are live."""
