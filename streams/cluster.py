"""What a worker has to know of the cluster before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.cluster_faults import Expected
    from streams.security import Kafka


class Cluster(NamedTuple):
    """What a worker has to know of the cluster before it starts.

    Attributes:
        kafka: Where it is, and how to get in.
        partitions: Number of partitions by topic, in this namespace.
        events_id: Kafka's id of ``grade-events``: offsets compare only within one topic id.
        expected: Each topic as it was seen; it must stay so while the worker runs.
        group_needs: What must be granted on the consumer group: operation → what fails without.
    """

    kafka: Kafka
    partitions: Mapping[str, int]
    events_id: str
    expected: Mapping[str, Expected] = {}
    group_needs: Mapping[str, str] = {}
