"""What goes through librdkafka: transactions, and offsets that none of them can change any more.

aiokafka has neither of the two that make exactly-once safe with one producer for all partitions
(KIP-447): the group's generation in the transactional offset commit, and committed offsets that
wait for pending transactions. Its consumer stays; its membership is told to librdkafka's producer.
Every call here blocks: run it in a thread, where it works without Python's lock.
"""

from __future__ import annotations

import logging
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from faust.types import TP

from streams.engine.blocking import Failed, NeverTaken, NotGranted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from confluent_kafka import Message

    from streams.engine.outputs import Outputs
    from streams.security import Kafka

    Delivered = Callable[[KafkaError | None, Message], None]

T = TypeVar("T")

log = logging.getLogger("librdkafka")

TRANSACTION_SECONDS: Final = 10.0
"""After this Kafka aborts a transaction. One that hangs hides all committed records behind it."""

BATCH_BYTES: Final = 900 * 1024
"""Bytes of one produced batch, below every topic's ``max.message.bytes`` of 1 MiB and more."""

_LASTING: Final = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
    KafkaError.RECORD_LIST_TOO_LARGE,
}

_DENIED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}

_QUEUE_RECORDS: Final = 1_000_000


class Member(NamedTuple):
    """Who commits: a member of the consumer group, in one generation of it.

    Attributes:
        group: The consumer group.
        generation: As of the last assignment.
        member_id: What the coordinator calls it.
        instance_id: What it calls itself, if it is a static member.
    """

    group: str
    generation: int
    member_id: str
    instance_id: str | None

    def encoded(self) -> bytes:
        r"""Return it as librdkafka serializes its own (``rd_kafka_consumer_group_metadata_write``).

        Example:
            >>> Member("g", 7, "m-1", None).encoded()
            b'CGMDv2:\x07\x00\x00\x00g\x00m-1\x00\x01'
        """
        instance = b"\1" if self.instance_id is None else b"\0%b\0" % self.instance_id.encode()
        names = b"%b\0%b\0" % (self.group.encode(), self.member_id.encode())
        return b"CGMDv2:" + struct.pack("=i", self.generation) + names + instance


