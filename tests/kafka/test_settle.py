"""The embedded Kafka, killed between a commit and its marker, shows what was committed.

Kafka leaves such a transaction open now and then, when killed amid commits. Here it is brought
about each time: a record of a producer whose last transaction is complete, on a partition that has
no marker for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder

from tests.kafka.running import until

if TYPE_CHECKING:
    from tests.kafka.conftest import OwnKafka

pytestmark = pytest.mark.kafka

TOPIC = "torn"
PLACE = TopicPartition(TOPIC, 0)


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_a_transaction_that_kafka_forgot_to_end_is_ended_as_it_was_decided(
    own_kafka: OwnKafka, end: str
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap_servers)
    try:
        admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 1}})
        loose = {"transaction.partition.verification.enable": "false"}
        broker = ConfigResource(ConfigResourceType.BROKER, "1", loose)
        admin.alter_configs([broker], incremental=True)
        transact(own_kafka, end)
        left_open(admin)
        assert visible(own_kafka) == ([b"first"] if end == "commit" else [])
        assert is_open(admin), "invalid: no transaction is open"
    finally:
        admin.close()

    own_kafka.kill()
    own_kafka.start()

    admin = KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap_servers)
    try:
        assert not is_open(admin)
    finally:
        admin.close()
    transact(own_kafka, "commit")
    told = [b"first", b"torn", b"first"] if end == "commit" else [b"first"]
    until(lambda: visible(own_kafka) == told, seconds=20)


def transact(kafka: OwnKafka, end: str) -> None:
    """A transaction of one record ended."""
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "torn", "linger.ms": 0}
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(TOPIC, b"first", partition=0)
    producer.flush()
    (producer.commit_transaction if end == "commit" else producer.abort_transaction)()


def left_open(admin: KafkaAdminClient) -> None:
    """The partition has one more record of that producer, and no marker after it."""
    until(lambda: ended(admin))
    who = admin.describe_transactions([TOPIC])[TOPIC]
    batch = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=True, batch_size=1_000,
        producer_id=who.producer_id, producer_epoch=who.producer_epoch, base_sequence=1,
    )  # fmt: skip
    batch.append(0, 1_700_000_000_000, None, b"torn", [])
    data = ProduceRequest.TopicProduceData
    part = data.PartitionProduceData(index=0, records=bytes(batch.build()))
    request: Any = ProduceRequest(
        transactional_id=TOPIC,
        acks=-1,
        timeout_ms=10_000,
        topic_data=[data(name=TOPIC, partition_data=[part])],
        max_version=9,
    )
    answer = admin._manager.run(admin._manager.send, request, 1)
    assert answer.responses[0].partition_responses[0].error_code == 0


def ended(admin: KafkaAdminClient) -> bool:
    """Tell whether the markers of the last transaction are written: that follows its answer."""
    return str(admin.describe_transactions([TOPIC])[TOPIC].state.value).startswith("Complete")


def is_open(admin: KafkaAdminClient) -> bool:
    states = admin.describe_producers([PLACE])[PLACE].active_producers
    return any(each.current_transaction_start_offset >= 0 for each in states)


def visible(kafka: OwnKafka) -> list[bytes]:
    """Return what a reader of committed records sees."""
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, isolation_level="read_committed"
    )
    try:
        consumer.assign([PLACE])
        consumer.seek_to_beginning(PLACE)
        seen = []
        while found := consumer.poll(timeout_ms=1_500):
            seen += [record.value for records in found.values() for record in records]
        return seen
    finally:
        consumer.close()
