"""``gradewatch rules test``: rules tried on stories, before they judge students."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.core import rules as rules_file
from streams.errors import ConfigurationError
from streams.trust import coverage as covering
from streams.trust import junit as junit_xml
from streams.trust import testfile, trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.rules import Rules
    from streams.trust.testfile import RuleTests
    from streams.trust.trial import Failure, Result


class _Pattern(click.ParamType):
    """A regular expression."""

    name = "regex"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> re.Pattern[str]:
        """Return the compiled pattern."""
        try:
            return re.compile(str(value))
        except re.error as error:
            self.fail(f"no regular expression: {error}", param, ctx)


FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="test")
@click.argument("files", nargs=-1, required=True, type=FILES)
@click.option("--run", "chosen", type=_Pattern(), help="Only tests whose name this finds.")
@click.option("--diff", is_flag=True, help="Show failures as a unified diff.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option(
    "--coverage/--no-coverage",
    default=True,
    show_default=True,
    help="Every rule needs a test in which it fires, and one in which it stays silent.",
)
def rule_tests(
    files: tuple[Path, ...],
    chosen: re.Pattern[str] | None,
    junit: Path | None,
    *,
    diff: bool,
    coverage: bool,
) -> None:
    """Play the stories in FILES, and compare what is told with what they expect.

    Exit codes: 0 all pass, 1 a test fails or a rule is not covered, 78 a file is wrong.
    """
    suites: dict[str, list[Result]] = {}
    covered: dict[Path, tuple[Rules, list[RuleTests]]] = {}
    for file in files:
        tests, rules = load(file)
        found = [one for one in tests.tests if chosen is None or chosen.search(one.name)]
        suites[str(file)] = _show(file, trial.run(tests, rules, found), diff=diff)
        place = (file.parent / tests.rules).resolve()
        covered.setdefault(place, (rules, []))[1].append(tests)
    results = [one for some in suites.values() for one in some]
    missing = [
        line for rules, of in covered.values() if coverage for line in covering.uncovered(rules, of)
    ]
    for line in missing:
        click.echo(f"FAIL  {line}")
    if missing:
        silence = trial.Failure("every rule fires in a test, and stays silent in one", (), ())
        suites["coverage"] = [trial.Result(line, (silence,), 1) for line in missing]
    if junit is not None:
        _write(junit, junit_xml.report(suites))
    failed = sum(bool(one.failures) for one in results)
    if not results:
        raise click.UsageError("no test has such a name")
    gaps = f", {len(missing)} not covered" if missing else ""
    click.echo(f"{len(results) - failed} passed, {failed} failed{gaps}")
    if failed or missing:
        click.get_current_context().exit(1)


def load(file: Path) -> tuple[RuleTests, Rules]:
    """Return a test file, and the rules it is about.

    Raises:
        ConfigurationError: One of the two is wrong, or cannot be read.
    """
    return testfile.load(read(file), str(file), lambda name: load_rules(file.parent / name))


def load_rules(file: Path) -> Rules:
    """Return a rules file.

    Raises:
        ConfigurationError: It is wrong, or cannot be read.
    """
    return rules_file.load(read(file).decode("utf-8", "replace"), str(file))


def read(file: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        cause = f"{file} cannot be read: {error.strerror}"
        raise ConfigurationError(cause, "give the path of a file that is there") from error


def _write(file: Path, document: bytes) -> None:
    try:
        file.write_bytes(document)
    except OSError as error:
        cause = f"{file} cannot be written: {error.strerror}"
        raise ConfigurationError(cause, "give --junit a path in a folder that is there") from error


def _show(file: Path, results: Iterable[Result], *, diff: bool) -> list[Result]:
    shown = []
    for result in results:
        shown.append(result)
        click.echo(f"{'FAIL' if result.failures else 'ok  '}  {file.name}: {result.name}")
        for failure in result.failures:
            text = _diff(failure) if diff else junit_xml.text(failure)
            click.echo("\n".join(f"      {line}" for line in text.splitlines()))
    return shown


def _diff(failure: Failure) -> str:
    lines = difflib.unified_diff(
        failure.expected, failure.got, "expected", "got", failure.where, failure.where, lineterm=""
    )
    return "\n".join(lines)
