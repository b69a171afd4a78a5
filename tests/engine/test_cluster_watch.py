"""A cluster that is another one than at the start ends the worker; what waits unseen is told of."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from faust.types import TP
from kafka.errors import KafkaTimeoutError

from streams.engine import census
from streams.engine.blocking import Failed
from streams.engine.census import Census, CensusTaker, TopicSeen
from streams.engine.cluster_faults import LOOKS, SET_BACK_LOOKS, Expected, Group
from streams.engine.cluster_watch import (
    BLIND_SECONDS,
    REBALANCE_SECONDS,
    SETTLE_SECONDS,
    ClusterWatch,
)
from streams.errors import BrokerError, GradewatchError, TopicChangedError, TopicMismatchError
from streams.security import Kafka

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALL = frozenset({"READ", "WRITE", "DESCRIBE"})
EXPECTED = {
    "raw": Expected("r", 2, {"READ": "nothing to read"}, external=True),
    "events": Expected("e", 2, {"READ": "nothing to read", "WRITE": "nothing is passed on"}),
    "refused": Expected("x", 2, growable=True),
}
GROUP = Group("g", "g-worker-1", ("raw", "events"), {"READ": "nobody joins"})
PLACES = [TP(name, number) for name in ("raw", "events", "refused") for number in range(2)]
SEEN = {name: TopicSeen(told.topic_id, 2, ALL) for name, told in EXPECTED.items()}


def a_census(topics: Mapping[str, TopicSeen | None] | None = None, **told: Any) -> Census:  # noqa: ANN401
    """Return what a healthy cluster has, but for what is said."""
    there = {name: seen for name, seen in {**SEEN, **(topics or {})}.items() if seen is not None}
    healthy: dict[str, Any] = {
        "topics": there,
        "denied": frozenset(),
        "ends": dict.fromkeys(PLACES, 100),
        "stable": True,
        "owned": frozenset(PLACES),
        "clients": ("g-worker-1", "g-worker-2"),
        "group_granted": ALL,
    }
    return Census(**healthy | told)


def a_watch() -> ClusterWatch:
    return ClusterWatch(cast("Any", None), EXPECTED, GROUP)


def judged(census: Census, looks: int) -> GradewatchError:
    """Return what ends a worker at that look, and at no look before."""
    watch = a_watch()
    watch.judge(a_census(), {}, 0)
    for look in range(1, looks):
        watch.judge(census, {}, look)
    with pytest.raises(GradewatchError) as raised:
        watch.judge(census, {}, looks)
    assert raised.value.next_step
    return raised.value


def test_a_healthy_cluster_is_neither_a_reason_nor_a_warning() -> None:
    watch = a_watch()
    for second in range(0, 600, 3):
        watch.judge(a_census(), {}, second)
    assert (watch.reasons(), watch.warnings(), watch.unowned) == ([], [], {})


@pytest.mark.parametrize("name", EXPECTED)
def test_a_topic_made_anew_ends_the_worker_at_once(name: str) -> None:
    error = judged(a_census({name: SEEN[name]._replace(topic_id="other")}), 1)
    assert isinstance(error, TopicChangedError)
    assert error.exit_code == 65
    assert f"the topic {name} was made anew" in str(error)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_deleted_topic_ends_the_worker_once_it_stays_away(name: str) -> None:
    error = judged(a_census({name: None}), LOOKS)
    assert isinstance(error, TopicMismatchError)
    assert f"the topic {name} was deleted" in str(error)


def test_a_topic_that_a_starting_broker_does_not_know_yet_is_no_fault() -> None:
    watch = a_watch()
    for look in range(20):
        watch.judge(a_census({"events": None} if look % LOOKS else None), {}, look)


def test_more_partitions_end_the_worker_where_it_would_not_use_them_rightly() -> None:
    more = {name: seen._replace(partitions=3) for name, seen in SEEN.items()}
    raw = judged(a_census({"raw": more["raw"]}), 1)
    events = judged(a_census({"events": more["events"]}), 1)
    assert (raw.exit_code, events.exit_code) == (1, 78)
    assert "raw has 3 partitions now, and had 2" in str(raw)
    a_watch().judge(a_census({"refused": more["refused"]}), {}, 0)


def test_a_log_that_ends_earlier_than_before_ends_the_worker() -> None:
    back = TP("events", 1)
    error = judged(a_census(ends=dict.fromkeys(PLACES, 100) | {back: 90}), SET_BACK_LOOKS)
    assert isinstance(error, TopicChangedError)
    assert "events[1] ends at offset 90 now, and ended at 100 before" in str(error)


def test_a_log_that_goes_back_and_grows_meanwhile_is_seen() -> None:
    watch, back = a_watch(), TP("events", 1)
    watch.judge(a_census(), {}, 0)
    watch.judge(a_census(ends={back: 90}), {}, 1)
    with pytest.raises(TopicChangedError):
        watch.judge(a_census(ends={back: 95}), {}, 2)


@pytest.mark.parametrize(
    ("census", "what"),
    [
        (a_census({"events": TopicSeen("e", 2, ALL - {"READ"})}), "READ on topic events"),
        (a_census({"events": TopicSeen("e", 2, ALL - {"WRITE"})}), "WRITE on topic events"),
        (a_census({"raw": None}, denied=frozenset({"raw"})), "DESCRIBE on topic raw"),
        (a_census(group_granted=frozenset({"DESCRIBE"})), "READ on group g"),
        (a_census(group_granted=frozenset(), group_denied=True), "READ on group g"),
    ],
)
def test_a_right_that_was_taken_away_ends_the_worker_and_is_named(
    census: Census, what: str
) -> None:
    error = judged(census, LOOKS)
    assert isinstance(error, BrokerError)
    assert f"{what} is not granted any more" in str(error)


def test_a_kafka_that_does_not_say_what_it_grants_is_believed() -> None:
    watch = a_watch()
    silent = {name: seen._replace(granted=frozenset()) for name, seen in SEEN.items()}
    for look in range(2 * LOOKS):
        watch.judge(a_census(silent, group_granted=frozenset()), {}, look)


def test_a_source_partition_without_a_worker_is_told_of_once_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "gradewatch.engine")
    watch, lost = a_watch(), TP("raw", 1)
    watch.judge(a_census(), {lost: 5}, 0)
    assert watch.reasons() == []
    watch.judge(a_census(), {lost: 7}, SETTLE_SECONDS)
    assert watch.reasons() == ["raw[1] has no worker, 7 records wait"]
    assert watch.unowned == {lost: 7}

    watch.judge(a_census(), {}, SETTLE_SECONDS + 3)
    assert (watch.reasons(), watch.unowned) == ([], {})
    assert [record.getMessage() for record in caplog.records] == [
        "raw[1] has no worker, 7 records wait"
    ]


def test_a_group_that_does_not_settle_is_told_of() -> None:
    watch = a_watch()
    watch.judge(a_census(stable=False), {}, 0)
    assert watch.reasons() == []
    watch.judge(a_census(stable=False), {}, REBALANCE_SECONDS)
    assert "does not settle" in watch.reasons()[0]


def test_a_second_worker_of_our_name_is_told_of_once_a_crashed_one_would_be_gone() -> None:
    watch, twins = a_watch(), a_census(clients=("g-worker-1", "g-worker-1"))
    watch.judge(twins, {}, 0)
    assert watch.warnings() == []
    watch.judge(twins, {}, SETTLE_SECONDS)
    assert "GRADEWATCH_WORKER_ID, worker-1" in watch.warnings()[0]


def test_looks_that_fail_are_warned_of_once_that_lasts() -> None:
    class Taker:
        fails = True

        def take(self) -> Census:
            if self.fails:
                raise Failed("timed out")
            return a_census()

    taker = Taker()
    watch = ClusterWatch(cast("Any", taker), EXPECTED, GROUP)
    asyncio.run(watch.look(0))
    asyncio.run(watch.look(BLIND_SECONDS - 1))
    assert watch.warnings() == []
    asyncio.run(watch.look(BLIND_SECONDS))
    assert watch.warnings() == ["topics and group cannot be looked at, for a minute now: timed out"]
    taker.fails = False
    asyncio.run(watch.look(BLIND_SECONDS + 3))
    assert watch.warnings() == []


def test_a_connection_that_failed_once_is_never_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    class Stuck:
        def describe_topics(self, *_: object) -> None:
            raise KafkaTimeoutError

    @contextmanager
    def client(_: Kafka) -> Iterator[Stuck]:
        made.append(Stuck())
        yield made[-1]

    monkeypatch.setattr(census, "client", client)
    taker = CensusTaker(Kafka("127.0.0.1:9"), "g", ["raw"])
    for looks in (1, 2):
        with pytest.raises(Failed):
            taker.take()
        assert len(made) == looks


def test_a_topic_made_anew_is_met_before_anything_of_it_is_worked_on() -> None:
    class Taker:
        def take(self) -> Census:
            return a_census({"events": SEEN["events"]._replace(topic_id="other")})

    watch = ClusterWatch(cast("Any", Taker()), EXPECTED, GROUP)
    with pytest.raises(TopicChangedError, match="events was made anew"):
        asyncio.run(watch.require_unchanged())
