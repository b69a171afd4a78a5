"""topics.yaml is checked as a whole, in every profile; what is wrong is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.core import topic_config
from streams.core.topic_file import ALERTS, CHANGELOG, EVENTS, NEEDED, RAW, REFUSED, load
from streams.errors import ConfigurationError

HERE = Path(__file__).parent
OURS = HERE.parents[1] / "topics.yaml"
WRONG = sorted((HERE.parent / "examples" / "topics").glob("*.yaml"))
DAY = 86_400_000


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_with_the_line_and_the_reason(path: Path) -> None:
    text = path.read_text()
    line, _, expected = text.splitlines()[0].removeprefix("# expect: ").partition(": ")

    with pytest.raises(ConfigurationError) as raised:
        load(text, path.name, "one-broker")

    said = [each.removeprefix(f"{path.name}:") for each in str(raised.value).splitlines()]
    assert any(each.startswith(f"{line}:") and expected in each for each in said), said


def test_there_is_a_wrong_file_for_every_rule() -> None:
    assert len(WRONG) >= 40


@pytest.mark.parametrize(
    ("profile", "partitions", "replication", "in_sync"),
    [("one-broker", 4, 1, "1"), ("three-brokers", 12, 3, "2")],
)
def test_our_file_is_valid_in_every_profile(
    profile: str, partitions: int, replication: int, in_sync: str
) -> None:
    specs = {each.name: each for each in load(OURS.read_bytes(), "topics.yaml", profile).specs}

    assert tuple(specs) == NEEDED
    for name in (EVENTS, CHANGELOG, ALERTS):
        assert specs[name].partitions == partitions
        assert not specs[name].growable
    for name in (EVENTS, CHANGELOG, ALERTS, REFUSED):
        assert specs[name].replication == replication
        assert specs[name].config["min.insync.replicas"] == in_sync
    for name in (RAW, EVENTS, ALERTS):  # a simulated semester, too, is older than Kafka's 7 days
        assert specs[name].config["retention.ms"] == str(400 * DAY)
    assert specs[REFUSED].config["retention.ms"] == str(14 * DAY)
    assert specs[REFUSED].config["max.message.bytes"] == str(1_048_588 + 64 * 1024)
    assert specs[CHANGELOG].config["cleanup.policy"] == "compact"


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'one-broker'") as raised:
        load(OURS.read_bytes(), "topics.yaml", "one-brokr")
    assert raised.value.next_step == "choose one of: one-broker, three-brokers"


def test_names_on_a_cluster_may_differ_from_those_in_the_file() -> None:
    topics = load(OURS.read_bytes(), "topics.yaml", "one-broker").named("t1-{}".format)
    assert topics.specs[1].name == "t1-grade-events"
    assert topics.specs[1].entry.name == "grade-events"


@pytest.mark.parametrize(
    ("key", "written", "text"),
    [
        ("retention.ms", "400d", "34560000000"),
        ("retention.ms", "2 h", "7200000"),
        ("retention.ms", "30m", "1800000"),
        ("retention.ms", "5s", "5000"),
        ("retention.ms", "5ms", "5"),
        ("retention.ms", 7, "7"),
        ("retention.ms", -1, "-1"),
        ("segment.bytes", "1MiB", "1048576"),
        ("segment.bytes", "1GiB", "1073741824"),
        ("max.message.bytes", "64KiB", "65536"),
        ("retention.bytes", "1TiB", "1099511627776"),
        ("min.cleanable.dirty.ratio", 1, "1.0"),
        ("preallocate", True, "true"),
    ],
)
def test_a_unit_may_be_written_and_kafka_gets_milliseconds_and_bytes(
    key: str, written: object, text: str
) -> None:
    assert topic_config.kafka_text(key, written) == text
