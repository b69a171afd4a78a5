"""An alert is one line for people; what is no alert is passed over, and cannot steer a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import ConsumerRecord
from click.testing import CliRunner

from streams.cli.alerts import _compact, _say, alerts, line
from streams.errors import BrokerError

if TYPE_CHECKING:
    from pathlib import Path

ALERT: dict[str, Any] = {
    "event_time": "2026-02-03T12:30:05.000Z",
    "severity": "warning",
    "kind": "score_drop",
    "student_id": "48",
    "course_id": "565",
    "before": 84.25,
    "after": 71.5,
    "change": -12.75,
    "summary": "Current score fell 12.75 points (84.25 → 71.5)",
}


def record(value: bytes | None) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("grade-alerts", 2, 7, 0, 0, None, value, 0, 0, 0, ())


def test_a_line_tells_when_what_who_where_how_far_and_why() -> None:
    told = line(ALERT)

    assert "12:30:05 warning score_drop  student 48 course 565  84.25 → 71.5 (-12.75)  " in told
    assert told.endswith("Current score fell 12.75 points (84.25 → 71.5)")


def test_a_rise_has_its_sign() -> None:
    assert "60 → 90 (+30)" in line(ALERT | {"before": 60.0, "after": 90.0, "change": 30.0})


def test_a_line_about_a_feed_names_its_tenant() -> None:
    told = line(
        {
            "event_time": "2026-02-03T12:30:05.000Z", "changed_at": "2026-02-04T12:30:05.000Z",
            "severity": "warning", "kind": "feed_silent", "audience": "operator",
            "transition": "opened", "tenant": "east", "summary": "No grade event has come.",
        }
    )  # fmt: skip

    assert told == "2026-02-04 12:30:05 warning feed_silent  tenant east  No grade event has come."


def test_a_line_cannot_steer_a_terminal() -> None:
    assert line(ALERT | {"summary": "a\x1b[2J\nb"}).endswith("a?[2J?b")


@pytest.mark.parametrize(
    "value",
    [None, b"", b"\xff", b"[]", b"{}", b"1", b'{"event_time":1}', b"not JSON"],
)
def test_what_is_no_alert_is_passed_over_by_its_coordinates_and_its_value_not_shown(
    value: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    _say(record(value), line)

    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "passed over what is not an alert: partition 2, offset 7\n")


def test_json_is_the_alert_as_the_topic_holds_it_on_one_line() -> None:
    assert _compact({"summary": "84 → 71\n"}) == '{"summary":"84 → 71\\n"}'


def test_without_kafka_it_says_what_to_start(tmp_path: Path) -> None:
    none = {"KAFKA_BOOTSTRAP_SERVERS": None, "GRADEWATCH_DATA_DIR": str(tmp_path / "none")}
    result = CliRunner(env=none).invoke(alerts, ["tail"])

    assert isinstance(result.exception, BrokerError)
    assert "gradewatch broker start" in str(result.exception)
