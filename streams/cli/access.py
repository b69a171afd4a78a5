"""``gradewatch access``: who may see what."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams import settings
from streams.access import people
from streams.access.assignments import assigned
from streams.access.people import Named
from streams.access.roles import Role
from streams.core.instants import instant
from streams.errors import ConfigurationError, GradewatchError

if TYPE_CHECKING:
    from collections.abc import Callable

ROLES = [role.value for role in Role if role is not Role.LOCAL]

_file = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The access file.  [default: GRADEWATCH_ACCESS_FILE]",
)


@click.group()
def access() -> None:
    """Say who may see what; workers take notice within a second, without a restart."""


@access.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="What they are.")
@click.option("--tenant", help="Whose they are; without it of any tenant.")
@click.option("--student", help="The id in Canvas of a student who is to see their own.")
@click.option("--renew", is_flag=True, help="Give somebody a new token; the old one ends.")
@_file
def add(
    name: str,
    role: str | None,
    tenant: str | None,
    student: str | None,
    *,
    renew: bool,
    file: Path | None,
) -> int:
    """Let somebody in: prints a token, once; the file holds only its SHA-256.

    Exit codes: 0 added, 1 somebody is called so, 78 configuration.
    """
    place, token = _place(file), people.new_token()
    with people.editing(place) as told:
        before = told[0]
        if renew:
            known = before.one(name)
            named = known.model_copy(update={"token_sha256": people.hashed(token)})
        else:
            if any(each.name == name for each in before.people):
                raise GradewatchError(
                    f"somebody is called {name}", "choose another name, or --renew their token"
                )
            named = _named(name, role, tenant, student, token)
        others = tuple(each for each in before.people if each.name != name)
        told[0] = before.model_copy(update={"people": (*others, named)})
    click.echo(
        f"{named.name} ({named.role}) is let in by this token. It is shown once; {place} holds "
        "its SHA-256 alone.",
        err=True,
    )
    click.echo(token)
    if named.role in {Role.ADVISOR, Role.INSTRUCTOR} and not renew:
        click.echo("next: say whom they may see: gradewatch access assign FILE.csv", err=True)
    return 0


@access.command("list")
@_file
def list_(file: Path | None) -> int:
    """List everybody who is let in, without their tokens.

    Exit codes: 0 listed, 78 configuration.
    """
    told = people.load(_place(file))
    rows = [("name", "role", "tenant", "sees", "since")]
    for each in sorted(told.people, key=lambda one: one.name):
        count = sum(one.name == each.name for one in told.assignments)
        sees = {
            Role.ADVISOR: f"{count} students", Role.INSTRUCTOR: f"{count} courses",
            Role.STUDENT: "own, posted", Role.SERVICE: "everything", Role.OPERATOR: "no scores",
        }[each.role]  # fmt: skip
        rows.append((each.name, each.role.value, each.tenant or "any", sees, each.made_at[:10]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    return 0


@access.command()
@click.argument("name")
@_file
def revoke(name: str, file: Path | None) -> int:
    """Let somebody in no longer: their token and their sessions end, their assignments go.

    Exit codes: 0 revoked, 1 nobody is called so, 78 configuration.
    """
    place = _place(file)
    with people.editing(place) as told:
        before = told[0]
        before.one(name)
        told[0] = before.model_copy(
            update={
                "people": tuple(each for each in before.people if each.name != name),
                "assignments": tuple(each for each in before.assignments if each.name != name),
            }
        )
    click.echo(f"{name} is let in no longer")
    return 0


@access.command()
@click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Check the file, and change nothing.")
@_file
def assign(table: Path, *, dry_run: bool, file: Path | None) -> int:
    """Say who advises or teaches whom: the file stands for all assignments there are.

    The heading is name,relation,tenant,id; a relation is advises (id is a student's) or teaches
    (id is a course's).

    Exit codes: 0 assigned, 78 a line is wrong; each is named, and nothing has changed.
    """
    try:
        text = table.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{table} cannot be read: {error}", "name a CSV file in UTF-8"
        ) from None
    with people.editing(_place(file)) as told:
        before = told[0]
        now = assigned(before, text, str(table))
        if not dry_run:
            told[0] = now
    was, be = set(before.assignments), set(now.assignments)
    done = "would be" if dry_run else "are"
    click.echo(f"{len(be)} assignments {done} in force: {len(be - was)} new, {len(was - be)} gone")
    return 0


def _named(
    name: str, role: str | None, tenant: str | None, student: str | None, token: str
) -> Named:
    if role is None:
        raise click.UsageError(f"--role: one of {', '.join(ROLES)}")
    try:
        return Named(
            name=name, role=Role(role), tenant=tenant, student_id=student,
            token_sha256=people.hashed(token), made_at=instant(int(time.time() * 1000)),
        )  # fmt: skip
    except ValueError as error:
        raise click.UsageError(_message(error)) from None


def _message(error: ValueError) -> str:
    errors: Callable[..., list[dict[str, str]]] | None = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    first = errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _place(file: Path | None) -> Path:
    place = file or settings.load().access_file
    if place is None:
        raise ConfigurationError(
            "no access file is named", "set GRADEWATCH_ACCESS_FILE, for the workers too; or --file"
        )
    return place.expanduser()
