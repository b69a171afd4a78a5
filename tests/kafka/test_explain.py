"""``alerts explain``, ``why-not`` and ``rules backtest`` on a log that stands on a real Kafka.

The log is written as intake would, the alerts as the core makes them of it: each at its own offset.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.cli.alerts import alerts as alerts_command
from streams.cli.rules import rules as rules_command
from streams.core import alerts, events
from streams.core.alerts import Alert, Place
from streams.core.events import Control
from streams.core.instants import milliseconds
from streams.core.intake import Reader
from streams.core.replay import Replay, announcement
from streams.core.rules import load
from streams.core.ruleset import NO_RULES
from streams.engine.routing import partition_of
from streams.trust.ndjson import Lines
from tests.trust.played import RULES, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

PARTITIONS = 2
ID_KEY = "a key of the tests alone"


class Log(NamedTuple):
    """A log on Kafka, and what came of it."""

    environment: dict[str, str]
    told: list[Alert]

    def run(self, *arguments: str) -> Result:
        group = rules_command if arguments[0] == "backtest" else alerts_command
        return CliRunner(env=self.environment).invoke(group, [*arguments])


@pytest.fixture(scope="module")
def log(kafka: Kafka) -> Iterator[Log]:
    with written(kafka.bootstrap_servers, "texplain") as log:
        yield log


@contextmanager
def written(servers: str, namespace: str) -> Iterator[Log]:
    """The topics hold a semester's log, and are gone afterwards."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    counts = {"grade-events": PARTITIONS, "grade-alerts": PARTITIONS,
              "grade-alerts-posted": PARTITIONS, "grade-rules": 1}  # fmt: skip
    names = {f"{namespace}-{name}": count for name, count in counts.items()}
    forever = {"retention.ms": "-1"}
    try:
        made = [NewTopic(name, count, 1, topic_configs=forever) for name, count in names.items()]
        admin.create_topics(made)
        told = asyncio.run(_write(servers, namespace))
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "GRADEWATCH_NAMESPACE": namespace,
            "GRADEWATCH_ID_KEY": ID_KEY,
        }
        yield Log(environment, told)
        admin.delete_topics([*names])
    finally:
        admin.close()


async def _write(servers: str, namespace: str) -> list[Alert]:
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        logs = [_values(number) for number in range(PARTITIONS)]
        told: list[Alert] = []
        for number, values in enumerate(logs):
            topic = f"{namespace}-grade-events"
            place = Place(topic, "", number)
            replay = Replay(NO_RULES.rules, ID_KEY.encode(), place)
            for key, value, at in values:
                sent = await producer.send_and_wait(
                    topic, value, key=key, partition=number, timestamp_ms=milliseconds(at)
                )
                for key_, alert in replay.step(value, sent.offset, None).told:
                    posted = "-posted" if alert.audience == "posted" else ""
                    target = f"{namespace}-grade-alerts{posted}"
                    await producer.send(target, alerts.encode(alert), key=key_, partition=number)
                    told.append(alert)
        canonical = RULES.canonical().encode()
        await producer.send_and_wait(f"{namespace}-grade-rules", canonical, key=RULES.hash.encode())
        await producer.flush()
        return told
    finally:
        await producer.stop()


def _values(partition: int) -> list[tuple[bytes | None, bytes, str]]:
    reader = Lines(Reader())
    found = [one for line in lines(1_200, 20) for one in reader.read(line)]
    start = found[0].event_time
    values: list[tuple[bytes | None, bytes, str]] = [
        (None, events.encode(announcement(RULES, start)), start)
    ]
    for one in found:
        clock = Control(kind="watermark", topic="raw", partitions=1, at=one.event_time)
        values.append((None, events.encode(clock), one.event_time))
        if partition_of(one.key, PARTITIONS) == partition:
            values.append((one.key, one.value, one.event_time))
    return values


