"""The cluster profile: one broker of three is killed under load; nothing is lost or doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams import doctor
from streams.doctor import Patient, State
from tests.containers.project import CLUSTER, Project
from tests.kafka.crash.load import Load, progress
from tests.kafka.running import assert_all_is_as_recomputed, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.containers.conftest import Images
    from tests.kafka.running import Flow

pytestmark = pytest.mark.containers

RATE = 400
INTERNAL = ("__consumer_offsets", "__transaction_state")


def test_a_broker_of_three_is_killed_under_load(compose: Images, tmp_path: Path) -> None:
    with Project(compose, tmp_path, "--env-file", str(CLUSTER), brokers=3) as project:
        project.await_ready("worker-1", "worker-2")
        flow = project.flow(tmp_path, topics_profile="three-brokers")
        with Load(flow, 61, RATE) as load:
            until(lambda: bool(flow.read("grade-alerts")))
            assert_kept_three_times(flow)
            victim = f"kafka-{leader(flow)}"
            load.require_under_way()
            project.kill(victim)
            before = progress(flow)
            until(lambda: progress(flow) > before + 3 * RATE)
            load.require_under_way()
            assert_the_doctor_sees_it(flow)
            assert not project.state(victim)["Running"], "invalid: it was not away"
            project.start(victim)
        until(lambda: is_whole(flow))

        assert_all_is_as_recomputed(flow)
        for worker in ("worker-1", "worker-2"):
            assert project.state(worker)["Running"]


def described(flow: Flow, *names: str) -> list[dict[str, object]]:
    """Return every partition of topics, as a broker that answers describes it."""
    admin = KafkaAdminClient(bootstrap_servers=flow.servers.split(","))
    try:
        topics = admin.describe_topics(list(names))
        return [partition for topic in topics for partition in topic["partitions"]]
    finally:
        admin.close()


def assert_the_doctor_sees_it(flow: Flow) -> None:
    """A broker is away: nothing fails, and what is the matter is said."""
    patient = Patient(flow.settings)
    [brokers] = (each for each in doctor.CHECKS if each.name == "brokers")
    [replicas] = (each for each in doctor.CHECKS if each.name == "replicas")
    silent, fenced = brokers.made(patient)
    assert (silent.state, fenced.state) == (State.WARN, State.WARN)
    assert "does not answer" in silent.evidence
    assert "fenced, so away" in fenced.evidence
    fewer = replicas.made(patient)
    patient.close()
    assert {each.state for each in fewer} == {State.WARN}
    assert all("2 of 3 replicas in sync" in each.evidence for each in fewer)


def leader(flow: Flow) -> int:
    """Return the node id of the broker that leads the first partition of the events."""
    (found,) = [
        each["leader_id"]
        for each in described(flow, flow.topic("grade-events"))
        if each["partition_index"] == 0
    ]
    return int(str(found))


def ours(flow: Flow) -> list[str]:
    return [flow.topic(name) for name in ("canvas-live-events", "grade-events", "grade-alerts")]


def assert_kept_three_times(flow: Flow) -> None:
    """Kafka's own topics too: offsets and transactions are as safe as what they speak of."""
    for partition in described(flow, *ours(flow), *INTERNAL):
        replicas = partition["replica_nodes"]
        assert isinstance(replicas, list)
        assert len(replicas) == 3


def is_whole(flow: Flow) -> bool:
    """Return True once every replica is in sync, the broker's that came back included."""
    try:
        found = described(flow, *ours(flow), *INTERNAL)
    except (
        KafkaError
    ):  # Docker takes connections for a broker that is still starting, and cuts them
        return False
    return all(len(str(each["isr_nodes"])) == len(str(each["replica_nodes"])) for each in found)
