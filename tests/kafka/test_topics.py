"""``gradewatch topics`` on a real cluster: it makes what the file says, and takes nothing away."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams import admin
from streams.core.topics import AddPartitions, Plan, SetConfig, Verdict
from streams.errors import BrokerError, ConfigurationError, TopicMismatchError
from streams.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

OURS = Path(__file__).parents[2] / "topics.yaml"


@pytest.fixture
def settings(kafka: Kafka, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A namespace in which nothing exists yet; the commands that a test runs see the same."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("GRADEWATCH_NAMESPACE", namespace)
    return load()


@pytest.fixture
def client(kafka: Kafka) -> Iterator[KafkaAdminClient]:
    """Another hand on the same cluster."""
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as client:
        yield client


@pytest.fixture
def applied(settings: Settings) -> Settings:
    """A namespace whose topics are as our file says."""
    _apply(settings)
    return settings


def _apply(settings: Settings, **options: bool) -> Plan:
    plan = admin.make_plan(settings, create_external=True, **options)
    admin.carry_out(admin.bootstrap(settings), plan)
    return plan


def _edited(settings: Settings, directory: Path, *edits: tuple[str, str]) -> Settings:
    """Return the settings with a copy of our file in which some text is another."""
    text = OURS.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = directory / "topics.yaml"
    path.write_text(text)
    return settings.model_copy(update={"topics": path})


def _command(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", "topics", *arguments],
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _create_raw(settings: Settings, client: KafkaAdminClient) -> None:
    name = settings.topic(settings.raw_topic)
    client.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    client.wait_for_topics([name])


def _set(client: KafkaAdminClient, topic: str, key: str, value: str) -> None:
    """Another hand sets a setting; the broker learns of it from the controller, a moment later."""
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {key: value})])
    deadline = time.monotonic() + 10
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    while client.describe_configs([resource])["topic"][topic].get(key, {}).get("value") != value:
        assert time.monotonic() < deadline, f"{topic} does not show {key}={value}"


def test_a_missing_raw_topic_is_the_customers_and_blocks(settings: Settings) -> None:
    plan = _command("plan")
    assert plan.returncode == 1
    assert (
        f"! BLOCKED {settings.topic('canvas-live-events')}: there is no such topic" in plan.stdout
    )

    apply = _command("apply", "--yes")
    assert apply.returncode == 1
    assert "nothing was changed" in apply.stderr
    names = [each.name for each in admin.read_topics(settings).specs]
    assert admin.observe(admin.bootstrap(settings), names).topics == {}


def test_from_an_empty_cluster_to_a_plan_without_changes(
    settings: Settings, client: KafkaAdminClient
) -> None:
    _create_raw(settings, client)
    ours = (
        "grade-events", "grade-scores-changelog", "grade-events-refused",
        "grade-alerts", "grade-alerts-posted", "grade-alerts-state", "grade-alert-actions",
        "grade-access-audit", "grade-rules",
    )  # fmt: skip

    plan = _command("plan")
    assert plan.returncode == 2
    assert all(f"+ create {settings.topic(name)}" in plan.stdout for name in ours)
    assert _command("apply", "--yes").returncode == 0
    assert _command("plan").returncode == 0
    assert _command("apply", "--yes").returncode == 0
    admin.require_topics(settings)
    for name in ours:
        assert admin.record_count(admin.bootstrap(settings), settings.topic(name)) == 0


def test_off_a_terminal_an_apply_needs_yes(settings: Settings, client: KafkaAdminClient) -> None:
    _create_raw(settings, client)

    refused = _command("apply")

    assert refused.returncode == 1
    assert "there is no terminal to ask on\n  next: add --yes" in refused.stderr
    assert len(admin.make_plan(settings).changes) == 9


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 9)])
def test_on_a_terminal_an_apply_asks(
    settings: Settings, client: KafkaAdminClient, answer: str, code: int, left: int
) -> None:
    _create_raw(settings, client)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        done = _command("apply", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "carry out 9 changes?" in done.stderr
    assert done.returncode == code
    assert len(admin.make_plan(settings).changes) == left


def test_a_setting_made_by_another_hand_survives_an_apply(
    applied: Settings, client: KafkaAdminClient, tmp_path: Path
) -> None:
    alerts = applied.topic("grade-alerts")
    _set(client, alerts, "segment.ms", "3600000")
    longer = _edited(applied, tmp_path, ("retention.ms: 400d", "retention.ms: 500d"))

    plan = _apply(longer)

    assert f"? unmanaged override {alerts} segment.ms=3600000: stays as it is" in [
        str(each) for each in plan.steps
    ]
    there = admin.observe(admin.bootstrap(applied), [alerts]).topics[alerts]
    assert there.config["segment.ms"] == "3600000"
    assert there.config["retention.ms"] == str(500 * 86_400_000)
    assert admin.make_plan(longer).verdict is Verdict.NO_CHANGE


def test_a_setting_changed_by_another_hand_is_set_again(
    applied: Settings, client: KafkaAdminClient
) -> None:
    refused = applied.topic("grade-events-refused")
    _set(client, refused, "max.message.bytes", "2000000")

    plan = _apply(applied)

    assert plan.steps == (SetConfig(refused, "max.message.bytes", "2000000", "1114124"),)
    assert admin.make_plan(applied).verdict is Verdict.NO_CHANGE


def test_fewer_partitions_are_blocked_and_nothing_is_changed(
    applied: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = _edited(
        applied, tmp_path, ("partitions: 4\n    config:", "partitions: 2\n    config:")
    )
    monkeypatch.setenv("GRADEWATCH_TOPICS", str(smaller.topics))

    apply = _command("apply", "--yes", "--allow-data-loss")

    assert apply.returncode == 1
    assert apply.stdout.count("partitions 4 → 2: a topic never shrinks") == 8
    names = [each.name for each in admin.read_topics(applied).specs]
    there = dict(admin.observe(admin.bootstrap(applied), names).topics)
    rules = there.pop(applied.topic("grade-rules"))
    assert rules.partitions == 1
    assert {each.partitions for each in there.values()} == {4}


def test_partitions_grow_only_without_a_key(applied: Settings, tmp_path: Path) -> None:
    refused = applied.topic("grade-events-refused")
    larger = _edited(
        applied,
        tmp_path,
        ("name: grade-events-refused", "name: grade-events-refused\n    partitions: 6"),
    )
    assert _apply(larger).steps == (AddPartitions(refused, 4, 6),)
    assert admin.make_plan(larger).verdict is Verdict.NO_CHANGE

    keyed = _edited(applied, tmp_path, ("partitions: 4\n    config:", "partitions: 6\n    config:"))
    plan = admin.make_plan(keyed)
    assert [each.what for each in plan.blocked] == ["partitions"] * 7
    with pytest.raises(TopicMismatchError, match="nothing was changed, 7 blocked"):
        admin.carry_out(admin.bootstrap(keyed), plan)


def test_what_deletes_records_needs_the_flag(applied: Settings, tmp_path: Path) -> None:
    shorter = _edited(applied, tmp_path, ("retention.ms: 14d", "retention.ms: 1d"))
    refused = applied.topic("grade-events-refused")

    assert [str(each) for each in admin.make_plan(shorter).steps] == [
        (
            f"! BLOCKED {refused}: retention.ms 1209600000 → 86400000: would delete records; "
            "--allow-data-loss permits it"
        )
    ]
    _apply(shorter, allow_data_loss=True)
    assert admin.make_plan(shorter).verdict is Verdict.NO_CHANGE


@pytest.mark.parametrize("carried_out", range(5))
def test_interrupted_anywhere_a_second_apply_comes_to_the_end(
    settings: Settings, carried_out: int
) -> None:
    plan = admin.make_plan(settings, create_external=True)
    admin.carry_out(admin.bootstrap(settings), Plan(plan.changes[:carried_out]))

    assert _apply(settings).changes == plan.changes[carried_out:]

    assert admin.make_plan(settings).verdict is Verdict.NO_CHANGE


def test_killed_in_the_middle_a_second_apply_comes_to_the_end(
    settings: Settings, client: KafkaAdminClient
) -> None:
    _create_raw(settings, client)
    with subprocess.Popen(
        [sys.executable, "-m", "streams", "topics", "apply", "--yes"], stdout=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        command.stdout.readline()  # the plan is made, the changes are about to be sent
        command.kill()
    assert _command("apply", "--yes").returncode == 0
    assert admin.make_plan(settings).verdict is Verdict.NO_CHANGE


def test_two_applies_at_once_do_no_harm(settings: Settings) -> None:
    plan = admin.make_plan(settings, create_external=True)
    admin.carry_out(admin.bootstrap(settings), plan)

    with pytest.raises(BrokerError, match="already exists"):
        admin.carry_out(admin.bootstrap(settings), plan)

    assert admin.make_plan(settings).verdict is Verdict.NO_CHANGE


def test_a_wrong_file_is_an_error_with_its_line_and_never_a_change(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = _edited(settings, tmp_path, ("owner: gradewatch", "ownr: gradewatch")).topics
    line = wrong.read_text().splitlines().index("    ownr: gradewatch") + 1
    monkeypatch.setenv("GRADEWATCH_TOPICS", str(wrong))

    said = f"{wrong}:{line}:5: unknown key 'ownr', did you mean 'owner'?"
    for command, code in (("validate", 78), ("plan", 1), ("apply", 1)):
        done = _command(command)
        assert (done.returncode, done.stdout) == (code, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_an_error(settings: Settings, tmp_path: Path) -> None:
    gone = settings.model_copy(update={"topics": tmp_path / "gone.yaml"})
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        admin.read_topics(gone)


def test_a_worker_needs_our_topics(applied: Settings, client: KafkaAdminClient) -> None:
    admin.require_topics(applied)

    _set(client, applied.topic("grade-alerts"), "segment.ms", "3600000")  # not in the file
    _set(client, applied.topic("canvas-live-events"), "retention.ms", "1")  # the customer's
    admin.require_topics(applied)

    _set(client, applied.topic("grade-alerts"), "cleanup.policy", "compact")
    with pytest.raises(TopicMismatchError, match=r"cleanup\.policy compact → delete") as raised:
        admin.require_topics(applied)
    assert raised.value.next_step == "gradewatch topics apply"
    assert raised.value.exit_code == 78
