"""``gradewatch doctor``: what is wrong with a set-up, what shows it, what to do."""

from __future__ import annotations

import json

import click

from streams import doctor as examination
from streams import settings
from streams.core.acls import Role
from streams.doctor import Finding, State
from streams.doctor.finding import failure
from streams.errors import ConfigurationError

_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


@click.command()
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.WORKER),
    show_default=True,
    help="Whose ACLs to look for; the doctor connects as what the settings say.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def doctor(role: str, form: str) -> int:
    """Look at everything that a worker needs, and at the workers that run; change nothing.

    Each line: ok, warn or fail, what was looked at, what shows it, and what to do. Run it where a
    worker runs, with the worker's settings.

    Exit codes: 0 all ok, 1 warnings, 2 something fails.
    """
    found: list[Finding] = []
    try:
        patient = examination.Patient(settings.load(), Role(role))
    except ConfigurationError as error:
        problem = Finding("settings", *failure(error))
        found.append(problem)
        if form == "text":
            _show(problem)
    else:
        for finding in examination.examine(patient):
            found.append(finding)
            if form == "text":
                _show(finding)
    worst = max((each.state for each in found), key=lambda state: state.gravity)
    if form == "json":
        listed = [each._asdict() for each in found]
        click.echo(json.dumps({"state": worst, "findings": listed}, indent=2))
    else:
        counts = {state: sum(each.state is state for each in found) for state in State}
        click.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    return worst.gravity


def _show(finding: Finding) -> None:
    state = click.style(f"{finding.state:<4}", fg=_COLOURS[finding.state])
    click.echo(f"{state}  {finding.check}: {finding.evidence}")
    if finding.remedy:
        click.echo(f"      next: {finding.remedy}")
