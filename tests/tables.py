"""A worker that never starts, and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.cluster import Cluster
from streams.security import Kafka
from streams.settings import load
from streams.worker import Worker

if TYPE_CHECKING:
    from streams.engine.table import PartitionStore

OURS = (
    "grade-events", "grade-events-refused", "grade-scores-changelog",
    "grade-alerts", "grade-alerts-posted", "grade-alerts-state",
    "grade-alert-actions", "grade-access-audit", "grade-rules",
)  # fmt: skip


def a_worker(kind: type[Worker] = Worker, **told: Any) -> Worker:  # noqa: ANN401 - settings
    """Return a worker that never starts."""
    cluster = Cluster(
        Kafka("127.0.0.1:9"), dict.fromkeys(["canvas-live-events", *OURS], 4), "topic-id"
    )
    told = {"kafka_bootstrap_servers": "127.0.0.1:9", "web_port": 0} | told
    return kind(load(**told), cluster)


def a_store(partitions: int = 4) -> PartitionStore:
    """Return the table of a worker that never starts, with every partition its own."""
    store = a_worker().table.data
    store.serving = set(range(partitions))
    return store
