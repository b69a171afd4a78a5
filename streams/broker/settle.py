"""Ends the transactions that Kafka forgot to end when it was killed.

Kafka answers a commit once it is decided, and writes the markers that show it afterwards. A broker
that is killed in between and is the only one finds, when it starts, that no partition has a leader
yet, takes them for deleted, and notes the transaction as complete (4.3.1 logs "likely deleted
already and hence can be skipped"). Its records then stay hidden for ever, and so does all that
stands after them; its offsets cannot be read, so that no worker starts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.protocol.producer import WriteTxnMarkersRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS: Final = 10.0
"""How long partitions may take to get a leader."""

_COMMITTED: Final = {"CompleteCommit": True, "CompleteAbort": False}
"""How a transaction ended, in the coordinator's word → whether its records are to be seen."""


def ended_cleanly(data: Path) -> bool:
    """Tell whether the broker of a data directory ended in a controlled shutdown, or never ran."""
    return (data / ".kafka_cleanshutdown").exists() or not (data / "meta.properties").exists()


def settle(bootstrap_servers: str) -> int:
    """Every transaction that its coordinator knows as complete is so on every partition.

    Args:
        bootstrap_servers: Of a broker that is the only one, and was killed before.

    Returns:
        How many partitions had to be told.

    Raises:
        KafkaError: The broker does not answer, or does not let us.
    """
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, client_id="gradewatch-broker")
    try:
        ended = {
            each.producer_id: _COMMITTED[each.state.value]
            for listed in admin.list_transactions().values()
            for each in listed
            if each.state.value in _COMMITTED
        }
        if not ended:
            return 0
        told = 0
        states = admin.describe_producers(_partitions(admin))
        for place, state in states.items():
            for each in state.active_producers:
                if each.current_transaction_start_offset >= 0 and each.producer_id in ended:
                    _tell(admin, place, each, committed=ended[each.producer_id])
                    told += 1
        return told
    finally:
        admin.close()


def _partitions(admin: KafkaAdminClient) -> list[TopicPartition]:
    """Return every partition, once each has a leader."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = list(_led(admin.describe_topics()))
        if None not in found or time.monotonic() > deadline:
            return [place for place in found if place is not None]
        time.sleep(0.1)


def _led(topics: list[dict[str, Any]]) -> Iterator[TopicPartition | None]:
    for topic in topics:
        for each in topic["partitions"]:
            led = each["leader_id"] >= 0
            yield TopicPartition(topic["name"], each["partition_index"]) if led else None


def _tell(
    admin: KafkaAdminClient,
    place: TopicPartition,
    producer: Any,  # noqa: ANN401 - kafka-python's own
    *,
    committed: bool,
) -> None:
    """A partition has the marker that ends a producer's transaction."""
    marker = WriteTxnMarkersRequest.WritableTxnMarker(
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        transaction_result=committed,
        topics=[
            WriteTxnMarkersRequest.WritableTxnMarker.WritableTxnMarkerTopic(
                name=place.topic, partition_indexes=[place.partition]
            )
        ],
        coordinator_epoch=max(producer.coordinator_epoch, 0),
    )
    manager = admin._manager  # noqa: SLF001 - it has a method for aborts alone
    [leader] = manager.run(admin._async_get_leader_for_partitions, [place])  # noqa: SLF001
    answer = manager.run(manager.send, WriteTxnMarkersRequest(markers=[marker]), leader)
    code = answer.markers[0].topics[0].partitions[0].error_code
    if code:
        raise KafkaError(f"{place}: marker refused, error {code}")
