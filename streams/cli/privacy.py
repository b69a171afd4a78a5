"""``gradewatch privacy``: all that is held of one student, handed out or erased."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams import admin, settings
from streams.core import ids
from streams.engine.blocking import Failed
from streams.errors import GradewatchError
from streams.privacy import Dossier
from streams.privacy.records import CHANGELOG

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from streams.privacy.records import Found

WORKED_SECONDS: Final = 60.0
"""How long it is waited for until scoring has worked on an erasure."""

ROUNDS: Final = 3
"""How often what came up meanwhile is erased, too."""

NOTES_SECONDS: Final = 12.0
"""How long a note that was begun before the erasure may still arrive; producers try for 10 s."""

_student = click.option("--student", required=True, help="The student's id in Canvas.")
_tenant = click.option("--tenant", help="Whose; needed where several have such a student.")

LEFT: Final = """\
left to their retention (docs/privacy.md): events on grade-events, steps on grade-alerts and
grade-alerts-posted; what Canvas sends arrives on your raw topic, and what was refused stays on
grade-events-refused: neither is looked through here. New events start a new row: have the student
leave Canvas first, or filter the raw topic."""


@click.group()
def privacy() -> None:
    """Hand out, or erase, all that is held of one student."""


@privacy.command()
@_student
@_tenant
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file; else stdout."
)
def export(student: str, tenant: str | None, output: Path | None) -> int:
    """Write every record about a student, one JSON object a line, and who looked at them.

    Exit codes: 0 written, 1 there is no such student, or the file is there already, 69 Kafka
    unavailable, 78 configuration.
    """
    dossier = _dossier()
    whose, number = dossier.owner(_id(student), tenant)
    counts = Counter[str]()
    with _opened(output) as file:
        for each in (dossier.records(whose, number), dossier.looks(whose, number)):
            counts += _written(each, file)
    click.echo(_counted(counts), err=True)
    click.echo(
        "not among them: your raw topic, and grade-events-refused, of which nobody knows whom it "
        "is about", err=True,
    )  # fmt: skip
    return 0


@privacy.command()
@_student
@_tenant
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(student: str, tenant: str | None, *, yes: bool) -> int:
    """Erase a student: rows, alerts and notes go at once, and no replay brings them back.

    The erasure is a record of the log: it is worked on in its turn, in one transaction. What only
    retention takes is named at the end.

    Exit codes: 0 erased, 1 not erased yet, or not wanted, or no such student, 69 Kafka unavailable,
    78 configuration.
    """
    dossier = _dossier()
    whose, number = dossier.owner(_id(student), tenant)
    counts = Counter(found.topic for found in dossier.records(whose, number))
    click.echo(_counted(counts), err=True)
    if not yes:
        click.confirm("Erase this student? It cannot be undone", abort=True, err=True)
    for _ in range(ROUNDS):
        end = dossier.erase(whose, number)
        if not _is_worked(dossier, whose, number, end):
            raise GradewatchError(
                "the erasure is in the log, and no worker has come to it yet",
                "start a worker, or wait until it has caught up (gradewatch workers list); then "
                "erase once more, which checks that nothing is left",
            )
        left = dossier.left(whose, number) or _late(dossier, whose, number)
        if not left:
            break
        click.echo(f"not erased yet, or new: {_named(left)}; once more", err=True)
    else:
        raise GradewatchError(
            f"not erased: {_named(left)} of this student can still be read",
            "see that Canvas sends no more of their events, and that gradewatch doctor finds the "
            "rows of every partition complete; then erase once more",
        )
    rows = counts[CHANGELOG]
    click.echo(f"erased: {rows} changelog records, every alert and note; nothing of them is left")
    click.echo(LEFT)
    return 0


def _late(dossier: Dossier, tenant: str, student: str) -> Counter[str]:
    """Return what arrives after the erasure of notes that were being written during it."""
    click.echo(f"looking again in {NOTES_SECONDS:.0f} s: notes may be on their way", err=True)
    time.sleep(NOTES_SECONDS)
    return dossier.left(tenant, student)


def _dossier() -> Dossier:
    chosen = settings.load()

    def told(what: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"{what} ...", err=True)

    return Dossier(chosen, admin.bootstrap(chosen), told)


def _id(student: str) -> str:
    try:
        ids.spellings(student)
    except ValueError:
        raise click.UsageError("--student: an id is a number from 1 to 2^63 - 1") from None
    return student


def _opened(output: Path | None) -> TextIO:
    """Open a file that is not there yet, for its owner alone; without one stdout stays open."""
    if output is None:
        return open(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")  # noqa: PTH123
    try:
        made = os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise GradewatchError(
            f"{output} cannot be made: {error.strerror}", "name a new file: --output FILE"
        ) from None
    return open(made, "w", encoding="utf-8")  # noqa: PTH123 - its caller closes it


def _written(records: Iterable[Found], file: TextIO) -> Counter[str]:
    counts = Counter[str]()
    for found in records:
        if found.value:
            print(json.dumps(found.told(), ensure_ascii=False), file=file)
            counts[found.topic] += 1
    return counts


def _counted(counts: Counter[str]) -> str:
    return f"records: {_named(counts) or 'none'}"


def _named(counts: Counter[str]) -> str:
    return ", ".join(f"{topic} {number}" for topic, number in counts.items() if number)


def _is_worked(dossier: Dossier, tenant: str, student: str, end: int) -> bool:
    deadline = time.monotonic() + WORKED_SECONDS
    while time.monotonic() < deadline:
        try:
            if dossier.is_worked(tenant, student, end):
                return True
        except Failed:
            pass  # a transaction is pending: asked again
        time.sleep(0.2)
    return False
