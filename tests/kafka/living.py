"""What must hold of rules that live, after whatever a test did to workers.

A second program reads ``grade-events``, and tells every alert that was written, once; and
``gradewatch alerts explain`` judges them again from the records that they name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from streams.cli.alerts import alerts as alerts_command
from tests.core.test_living import COMPARED
from tests.kafka import running
from tests.kafka.running import a_moment, seen
from tests.oracle.feeds import feeds
from tests.oracle.kafkas_time import as_it_counts
from tests.oracle.living import Record, living
from tests.oracle.single_shots import single_shots
from tests.test_agents_timelines import TOPICS

if TYPE_CHECKING:
    from click.testing import Result

    from tests.kafka.running import Flow

Fields = dict[str, Any]

EXPLAINED = 12
"""Alerts of each audience that are looked into, beside the first of each rule."""


def assert_all_is_as_recomputed(flow: Flow) -> None:
    """Nothing is lost, wrong or there twice, alerts of rules that live included."""
    running.assert_all_but_verdicts(flow, seen(flow))
    assert_alerts_are_as_a_second_program_says(flow)


def assert_alerts_are_as_a_second_program_says(flow: Flow) -> None:
    """The oracle reads ``grade-events``, and tells every alert that was written, once."""
    log, written = a_moment(flow, *sorted(set(TOPICS.values())))
    logs = [
        as_it_counts(
            (Record(one.offset, (one.key or b"").decode(), json.loads(one.value)), one.timestamp)
            for one in records
        )
        for records in log.values()
    ]
    told = [
        one for records in logs for one in single_shots(records) + living(records) + feeds(records)
    ]
    for audience, topic in TOPICS.items():
        alerts = [json.loads(record.value) for record in written[topic]]
        ours = sorted(
            told_of(alert, "changed_at") for alert in alerts if alert["audience"] == audience
        )
        theirs = sorted(told_of(one.alert, "at") for one in told if one.audience == audience)
        # A semester played at once may leave no time for silence: tests/kafka/test_feeds.py.
        assert theirs or audience == "operator", "invalid: without alerts it proves nothing"
        assert ours == theirs


def told_of(alert: Fields, at: str) -> str:
    """Return what core and oracle both say of a step."""
    names = [name for name in COMPARED if name not in {"size", "gap_suspected"}]
    who = [alert.get(name) for name in ("tenant", "student_id", "course_id")]
    return json.dumps([*who, alert[at], *(alert.get(name) for name in names)])


def assert_alerts_and_silence_are_explained(flow: Flow, rules: set[str]) -> None:
    """What a worker wrote is judged again from its records, some of it from the whole log, too.

    Args:
        flow: Where a worker worked.
        rules: The ids of those that must have alerted staff.
    """
    alerts = [json.loads(record.value) for record in flow.read("grade-alerts")]
    posted = [json.loads(record.value) for record in flow.read("grade-alerts-posted")]
    staff = [alert for alert in alerts if alert["audience"] == "staff"]
    assert {alert["rule"] for alert in staff} == rules
    for audience, written in ("staff", staff), ("posted", posted):
        firsts = {alert["rule"]: alert for alert in reversed(written)}
        some = written[:: max(1, len(written) // EXPLAINED)]
        ids = dict.fromkeys(alert["alert_id"] for alert in [*firsts.values(), *some])
        for number, alert_id in enumerate(ids):
            from_log = ["--from-log"] if number % 4 == 0 else []
            result = looked(flow, "explain", alert_id, "--audience", audience, *from_log)
            assert result.stdout.endswith("as it should be\n")
            assert "✘" not in result.stdout
            assert ("byte for byte" in result.stdout) is bool(from_log)
    whom = ["--tenant", staff[0]["tenant"], "--student", staff[0]["student_id"]]
    silence = looked(flow, "why-not", *whom, "--course", staff[0]["course_id"])
    said = {line.split()[1].rstrip(",") for line in silence.stdout.splitlines() if line[0] != " "}
    assert said == rules


def looked(flow: Flow, *arguments: str) -> Result:
    """Return what ``gradewatch alerts`` says, which must be that all is right."""
    settings = flow.settings
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": flow.servers,
        "GRADEWATCH_NAMESPACE": settings.namespace,
        "GRADEWATCH_ID_KEY": settings.id_key.get_secret_value(),
    }
    result = CliRunner(env=environment).invoke(alerts_command, arguments)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result