class Writer:
    """Produces the outputs of worked batches: in a transaction with their offsets, or in order."""

    def __init__(self, kafka: Kafka, client_id: str, transactional_id: str | None) -> None:
        """Prepare; `start` connects.

        Args:
            kafka: Where it is, and how to get in.
            client_id: Names it in the broker's log.
            transactional_id: Who fences whom; None: no transactions.
        """
        self._client_id = client_id
        self._transactional_id = transactional_id
        self._kafka = kafka
        self._producer: Producer | None = None

    @property
    def transactional(self) -> bool:
        """Whether offsets are committed with the outputs."""
        return self._transactional_id is not None

    def start(self) -> Producer:
        """Be ready; what was left open under the same transactional id is aborted.

        Raises:
            Failed: Kafka does not answer, or a token endpoint does not.
            ConfigurationError: A file that is needed to get in is missing or bad.
        """
        if self._producer is None:
            told = _told(self._kafka, self._client_id, self._transactional_id)
            producer = _do(lambda: Producer(told, logger=log))  # waits for an OAuth token
            if self.transactional:
                _do(lambda: producer.init_transactions(TRANSACTION_SECONDS))
            self._producer = producer
        return self._producer

    def produce(self, outputs: Outputs) -> None:
        """Every record is acknowledged; read_committed readers wait for no transaction.

        Raises:
            Failed: One was not; others may have been.
        """
        producer, failures = self.start(), list[KafkaError]()

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        _send(producer, outputs, delivered)
        left = producer.flush(TRANSACTION_SECONDS)
        if failures or left:
            raise _failed(failures[0]) if failures else Failed("not acknowledged in time")

    def transact(self, steps: Sequence[Outputs], offsets: Mapping[TP, int], member: Member) -> None:
        """Outputs and offsets are visible together; no one else's are in between.

        Args:
            steps: All are one.
            offsets: Where each source partition is to be read on.
            member: Refused if the group has moved on.

        Raises:
            Failed: They may or may not be; `start` of a new writer decides it.
        """
        producer = self.start()
        producer.poll(0)  # its log lines come out in here
        _do(producer.begin_transaction)
        for outputs in steps:
            _send(producer, outputs, None)
        positions = [TopicPartition(*tp, offset) for tp, offset in offsets.items()]
        metadata = member.encoded()
        _do(lambda: producer.send_offsets_to_transaction(positions, metadata, TRANSACTION_SECONDS))
        _do(lambda: producer.commit_transaction(TRANSACTION_SECONDS))

    def write(self, steps: Sequence[Outputs]) -> None:
        """Outputs are acknowledged, and no offsets with them: in a transaction, else step by step.

        Raises:
            Failed: They may or may not be.
        """
        producer = self.start()
        if not self.transactional:
            for outputs in steps:
                self.produce(outputs)
            return
        _do(producer.begin_transaction)
        for outputs in steps:
            _send(producer, outputs, None)
        _do(lambda: producer.commit_transaction(TRANSACTION_SECONDS))

    def abandon(self) -> None:
        """Nothing more is sent; `start` aborts a transaction that is left open."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaException):  # it may be past everything
                producer.purge()
                producer.close()

    def forget(self) -> None:
        """What hangs is left hanging; `start` fences it."""
        self._producer = None


def stable_offsets(
    kafka: Kafka, group: str, partitions: Iterable[TP], seconds: float
) -> dict[TP, int | None]:
    """Return committed offsets once no pending transaction can change them (KIP-447).

    Args:
        kafka: Where it is, and how to get in.
        group: The consumer group.
        partitions: Which.
        seconds: How long to wait.

    Returns:
        By partition; None where nothing was ever committed.

    Raises:
        Failed: A transaction is still pending, or Kafka does not answer.
    """
    wanted = [TopicPartition(*tp) for tp in partitions]
    told = {
        **kafka.librdkafka(),
        "group.id": group,
        "client.id": f"{group}-offsets",
        "isolation.level": "read_committed",  # has librdkafka require stable offsets
        "enable.auto.commit": False,
    }
    consumer = _do(lambda: Consumer(told, logger=log))  # waits for an OAuth token
    try:
        found = _do(lambda: consumer.committed(wanted, timeout=seconds))
    except Failed as failed:
        raise Failed(
            f"committed offsets: {failed}: a pending transaction holds them, or Kafka does not "
            "answer (after a minute, ask kafka-transactions.sh find-hanging)"
        ) from None
    finally:
        consumer.close()
    for one in found:
        if one.error is not None:
            raise _failed(one.error)
    return {TP(one.topic, one.partition): one.offset if one.offset >= 0 else None for one in found}


def _told(kafka: Kafka, client_id: str, transactional_id: str | None) -> dict[str, Any]:
    """Return what a producer is told."""
    told: dict[str, Any] = {
        **kafka.librdkafka(),
        "client.id": client_id,
        "enable.idempotence": True,
        "linger.ms": 5,  # a flush does not wait for it
        "message.max.bytes": 8 << 20,  # topics have limits of their own
        "batch.size": BATCH_BYTES,
        "queue.buffering.max.messages": _QUEUE_RECORDS,
        # Kafka answers the first requests of a transaction with "not yet" (KAFKA-5477).
        "retry.backoff.ms": 5,
        "retry.backoff.max.ms": 100,
        "socket.nagle.disable": True,
        "delivery.timeout.ms": int(TRANSACTION_SECONDS * 1000),
    }
    if transactional_id is not None:
        told |= {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(TRANSACTION_SECONDS * 1000),
        }
    return told


def _send(producer: Producer, outputs: Outputs, delivered: Delivered | None) -> None:
    produce = producer.produce
    for (topic, partition), records in outputs.records.items():
        for key, value, timestamp, headers in records:
            while True:
                try:
                    produce(
                        topic, value, key, partition, on_delivery=delivered, timestamp=timestamp,
                        headers=headers,  # type: ignore[arg-type]
                    )  # fmt: skip
                    break
                except BufferError:  # the queue is full
                    producer.poll(0.1)
                except KafkaException as error:
                    raise _failed(error.args[0]) from None


def _do(call: Callable[[], T]) -> T:
    try:
        return call()
    except KafkaException as error:
        raise _failed(error.args[0]) from None


def _failed(error: KafkaError) -> Failed:
    kind = {**dict.fromkeys(_LASTING, NeverTaken), **dict.fromkeys(_DENIED, NotGranted)}
    return kind.get(error.code(), Failed)(error.name())
