"""Whatever a cluster has and a file says: a plan only adds; an interrupted one is gone on with."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.core import topic_config
from streams.core.topic_file import ALERTS, RAW, Entry, Spec, Topics
from streams.core.topics import (
    AddPartitions,
    Create,
    Observed,
    ObservedTopic,
    Plan,
    SetConfig,
    is_done,
    plan,
)

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
