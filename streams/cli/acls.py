"""``gradewatch topics acls``: the fewest rights of each role, shown, compared and added."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING

import click

from streams import acls as cluster
from streams import admin, settings
from streams.cli.asking import ask, errors_exit_1
from streams.core.acl_plan import Plan, covers, plan
from streams.core.acls import Acl, Resource, Role, required
from streams.errors import GradewatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Settings

_ANYBODY = "User:gradewatch"


class _Principal(click.ParamType):
    """Who, as Kafka calls them."""

    name = "principal"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the principal."""
        kind, colon, name = str(value).partition(":")
        if not (kind and colon and name):
            self.fail("not a principal such as User:gradewatch", param, ctx)
        return str(value)


_roles = click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    required=True,
    help="What it does; several may be named.",
)
_group = click.option(
    "--group",
    "reader_group",
    help="Consumer group of a program that reads as alerts, posted or refused.",
)
_host = click.option("--host", default="*", show_default=True, help="Address it comes from.")
_principal = click.option("--principal", type=_Principal(), required=True, help="Such as User:x.")
_format = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.group()
def acls() -> None:
    """ACLs as topics.yaml asks for them; none is ever removed."""


@acls.command(name="print")
@_roles
@_group
@_host
@click.option("--principal", type=_Principal(), default=_ANYBODY, show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "kafka-acls"]),
    default="text",
    show_default=True,
)
def print_(
    roles: Sequence[str], reader_group: str | None, host: str, principal: str, form: str
) -> None:
    """Show the fewest ACLs with which a role works; no cluster is asked.

    With kafka-acls: as commands of Kafka's own tool, for whoever runs that Kafka.

    Exit codes: 0 shown, 78 configuration.
    """
    chosen = settings.load()
    needed = _needed(chosen, roles, reader_group)
    if form == "json":
        shown = [_as_data(each) for each in needed]
        click.echo(json.dumps({"principal": principal, "host": host, "acls": shown}, indent=2))
    elif form == "kafka-acls":
        for command in _commands(needed, chosen, principal, host):
            click.echo(command)
    else:
        width = max(len(str(each)) for each in needed)
        for each in needed:
            click.echo(f"{each!s:<{width}}  without: {each.why}")


@acls.command(name="plan")
@_principal
@_roles
@_group
@_host
@_format
def plan_(
    principal: str, roles: Sequence[str], reader_group: str | None, host: str, form: str
) -> int:
    """Show which ACLs a principal lacks, and what denies or exceeds them.

    Exit codes: 0 none lacks, 2 some do, 1 error, or some are denied.
    """
    with errors_exit_1():
        made = _planned(settings.load(), principal, roles, reader_group, host)
    _show(made, form)
    return 1 if made.denied else 2 if made.missing else 0


@acls.command()
@_principal
@_roles
@_group
@_host
@click.option("--yes", is_flag=True, help="Do not ask.")
@_format
def apply(
    principal: str,
    roles: Sequence[str],
    reader_group: str | None,
    host: str,
    form: str,
    *,
    yes: bool,
) -> None:
    """Add the ACLs a principal lacks; all others stay.

    Nothing is added while anything that is needed is denied. Exit codes: 0 done, 1 not.
    """
    with errors_exit_1():
        chosen = settings.load()
        made = _planned(chosen, principal, roles, reader_group, host)
        _show(made, form)
        if made.denied:
            raise GradewatchError("nothing was added", "see what denies, above: remove it first")
        if made.missing:
            if not yes:
                ask(len(made.missing))
            cluster.grant(admin.bootstrap(chosen), principal, made.missing, host)
            click.echo(f"done: {len(made.missing)} added", err=True)


def _needed(chosen: Settings, roles: Sequence[str], reader_group: str | None) -> list[Acl]:
    """Return what all these roles need, without what is included in another."""
    topics = admin.read_topics(chosen)
    found = [
        each
        for role in roles
        for each in required(
            topics,
            chosen.group,
            Role(role),
            transactions=chosen.exactly_once,
            reader_group=reader_group,
        )
    ]
    once = dict.fromkeys(found)
    return [one for one in once if not any(covers(more, one) for more in once if more != one)]


def _planned(
    chosen: Settings, principal: str, roles: Sequence[str], reader_group: str | None, host: str
) -> Plan:
    needed = _needed(chosen, roles, reader_group)
    return plan(needed, cluster.observe(admin.bootstrap(chosen), principal), principal, host)


def _show(made: Plan, form: str) -> None:
    if form == "json":
        shown = {
            "principal": made.principal,
            "missing": [_as_data(each) for each in made.missing],
            "denied": [{"acl": _as_data(acl), "by": str(by)} for acl, by in made.denied],
            "beyond": [str(each) for each in made.beyond],
        }
        click.echo(json.dumps(shown, indent=2))
        return
    for each in made.missing:
        click.echo(f"+ allow {made.principal} {each}")
    for acl, by in made.denied:
        click.echo(f"! DENIED {acl}: {by}")
    for binding in made.beyond:
        click.echo(f"? more than needed, stays as it is: {binding}")
    verdict = "denied" if made.denied else "changes" if made.missing else "no change"
    click.echo(f"{verdict}: {len(made.missing)} to add, {len(made.denied)} denied")


def _as_data(acl: Acl) -> dict[str, object]:
    return {
        "resource": acl.resource,
        "name": acl.name,
        "pattern": "PREFIXED" if acl.prefixed else "LITERAL",
        "operation": acl.operation,
        "without": acl.why,
    }


def _commands(needed: Sequence[Acl], chosen: Settings, principal: str, host: str) -> list[str]:
    """Return a command of ``kafka-acls.sh`` for each resource."""
    about: defaultdict[tuple[Resource, str, bool], list[str]] = defaultdict(list)
    for each in needed:
        words = str(each.operation).split("_")
        about[each.resource, each.name, each.prefixed].append("".join(map(str.title, words)))
    servers = chosen.kafka_bootstrap_servers or "localhost:9092"
    commands = []
    for (resource, name, prefixed), operations in about.items():
        words = ["kafka-acls.sh", "--bootstrap-server", servers]
        words += ["--command-config", "admin.properties", "--add", "--allow-principal", principal]
        words += ["--allow-host", host] if host != "*" else []
        words += [word for operation in operations for word in ("--operation", operation)]
        words += [f"--{resource.replace('_', '-')}"]
        words += [name] if resource is not Resource.CLUSTER else []
        words += ["--resource-pattern-type", "prefixed"] if prefixed else []
        commands.append(shlex.join(words))
    return commands
