"""``gradewatch workers``: who is in the group, and who is gone for good."""

from __future__ import annotations

import json

import click

from streams import admin, group, settings


@click.group()
def workers() -> None:
    """Look at the workers that share the work, as Kafka sees them."""


@workers.command("list")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def list_(form: str) -> None:
    """List the workers in the consumer group and the partitions each works on.

    Exit codes: 0 listed, 69 Kafka unavailable.
    """
    chosen = settings.load()
    state, members = group.members(chosen, admin.bootstrap(chosen))
    if form == "json":
        listed = [each._asdict() for each in members]
        click.echo(json.dumps({"group": chosen.group, "state": state, "workers": listed}))
        return
    click.echo(f"group {chosen.group}: {state}, {len(members)} workers")
    for each in members:
        static = "static" if each.instance_id else "dynamic"
        click.echo(f"{each.worker}  {static} member from {each.host}, {each.url}")
        for topic, partitions in sorted(each.partitions.items()):
            click.echo(f"    {topic}: {', '.join(map(str, partitions))}")


@workers.command()
@click.argument("worker_id")
def remove(worker_id: str) -> None:
    """Take a worker that is stopped for good out of the group: its partitions move at once.

    Without it, Kafka keeps its place for 10 s after the last sign of life, so that a restart moves
    nothing. A worker that still runs is left alone.

    Exit codes: 0 removed, 1 it still runs, or no such worker, 69 Kafka unavailable.
    """
    chosen = settings.load()
    member = group.remove(chosen, admin.bootstrap(chosen), worker_id)
    count = sum(map(len, member.partitions.values()))
    click.echo(f"removed {worker_id}; its {count} partitions move to the others")
