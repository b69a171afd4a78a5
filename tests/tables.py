"""The table of a worker that never starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.settings import load
from streams.worker import Cluster, Worker

if TYPE_CHECKING:
    from streams.engine.table import PartitionStore

OURS = ("grade-events", "grade-events-refused", "grade-alerts", "grade-scores-changelog")


def a_store() -> PartitionStore:
    """Return the table of a worker that never starts."""
    topics = ["canvas-live-events", *OURS]
    cluster = Cluster("127.0.0.1:9", dict.fromkeys(topics, 4), "topic-id")
    return Worker(load(kafka_bootstrap_servers="127.0.0.1:9"), cluster).table.data
