"""What an apply leaves on a cluster: ours exactly as topics.yaml says, the customer's as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from streams import admin
from streams.core.topic_config import KINDS
from streams.core.topic_file import RAW
from streams.core.topics import Noted, ObservedTopic
from streams.errors import TopicMismatchError
from streams.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.core.topic_file import Spec
    from tests.kafka.conftest import Kafka, OwnKafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka: Kafka, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A namespace in which nothing exists yet; the commands that a test runs see the same."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("GRADEWATCH_NAMESPACE", namespace)
    return load()


@pytest.fixture
def client(kafka: Kafka) -> Iterator[KafkaAdminClient]:
    """The customer's own hand on the cluster."""
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as client:
        yield client


def _there(settings: Settings) -> dict[str, ObservedTopic]:
    names = [spec.name for spec in admin.read_topics(settings).specs]
    return dict(admin.observe(admin.bootstrap(settings), names).topics)


def _command(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "streams", "topics", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_every_topic_is_as_the_file_says_the_raw_one_too_where_kafka_is_ours(
    settings: Settings,
) -> None:
    servers = admin.bootstrap(settings)
    admin.carry_out(servers, admin.make_plan(settings, create_external=True))

    there = _there(settings)
    for spec in admin.read_topics(settings).specs:
        made = there[spec.name]
        assert (made.partitions, made.replication) == (spec.partitions, spec.replication)
        assert made.overrides == set(spec.config)
        assert {key: made.config[key] for key in spec.config} == spec.config
    # A simulated semester is months old: Kafka's 7 days would delete its records at once.
    assert there[settings.topic(RAW)].config["retention.ms"] == str(400 * 86_400_000)
    assert there[settings.topic(RAW)].overrides == {"max.message.bytes", "retention.ms"}
    assert len({made.topic_id for made in there.values()}) == len(there)


def test_a_raw_topic_that_differs_in_everything_stays_as_its_owner_made_it(
    settings: Settings, client: KafkaAdminClient
) -> None:
    raw = settings.topic(RAW)
    theirs = {"retention.ms": "3600000", "segment.ms": "1800000", "max.message.bytes": "2000000"}
    client.create_topics({raw: {"num_partitions": 3, "replication_factor": 1, "configs": theirs}})
    client.wait_for_topics([raw])
    before = _there(settings)[raw]

    code, said = _command("apply", "--yes", "--allow-data-loss")

    after = _there(settings)
    assert code == 0
    assert len(after) == 10
    assert after[raw] == before
    assert after[raw].partitions == 3
    assert after[raw].overrides == set(theirs)
    assert {key: after[raw].config[key] for key in theirs} == theirs
    assert f"? room {settings.topic('grade-alerts')} takes 1114124 bytes" in said
    assert all(isinstance(step, Noted) for step in admin.make_plan(settings).steps)


def partitions(spec: Spec) -> str:
    return "1 partition" if spec.name.endswith("grade-rules") else "4 partitions"


def test_a_plan_is_the_same_to_a_person_and_to_a_program(
    settings: Settings, client: KafkaAdminClient
) -> None:
    raw = settings.topic(RAW)
    client.create_topics({raw: {"num_partitions": 1, "replication_factor": 1}})
    client.wait_for_topics([raw])
    ours = [spec for spec in admin.read_topics(settings).specs if not spec.entry.external]

    code, text = _command("plan")
    json_code, told = _command("plan", "--format", "json")

    assert (code, json_code) == (2, 2)
    assert text.splitlines() == [
        *(f"+ create {spec.name} ({partitions(spec)}, replication 1)" for spec in ours),
        "changes: 9 changes, 0 blocked",
    ]
    assert json.loads(told) == {
        "verdict": "changes",
        "steps": [
            {
                "action": "create",
                "topic": spec.name,
                "partitions": spec.partitions,
                "replication": 1,
                "config": spec.config,
            }
            for spec in ours
        ],
    }


def test_records_are_counted_from_the_first_that_is_still_there(
    kafka: Kafka, settings: Settings, client: KafkaAdminClient
) -> None:
    topic = settings.topic("counted")
    assert admin.record_count(admin.bootstrap(settings), topic) == 0

    client.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})
    client.wait_for_topics([topic])
    assert admin.record_count(admin.bootstrap(settings), topic) == 0

    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    for partition in (0, 0, 0, 1):
        producer.send(topic, b"x", partition=partition)
    producer.flush(30)
    producer.close()
    assert admin.record_count(admin.bootstrap(settings), topic) == 4
    client.delete_records({TopicPartition(topic, 0): 2})
    assert admin.record_count(admin.bootstrap(settings), topic) == 2


def test_the_settings_we_know_are_those_of_this_kafka(
    settings: Settings, client: KafkaAdminClient
) -> None:
    name = settings.topic("any")
    client.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    client.wait_for_topics([name])
    there = admin.observe(admin.bootstrap(settings), [name]).topics[name]
    throttled = {f"{role}.replication.throttled.replicas" for role in ("leader", "follower")}
    assert set(KINDS) == set(there.config) - throttled


def test_a_worker_does_not_start_without_topics(settings: Settings) -> None:
    with pytest.raises(TopicMismatchError) as raised:
        admin.require_topics(settings)
    assert f"+ create {settings.topic('grade-events')}" in str(raised.value)
    assert f"! BLOCKED {settings.topic('canvas-live-events')}" in str(raised.value)


def test_the_raw_topic_is_created_where_that_is_asked_for(settings: Settings) -> None:
    assert _command("plan")[0] == 1, "it is the customer's"
    assert _command("plan", "--create-external")[0] == 2
    assert _command("apply", "--yes", "--create-external")[0] == 0

    assert settings.topic(RAW) in _there(settings)
    assert _command("plan")[0] == 0


def test_an_apply_waits_for_a_kafka_that_is_still_starting(
    own_kafka: OwnKafka, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", own_kafka.bootstrap_servers)
    monkeypatch.setenv("GRADEWATCH_NAMESPACE", namespace)
    own_kafka.stop()
    words = ("topics", "apply", "--yes", "--create-external", "--wait", "90")
    with subprocess.Popen([sys.executable, "-m", "streams", *words]) as applying:
        with pytest.raises(subprocess.TimeoutExpired):
            applying.wait(3)
        own_kafka.start()
        assert applying.wait(60) == 0

    assert len(_there(load())) == 10


def test_brokers_that_do_not_come_are_missed_once_the_time_is_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADEWATCH_TOPICS_PROFILE", "three-brokers")
    code, said = _command("apply", "--yes", "--create-external", "--wait", "1")

    assert code == 1
    assert "replication 3 needs as many brokers, the cluster has 1" in said
    assert _there(settings) == {}
