"""A plan makes a cluster as topics.yaml says, and never takes away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.core.topic_file import ALERTS, POSTED, RAW, REFUSED, STATE, Entry, Spec, Topics, load
from streams.core.topics import (
    AddPartitions,
    Create,
    Noted,
    Observed,
    ObservedTopic,
    Plan,
    SetConfig,
    Verdict,
    plan,
)

OURS = Path(__file__).parents[2] / "topics.yaml"


def _spec(
    name: str = "t",
    *,
    key: str | None = "k",
    external: bool = False,
    **change: Any,  # noqa: ANN401 - fields of Spec
) -> Spec:
    spec = Spec(
        name=name,
        partitions=4,
        replication=1,
        config={"retention.ms": "1000"},
        growable=key is None,
        entry=Entry(name=name, external=external, key=key),
    )
    return replace(spec, **change)


def _there(**change: Any) -> ObservedTopic:  # noqa: ANN401 - fields of ObservedTopic
    topic = ObservedTopic(
        partitions=4,
        replication=1,
        config={"retention.ms": "1000"},
        overrides=frozenset({"retention.ms"}),
        topic_id="2pTbjagqSL9fcofRCOzspQ",
    )
    return replace(topic, **change)


def _plan(spec: Spec, there: ObservedTopic | None, **options: bool) -> Plan:
    topics = {spec.name: there} if there else {}
    return plan(Topics((spec,)), Observed(1, topics), **options)


def test_a_missing_topic_is_created_as_the_file_says() -> None:
    made = _plan(_spec(), None)
    assert made.steps == (Create("t", 4, 1, {"retention.ms": "1000"}),)
    assert made.verdict is Verdict.CHANGES
    assert str(made.steps[0]) == "+ create t (4 partitions, replication 1)"


def test_a_cluster_that_is_as_the_file_says_needs_nothing() -> None:
    made = _plan(_spec(), _there())
    assert made.steps == ()
    assert made.verdict is Verdict.NO_CHANGE


def test_more_copies_than_brokers_are_blocked_before_anything_is_created() -> None:
    made = _plan(_spec(replication=3), None)
    assert made.verdict is Verdict.BLOCKED
    assert "the cluster has 1" in made.blocked[0].reason


def test_an_external_topic_must_be_there() -> None:
    made = _plan(_spec(external=True), None)
    assert [(each.topic, each.what) for each in made.blocked] == [("t", "missing")]


def test_an_external_topic_is_created_only_where_that_is_asked_for() -> None:
    made = _plan(_spec(external=True), None, create_external=True)
    assert isinstance(made.steps[0], Create)


def test_an_external_topic_that_differs_is_left_alone() -> None:
    there = _there(partitions=1, replication=3, config={"retention.ms": "5"})
    assert _plan(_spec(external=True, key=None), there).steps == ()


def test_partitions_are_added_where_no_key_decides_them() -> None:
    made = _plan(_spec(key=None), _there(partitions=2))
    assert made.steps == (AddPartitions("t", 2, 4),)
    assert str(made.steps[0]) == "~ partitions t 2 → 4"


def test_partitions_are_never_added_under_a_key() -> None:
    made = _plan(_spec(), _there(partitions=2))
    assert made.verdict is Verdict.BLOCKED
    assert "placed by key" in str(made.steps[0])


@pytest.mark.parametrize("key", ["k", None])
def test_a_topic_never_shrinks(key: str | None) -> None:
    made = _plan(_spec(key=key), _there(partitions=6), allow_data_loss=True)
    assert str(made.steps[0]).startswith("! BLOCKED t: partitions 6 → 4: a topic never shrinks")


def test_replication_is_reported_and_never_changed() -> None:
    made = _plan(_spec(replication=3), _there())
    assert [(each.what, each.topic) for each in made.blocked] == [("replication", "t")]
    assert made.changes == ()


def test_a_setting_is_set_and_both_values_are_said() -> None:
    made = _plan(_spec(config={"retention.ms": "2000"}), _there())
    assert made.steps == (SetConfig("t", "retention.ms", "1000", "2000"),)
    assert str(made.steps[0]) == "~ config t retention.ms 1000 → 2000"


def test_a_setting_that_this_kafka_does_not_have_is_blocked() -> None:
    made = _plan(_spec(config={"compression.zstd.level": "3"}), _there())
    assert "this Kafka has no such setting" in str(made.blocked[0])


def test_a_setting_that_is_the_default_anyway_is_left_alone() -> None:
    assert _plan(_spec(), _there(overrides=frozenset())).steps == ()


def test_an_override_that_the_file_does_not_state_is_noted_and_stays() -> None:
    there = _there(
        config={"retention.ms": "1000", "segment.ms": "5"},
        overrides=frozenset({"retention.ms", "segment.ms"}),
    )
    made = _plan(_spec(), there)
    assert made.verdict is Verdict.NO_CHANGE
    assert [str(each) for each in made.steps] == [
        "? unmanaged override t segment.ms=5: stays as it is"
    ]


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("retention.ms", "1000", "999"),
        ("retention.ms", "-1", "1000"),
        ("retention.bytes", "-1", "1000"),
        ("cleanup.policy", "compact", "delete"),
        ("cleanup.policy", "delete", "compact"),
        ("cleanup.policy", "compact", "compact,delete"),
        ("unclean.leader.election.enable", "false", "true"),
    ],
)
def test_what_deletes_records_needs_the_flag_that_says_so(
    key: str, before: str, after: str
) -> None:
    spec = _spec(config={key: after})
    there = _there(config={key: before}, overrides=frozenset({key}))

    assert _plan(spec, there).verdict is Verdict.BLOCKED
    assert "--allow-data-loss" in str(_plan(spec, there).steps[0])
    assert _plan(spec, there, allow_data_loss=True).steps == (SetConfig("t", key, before, after),)


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("retention.ms", "1000", "-1"),
        ("retention.bytes", "1000", "1001"),
        ("cleanup.policy", "compact,delete", "compact"),
        ("unclean.leader.election.enable", "true", "false"),
        ("max.message.bytes", "1000", "2000"),
    ],
)
def test_what_deletes_nothing_needs_no_flag(key: str, before: str, after: str) -> None:
    there = _there(config={key: before}, overrides=frozenset({key}))
    made = _plan(_spec(config={key: after}), there)
    assert made.verdict is Verdict.CHANGES


def test_a_raw_topic_that_takes_more_than_the_refused_one_is_noted() -> None:
    topics = load(OURS.read_bytes(), "topics.yaml", "one-broker")
    large = {
        each.name: _there(
            partitions=each.partitions, config=each.config, overrides=frozenset(each.config)
        )
        for each in topics.specs
    } | {RAW: _there(config={"max.message.bytes": "10000000"})}

    made = plan(topics, Observed(1, large))

    assert made.verdict is Verdict.NO_CHANGE
    rooms = [each for each in made.steps if isinstance(each, Noted)]
    assert {(each.topic, each.what) for each in rooms} == {
        (name, "room") for name in (ALERTS, POSTED, STATE, REFUSED)
    }
    assert all("max.message.bytes 10065536" in str(each) for each in rooms)
