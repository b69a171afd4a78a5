"""``gradewatch doctor``: all is ok in a healthy set-up; what is broken is named, and only that.

Each test breaks one thing on a real broker, and says which findings must not be ok.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import OffsetAndMetadata

from streams import doctor
from streams.cli.doctor import doctor as command
from streams.doctor import Finding, Patient, State
from streams.settings import environment, load, shipped
from streams.simulator import RawRecord
from tests.kafka.running import Flow, until
from tests.scenarios import a_course_grade_change, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.conftest import Kafka, OwnKafka

pytestmark = pytest.mark.kafka

KEY = "a key of this test's own"
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of this test
RAW = RawRecord(
    a_course_grade_change("48", "565", current=(84.25, 71.5), at=moment(0)),
    None,
    milliseconds(moment(0)),
)


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    """Topics applied, no worker."""
    return Flow(kafka.bootstrap_servers, namespace, tmp_path, id_key=KEY)


def found(flow: Flow, *, now: float = 0, **told: Any) -> list[Finding]:  # noqa: ANN401
    """Return what is not ok; what could not be looked at, too.

    Args:
        flow: What to look at.
        now: Seconds that this machine's clock is ahead.
        **told: Settings that are otherwise.
    """
    settings = flow.settings.model_copy(update=told)
    patient = Patient(settings, now=lambda: time.time() + now, patience=1)
    return [each for each in doctor.examine(patient) if each.state is not State.OK]


def the_one(findings: list[Finding], check: str, state: State, evidence: str) -> Finding:
    """Return the finding that must be the only one; it names what is broken, and what to do."""
    assert [(each.check, each.state) for each in findings] == [(check, state)], findings
    assert evidence in findings[0].evidence
    assert findings[0].remedy
    return findings[0]


@contextmanager
def administered(servers: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=servers)
    try:
        yield client
    finally:
        client.close()


def set_config(flow: Flow, topic: str, key: str, value: str) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, flow.topic(topic), {key: value})
    with administered(flow.servers) as client:
        client.alter_configs([resource], incremental=True)


def spoilt(name: str, tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """Return a copy of a shipped file with some text changed."""
    text = shipped(name).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file = tmp_path / name
    file.write_text(text)
    return file


def test_a_healthy_set_up_is_all_ok_before_and_while_a_worker_runs(flow: Flow) -> None:
    assert found(flow) == []

    with flow.workers("first", "second"):
        flow.play([RAW])
        flow.await_worked(1)

        assert found(flow) == []


# Files and this machine


def test_a_secret_that_is_open_to_every_user(flow: Flow, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)

    one = the_one(found(flow, web_token_file=file), "secret files", State.FAIL, "every user")
    assert one.remedy == f"chmod o= {file}"


def test_rules_that_are_wrong(flow: Flow, tmp_path: Path) -> None:
    file = spoilt("rules.yaml", tmp_path, ("kind: score_drop", "kind: score_dorp"))

    the_one(found(flow, rules=file), "rules", State.FAIL, "rules.yaml:")


def test_a_topics_file_that_is_wrong(flow: Flow, tmp_path: Path) -> None:
    file = spoilt("topics.yaml", tmp_path, ("retention.ms: 14d", "retention.ms: 14 parsecs"))

    first, *others = found(flow, topics=file)
    assert (first.check, first.state) == ("topics file", State.FAIL)
    assert "topics.yaml:" in first.evidence
    assert {each.state for each in others} == {State.WARN}
    assert all(each.evidence.startswith("not looked at") for each in others)


def test_the_published_key_on_a_kafka_of_ones_own(flow: Flow) -> None:
    published = load().id_key

    the_one(found(flow, id_key=published), "alert id key", State.WARN, "anybody can compute")


def test_a_package_of_another_version(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "aiokafka-0.99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aiokafka\nVersion: 0.99.0\n")
    monkeypatch.syspath_prepend(info.parent)

    the_one(found(flow), "packages", State.FAIL, "aiokafka 0.99.0 is installed")


def test_a_state_directory_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load(data_dir=tmp_path / "file" / "state")
    states = {each.check: each for each in doctor.examine(Patient(settings))}

    assert states["state directory"].state is State.FAIL
    assert "cannot be written to" in states["state directory"].evidence
    assert states["brokers"].state is State.FAIL, "none runs there"
    assert "not looked at: Kafka does not answer" in states["topics"].evidence


# Brokers


def test_a_broker_that_does_not_answer(own_kafka: OwnKafka, namespace: str, tmp_path: Path) -> None:
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path, id_key=KEY)
    own_kafka.kill()

    first, *others = found(flow)
    assert (first.check, first.state) == ("brokers", State.FAIL)
    assert flow.servers in first.evidence
    assert {each.evidence for each in others} == {"not looked at: Kafka does not answer"}


def test_brokers_of_two_clusters_and_one_with_old_transactions(
    flow: Flow, own_kafka: OwnKafka
) -> None:
    both = f"{flow.servers},{own_kafka.bootstrap_servers}"
    one = the_one(
        [each for each in found(flow, kafka_bootstrap_servers=both) if each.check == "brokers"],
        "brokers", State.FAIL, "different clusters",
    )  # fmt: skip
    assert flow.servers in one.evidence
    assert own_kafka.bootstrap_servers in one.evidence

    with administered(own_kafka.bootstrap_servers) as client:
        client.update_features({"transaction.version": ("SAFE_DOWNGRADE", 1)})
    settings = flow.settings.model_copy(
        update={"kafka_bootstrap_servers": own_kafka.bootstrap_servers}
    )
    old = [each for each in doctor.examine(Patient(settings, patience=1))
           if each.check == "versions"]  # fmt: skip
    the_one(old, "versions", State.WARN, "transaction.version is 1")


def test_grades_in_the_clear(flow: Flow) -> None:
    # Another way to write 127.0.0.1 that cannot be told from a name.
    beyond = flow.servers.replace("127.0.0.1", "127.1")

    the_one(
        found(flow, kafka_bootstrap_servers=beyond, insecure_kafka=True),
        "encryption", State.WARN, f"in the clear to {beyond}",
    )  # fmt: skip


@pytest.mark.parametrize(("ahead", "state"), [(60, State.WARN), (-3600, State.FAIL)])
def test_a_clock_that_is_wrong(flow: Flow, ahead: float, state: State) -> None:
    said = "behind" if ahead > 0 else "ahead of"

    the_one(found(flow, now=ahead), "transactions and clock", state, f"s {said} this one")


def test_a_transaction_that_hangs(flow: Flow) -> None:
    producer = Producer(
        {"bootstrap.servers": flow.servers, "transactional.id": f"{flow.settings.group}-hangs"}
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(flow.topic("grade-alerts"), b"never committed", partition=2)
    producer.flush()

    one = the_one(found(flow), "hanging transactions", State.FAIL, "grade-alerts[2]")
    assert "--partition 2 --start-offset 0" in one.remedy
    assert "producer id" in one.evidence
    assert "Ongoing to its coordinator" in one.evidence
    producer.abort_transaction()
    assert found(flow) == []


# Topics


def test_a_topic_that_differs_from_the_file(flow: Flow) -> None:
    set_config(flow, "grade-events-refused", "retention.ms", "60000")

    the_one(found(flow), "topics", State.FAIL, "retention.ms 60000")


def test_a_topic_that_is_missing(flow: Flow) -> None:
    with administered(flow.servers) as client:
        client.delete_topics([flow.topic("grade-events-refused")])
        until(lambda: flow.topic("grade-events-refused") not in client.list_topics())

    the_one(found(flow), "topics", State.FAIL, "there is no topic")


def test_topics_that_share_keys_with_different_partitions(flow: Flow) -> None:
    with administered(flow.servers) as client:
        client.create_partitions({flow.topic("grade-alerts"): 5})

    until(lambda: len(found(flow)) == 2)

    topics, copartitioning = found(flow)
    assert (topics.check, copartitioning.check) == ("topics", "co-partitioning")
    assert copartitioning.state is State.FAIL
    assert f"{flow.topic('grade-alerts')} 5" in copartitioning.evidence


def test_fewer_replicas_than_writing_needs(flow: Flow, tmp_path: Path) -> None:
    file = spoilt("topics.yaml", tmp_path, ("config: {min.insync.replicas: 1}", "config: {}"))
    set_config(flow, "grade-alerts", "min.insync.replicas", "2")

    findings = found(flow, topics=file)
    assert {(each.check, each.state) for each in findings} == {("replicas", State.FAIL)}
    assert len(findings) == 4, "one for each partition"
    assert "min.insync.replicas is 2" in findings[0].evidence


def test_a_changelog_that_is_not_compacted(flow: Flow, tmp_path: Path) -> None:
    file = spoilt(
        "topics.yaml",
        tmp_path,
        (
            "      cleanup.policy: compact\n      min.cleanable",
            "      cleanup.policy: delete\n      retention.ms: 7d\n      min.cleanable",
        ),
    )
    set_config(flow, "grade-scores-changelog", "cleanup.policy", "delete")

    the_one(found(flow, topics=file), "changelog", State.FAIL, "cleanup.policy=delete")


# The group


def committed(flow: Flow, offset: int) -> TopicPartition:
    """The group stands at an offset of partition 0 of the raw topic."""
    place = TopicPartition(flow.topic(flow.settings.raw_topic), 0)
    with administered(flow.servers) as client:
        client.alter_group_offsets(flow.settings.group, {place: OffsetAndMetadata(offset, "", -1)})
    return place


def test_records_that_wait_while_no_worker_runs(flow: Flow) -> None:
    flow.play([RAW] * 3)

    the_one(found(flow), "offsets", State.WARN, "3 records wait, and no worker runs")


def test_offsets_before_the_log(flow: Flow) -> None:
    flow.play([RAW] * 40)
    place = committed(flow, 0)
    with administered(flow.servers) as client:
        places = {TopicPartition(*each): -1 for each in flow.partitions(flow.settings.raw_topic)}
        client.delete_records(places)

    deleted, waiting = found(flow)
    the_one([deleted], "offsets", State.FAIL, "were deleted before they were read")
    assert f"{place.topic}[0]: records 0 to" in deleted.evidence
    assert waiting.state is State.WARN


def test_offsets_after_the_log(flow: Flow) -> None:
    committed(flow, 1_000)

    the_one(found(flow), "offsets", State.FAIL, "worked on up to 1000, but the log ends at 0")


# The workers


def test_workers_of_different_minds(flow: Flow, tmp_path: Path) -> None:
    other = spoilt("rules.yaml", tmp_path, ("points: 10", "points: 11"))
    one, two = flow.new_worker("one"), flow.new_worker("two", rules=other, id_key=load().id_key)
    with one, two:
        findings = found(flow)

    checks = {(each.check, each.state) for each in findings}
    assert checks == {("workers", State.FAIL), ("readiness", State.WARN)}
    stranger, rules, key = (each for each in findings if each.check == "workers")
    assert "member two at http" in stranger.evidence
    assert "does not prove the id key" in stranger.evidence
    assert "workers differ in rules: one " in rules.evidence
    assert "workers differ in id key: one " in key.evidence
    assert KEY not in key.evidence


@contextmanager
def in_front() -> Iterator[tuple[str, dict[str, str]]]:
    """A proxy that shows the token for whoever asks; what it stands in front of is told later."""
    behind: dict[str, str] = {}

    class Shows(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = urllib.request.Request(  # noqa: S310 - ours
                behind["url"] + self.path, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                    status, body = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    status, body = error.code, error.read()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shows) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", behind
        server.shutdown()
        serving.join()


def test_web_views_that_something_opens_to_anyone(flow: Flow, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with in_front() as (url, behind):
        worker = flow.new_worker("open", web_token_file=file, canonical_url=url)
        behind["url"] = worker.url
        with worker:
            findings = found(flow, web_token_file=file)
            assert {(each.check, each.state) for each in findings} == {("web exposure", State.FAIL)}
            assert f"{url}/metrics answers 200 to anyone" in findings[-1].evidence

    with flow.new_worker("closed", web_token_file=file):
        assert found(flow, web_token_file=file) == []


# The command


def told(flow: Flow, *words: str, **env: str) -> tuple[int, Any]:
    result = CliRunner(env=environment(flow.settings) | env).invoke(
        command, [*words, "--format", "json"], standalone_mode=False
    )
    return result.return_value, json.loads(result.output)


def test_the_command_exits_by_the_worst_it_found(flow: Flow) -> None:
    code, report = told(flow)
    assert (code, report["state"]) == (0, "ok")
    assert {each["check"] for each in report["findings"]} == {each.name for each in doctor.CHECKS}

    flow.play([RAW])
    code, report = told(flow)
    assert (code, report["state"]) == (1, "warn")

    set_config(flow, "grade-events-refused", "retention.ms", "60000")
    code, report = told(flow)
    assert (code, report["state"]) == (2, "fail")


def test_settings_that_are_wrong_are_a_finding(flow: Flow) -> None:
    code, report = told(flow, GRADEWATCH_WEB_PORT="many")

    assert (code, report["state"]) == (2, "fail")
    assert [each["check"] for each in report["findings"]] == ["settings"]
    assert "GRADEWATCH_WEB_PORT" in report["findings"][0]["evidence"]
