"""topics.yaml is checked as a whole; a plan makes a cluster as it says and never takes away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import topic_config
from streams.core.topic_file import (
    ALERTS,
    CHANGELOG,
    EVENTS,
    NEEDED,
    RAW,
    REFUSED,
    Entry,
    Spec,
    Topics,
    load,
)
from streams.core.topics import (
    AddPartitions,
    Create,
    Noted,
    Observed,
    ObservedTopic,
    Plan,
    SetConfig,
    Verdict,
    is_done,
    plan,
)
from streams.errors import ConfigurationError

HERE = Path(__file__).parent
OURS = HERE.parents[1] / "topics.yaml"
WRONG = sorted((HERE.parent / "examples" / "topics").glob("*.yaml"))
DAY = 86_400_000


# --- the file ---


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
    assert specs[EVENTS].config["retention.ms"] == str(400 * DAY)
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


# --- the plan ---


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
    observed = _applied(plan(topics, Observed(1, {}), create_external=True), Observed(1, {}))
    large = {**observed.topics, RAW: _there(config={"max.message.bytes": "10000000"})}

    made = plan(topics, Observed(1, large))

    assert made.verdict is Verdict.NO_CHANGE
    rooms = [each for each in made.steps if isinstance(each, Noted) and each.what == "room"]
    assert {each.topic for each in rooms} == {ALERTS, REFUSED}
    assert all("max.message.bytes 10065536" in str(each) for each in rooms)


# --- properties ---

_DEFAULTS = {
    "retention.ms": "1000",
    "cleanup.policy": "delete",
    "max.message.bytes": "1000000",
    "min.cleanable.dirty.ratio": "0.5",
}
_configs = st.fixed_dictionaries(
    {},
    optional={
        "retention.ms": st.sampled_from(["-1", "1000", "2000"]),
        "cleanup.policy": st.sampled_from(["delete", "compact", "compact,delete"]),
        "max.message.bytes": st.sampled_from(["1000000", "2000000"]),
        "min.cleanable.dirty.ratio": st.sampled_from(["0.1", "0.5"]),
    },
)
_names = st.sampled_from(["a", "b", RAW, ALERTS])
_entries = [
    Entry(name=name, external=external, key=key)
    for name in ("a", "b", RAW, ALERTS)
    for external in (True, False)
    for key in ("k", None)
]
_specs = st.builds(
    lambda entry, partitions, replication, config: Spec(
        entry.name, partitions, replication, config, entry.key is None, entry
    ),
    st.sampled_from(_entries),
    st.integers(1, 9),
    st.integers(1, 3),
    _configs,
)
_topics = st.lists(_specs, unique_by=lambda spec: spec.name, max_size=4).map(
    lambda specs: Topics(tuple(specs))
)
_observed = st.builds(
    Observed,
    st.integers(1, 3),
    st.dictionaries(
        _names,
        st.builds(
            lambda partitions, replication, config: ObservedTopic(
                partitions, replication, {**_DEFAULTS, **config}, frozenset(config), "id"
            ),
            st.integers(1, 9),
            st.integers(1, 3),
            _configs,
        ),
        max_size=4,
    ),
)


def _applied(made: Plan, observed: Observed) -> Observed:
    """Return a cluster after an apply, as Kafka documents its admin calls."""
    topics = dict(observed.topics)
    for each in made.changes:
        if isinstance(each, Create):
            topics[each.topic] = ObservedTopic(
                each.partitions,
                each.replication,
                {**_DEFAULTS, **each.config},
                frozenset(each.config),
                "id",
            )
        elif isinstance(each, AddPartitions):
            topics[each.topic] = replace(topics[each.topic], partitions=each.after)
        else:
            there = topics[each.topic]
            topics[each.topic] = replace(
                there,
                config={**there.config, each.key: each.after},
                overrides=there.overrides | {each.key},
            )
    return Observed(observed.brokers, topics)


_options = st.fixed_dictionaries(
    {"create_external": st.booleans(), "allow_data_loss": st.booleans()}
)


@given(_topics, _observed, _options)
def test_a_plan_only_ever_adds(
    topics: Topics, observed: Observed, options: dict[str, bool]
) -> None:
    made = plan(topics, observed, **options)
    after = _applied(made, observed)

    for name, there in observed.topics.items():
        assert after.topics[name].partitions >= there.partitions
        assert after.topics[name].replication == there.replication
        assert after.topics[name].overrides >= there.overrides
    external = {each.name for each in topics.specs if each.entry.external}
    assert not external & set(observed.topics) & {each.topic for each in made.changes}
    if not options["allow_data_loss"]:
        for each in made.changes:
            assert not (
                isinstance(each, SetConfig)
                and topic_config.loses(each.key, each.before, each.after)
            )


@given(_topics, _observed, _options, st.integers(0, 9))
def test_interrupted_anywhere_a_second_apply_comes_to_the_same_end(
    topics: Topics, observed: Observed, options: dict[str, bool], carried_out: int
) -> None:
    made = plan(topics, observed, **options)
    halfway = _applied(Plan(made.changes[:carried_out]), observed)
    end = _applied(plan(topics, halfway, **options), halfway)

    assert end == _applied(made, observed)
    assert all(is_done(each, end) for each in made.changes)
    last = plan(topics, end, **options)
    assert last.changes == ()
    assert last.blocked == made.blocked