@pytest.mark.parametrize("audience", ["staff", "posted"])
def test_alerts_are_explained_and_come_out_of_the_log_again(log: Log, audience: str) -> None:
    resolved = [
        one for one in log.told if one.audience == audience and one.transition == "resolved"
    ]
    for alert in resolved[:: max(1, len(resolved) // 3)]:
        options = ["--audience", audience, "--from-log"]

        result = log.run("explain", alert.alert_id, *options)

        assert result.exit_code == 0, result.output
        assert f"1. opened (threshold_reached) at {alert.opened_at}" in result.stdout
        assert "byte for byte" in result.stdout
        assert result.stdout.endswith("as it should be\n")
        assert "✘" not in result.stdout


def test_an_alert_that_says_something_else_is_noticed(log: Log) -> None:
    alert = next(one for one in log.told if one.rule == "at-once" and one.before)
    forged = msgspec.structs.replace(
        alert,
        alert_id="0" * 32,
        evidence=tuple(msgspec.structs.replace(one, event_id="0" * 16) for one in alert.evidence),
    )
    asyncio.run(_send(log, "grade-alerts", alerts.encode(forged)))

    result = log.run("explain", forged.alert_id, "--format", "json")

    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["right"] is False
    wrong = [one["text"] for one in told["steps"][0]["clauses"] if not one["holds"]]
    assert all("its digest is" in text for text in wrong)
    assert len(wrong) == len(alert.evidence)


async def _send(log: Log, topic: str, value: bytes) -> None:
    servers = log.environment["KAFKA_BOOTSTRAP_SERVERS"]
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        name = f"{log.environment['GRADEWATCH_NAMESPACE']}-{topic}"
        await producer.send_and_wait(name, value)
    finally:
        await producer.stop()


def test_an_alert_that_is_not_there_is_said_so(log: Log) -> None:
    result = log.run("explain", "f" * 32)

    assert result.exit_code == 1
    assert "no alert" in str(result.exception)


def test_silence_is_explained_for_every_rule(log: Log) -> None:
    alert = next(one for one in log.told if one.rule == "at-once")
    student = ["--student", alert.student_id or "", "--course", alert.course_id or ""]

    result = log.run("why-not", *student, "--tenant", alert.tenant)

    assert result.exit_code == 0, (result.output, result.exception)
    for rule in RULES.rules:
        assert f"rule {rule.id}" in result.stdout
    assert "✘" in result.stdout
    assert log.run("why-not", *student).stdout == result.stdout  # only one tenant has that student
    assert log.run("why-not", *student, "--tenant", "another").exit_code == 1
    assert "no student 7" in str(log.run("why-not", "--student", "7", "--course", "1").exception)
    some = log.run("why-not", *student, "--tenant", alert.tenant, "--rule", "drop", "--format",
                   "json")  # fmt: skip
    assert [one["rule"] for one in json.loads(some.stdout)] == ["drop"]


def test_a_backtest_of_the_log_counts_what_was_told(log: Log, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text((Path(__file__).parents[1] / "trust/rules-of-every-kind.yaml").read_text())
    assert load(rules.read_text(), "rules.yaml").hash == RULES.hash

    result = log.run("backtest", "--rules", str(rules), "--processes", "2", "--format", "json")

    assert result.exit_code == 0, (result.output, result.exception)
    told = json.loads(result.stdout)
    at_once = {one.id for one in RULES.rules if not one.lives}
    for row in told["rules"]:
        opened = [
            one for one in log.told
            if one.rule == row["rule"] and one.audience == "staff" and one.transition == "opened"
        ]  # fmt: skip
        if row["rule"] in at_once:
            assert row["opened"] == len(opened)
        else:
            assert row["opened"] >= len(opened)  # what was not due yet, too
    later = log.run("backtest", "--rules", str(rules), "--from", "2026-05-01", "--format", "json")
    assert 0 < json.loads(later.stdout)["events"] < told["events"]
