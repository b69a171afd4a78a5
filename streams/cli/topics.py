"""``gradewatch topics``: what topics.yaml says, and a cluster made so."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from streams import admin, settings
from streams.cli.acls import acls
from streams.cli.asking import ask, errors_exit_1
from streams.core.topics import Plan, Step, Verdict
from streams.errors import BrokerError, GradewatchError

if TYPE_CHECKING:
    from streams.settings import Settings

_POLL_SECONDS = 0.5
_CODES = {Verdict.NO_CHANGE: 0, Verdict.CHANGES: 2, Verdict.BLOCKED: 1}

_format = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
_loss = click.option(
    "--allow-data-loss",
    is_flag=True,
    help="Permit settings by which Kafka deletes records: shorter retention, another cleanup.",
)
_external = click.option(
    "--create-external",
    is_flag=True,
    help="Create the topic that Canvas's events arrive on too, where it is missing; on the "
    "embedded broker that is always done.",
)


@click.group()
def topics() -> None:
    """Topics as topics.yaml describes them; nothing is ever deleted."""


topics.add_command(acls)


@topics.command()
def validate() -> None:
    """Check topics.yaml, without a cluster.

    Exit codes: 0 valid, 78 not.
    """
    chosen = settings.load()
    count = len(admin.read_topics(chosen).specs)
    click.echo(f"{chosen.topics}: {count} topics, profile {chosen.topics_profile}: valid")


@topics.command()
@_external
@_loss
@_format
def plan(*, create_external: bool, allow_data_loss: bool, form: str) -> int:
    """Show what an apply would do.

    Exit codes: 0 no change, 2 changes, 1 error, or something is blocked.
    """
    with errors_exit_1():
        made = _made(settings.load(), external=create_external, loss=allow_data_loss)
    _show(made, form)
    return _CODES[made.verdict]


@topics.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait",
    "wait_seconds",
    type=click.IntRange(0),
    default=0,
    metavar="SECONDS",
    help="Wait until Kafka answers, with as many brokers as the topics have copies.",
)
@_external
@_loss
@_format
def apply(
    *, yes: bool, wait_seconds: int, create_external: bool, allow_data_loss: bool, form: str
) -> None:
    """Create topics, add partitions, set settings; all others stay.

    Nothing is carried out while anything is blocked. Exit codes: 0 done, 1 not.
    """
    with errors_exit_1():
        chosen = settings.load()
        _await_brokers(chosen, wait_seconds)
        made = _made(chosen, external=create_external, loss=allow_data_loss)
        _show(made, form)
        if made.verdict is Verdict.CHANGES:
            if not yes:
                ask(len(made.changes))
            admin.carry_out(admin.bootstrap(chosen), made)
            click.echo(f"done: {len(made.changes)} changes", err=True)
        elif made.verdict is Verdict.BLOCKED:
            raise GradewatchError("nothing was changed", "see what is blocked, above")


def _made(chosen: Settings, *, external: bool, loss: bool) -> Plan:
    # Not asked for is not "no": the embedded broker's raw topic is ours to create.
    return admin.make_plan(chosen, create_external=external or None, allow_data_loss=loss)


def _await_brokers(chosen: Settings, seconds: int) -> None:
    """Return once a plan can be carried out, or time is up: then the plan says what is missing."""
    copies = max(each.replication for each in admin.read_topics(chosen).specs)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(BrokerError):
            if admin.observe(admin.bootstrap(chosen), []).brokers >= copies:
                return
        time.sleep(_POLL_SECONDS)


def _show(made: Plan, form: str) -> None:
    if form == "json":
        steps = [_as_data(each) for each in made.steps]
        click.echo(json.dumps({"verdict": made.verdict, "steps": steps}, indent=2))
        return
    for step in made.steps:
        click.echo(str(step))
    click.echo(f"{made.verdict}: {len(made.changes)} changes, {len(made.blocked)} blocked")


def _as_data(step: Step) -> dict[str, object]:
    return {"action": _ACTIONS[type(step).__name__], **asdict(step)}


_ACTIONS = {
    "Create": "create",
    "AddPartitions": "add-partitions",
    "SetConfig": "set-config",
    "Blocked": "blocked",
    "Noted": "noted",
}
