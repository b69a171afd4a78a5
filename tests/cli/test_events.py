"""``gradewatch events`` without a broker: files, wrong usage, what is said when Kafka is away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from streams.cli.events import events
from streams.errors import BrokerError, GradewatchError

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

END = "2026-05-15T17:00:00Z"


@pytest.fixture
def runner(tmp_path: Path) -> CliRunner:
    """A command line that finds no Kafka: none is named, and no embedded one has data there."""
    no_kafka = {"KAFKA_BOOTSTRAP_SERVERS": None, "GRADEWATCH_DATA_DIR": str(tmp_path / "none")}
    return CliRunner(env=no_kafka)


def failure(result: Result) -> GradewatchError:
    assert isinstance(result.exception, GradewatchError), result.output
    return result.exception


def test_simulate_writes_the_same_lines_for_the_same_seed_and_end(
    runner: CliRunner, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.ndjson", tmp_path / "two.ndjson"
    for file in (one, two):
        arguments = ["simulate", "--events", "400", "--end", END, "--to", str(file)]
        result = runner.invoke(events, arguments)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(f"400 events to {file} in ")
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().count(b"\n") == 400


def test_simulate_to_standard_output_keeps_the_summary_apart(runner: CliRunner) -> None:
    arguments = ["simulate", "--events", "5", "--end", END, "--to", "-", "--format", "json"]
    result = runner.invoke(events, arguments)
    assert result.exit_code == 0
    assert [json.loads(line)["metadata"]["producer"] for line in result.stdout.splitlines()]
    summary = json.loads(result.stderr)
    assert summary.keys() == {"events", "seconds", "events_per_second", "to"}
    assert summary["events"] == 5


def test_simulate_keeps_to_the_rate(runner: CliRunner) -> None:
    arguments = ["simulate", "--events", "30", "--rate", "100", "--to", "-", "--format", "json"]
    summary = json.loads(runner.invoke(events, arguments).stderr)
    assert summary["seconds"] >= 0.29
    assert summary["events_per_second"] <= 104


@pytest.mark.parametrize("end", ["2026-05-15T17:00:00", "today"])
def test_simulate_wants_an_end_with_an_offset(runner: CliRunner, end: str) -> None:
    result = runner.invoke(events, ["simulate", "--end", end, "--to", "-"])
    assert result.exit_code == 2
    assert "not ISO 8601 with an offset" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["simulate", "--events", "3"], ["refused", "list"], ["refused", "retry", "--yes"]],
)
def test_without_kafka_the_next_step_is_named(runner: CliRunner, arguments: list[str]) -> None:
    error = failure(runner.invoke(events, arguments))
    assert isinstance(error, BrokerError)
    assert "gradewatch broker start" in error.next_step


def test_send_names_every_bad_line_and_never_its_content(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b'{"metadata":{}}\n{"secret":\n\n{"a":1}{"b":2}\n"caf\xe9"\n')
    error = failure(runner.invoke(events, ["send", str(file)]))
    assert error.exit_code == 1
    assert not isinstance(error, BrokerError)  # said before Kafka was looked for
    lines = str(error).splitlines()
    assert lines[0] == "nothing sent, 4 of 5 lines are not JSON:"
    assert [line.split(": ")[0].strip() for line in lines[1:5]] == [
        f"{file}:{number}" for number in (2, 3, 4, 5)
    ]
    assert "secret" not in str(error)
    assert "--raw" in error.next_step


def test_send_names_the_first_ten_of_many_bad_lines(runner: CliRunner) -> None:
    error = failure(runner.invoke(events, ["send", "-"], input="{\n" * 1234))
    assert str(error).splitlines()[1].strip().startswith("-:1: ")
    assert "... and 1,224 more" in str(error)


def test_send_with_raw_or_good_lines_only_goes_on_to_kafka(runner: CliRunner) -> None:
    for arguments, lines in ((["send", "-", "--raw"], "{"), (["send", "-"], "{}\n{}")):
        assert isinstance(failure(runner.invoke(events, arguments, input=lines)), BrokerError)


def test_send_wants_a_file_that_is_there(runner: CliRunner) -> None:
    assert runner.invoke(events, ["send", "no-such-file"]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry"], "confirm with --yes"),
        (["retry", "3", "--yes"], "PARTITION and OFFSET, or neither"),
        (["retry", "--reason", "boredom", "--yes"], "boredom"),
        (["show", "0"], "OFFSET"),
        (["list", "--limit", "0"], "limit"),
    ],
)
def test_wrong_usage_of_refused_ends_with_2(
    runner: CliRunner, arguments: list[str], message: str
) -> None:
    result = runner.invoke(events, ["refused", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
