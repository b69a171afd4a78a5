"""Every way into a secured Kafka, with every client: the same user, and the same rights."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer
from kafka.admin import NewTopic

from streams import admin
from streams.connection import client
from streams.settings import load
from tests.kafka.running import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.security import Kafka
    from tests.kafka.secured import SecuredKafka

pytestmark = pytest.mark.kafka

WAYS: dict[str, Callable[[SecuredKafka], dict[str, Any]]] = {
    "SCRAM-SHA-512": lambda secured: secured.scram("admin"),
    "PLAIN": lambda secured: secured.plain("admin"),
    "OAUTHBEARER from an endpoint": lambda secured: secured.oauth("admin"),
    "OAUTHBEARER from a file": lambda secured: secured.token_file("admin", 600),
    "mTLS": lambda secured: secured.mtls("admin"),
}


@pytest.fixture(scope="module")
def topic(secured_kafka: SecuredKafka) -> str:
    """A topic that nobody was granted anything on: only a super user sees it."""
    with client(secured_kafka.admin) as asked:
        asked.create_topics([NewTopic("unseen", 1, 1)])
        until(lambda: "unseen" in asked.list_topics())
    return "unseen"


@pytest.mark.parametrize("way", WAYS)
def test_all_three_clients_get_in(secured_kafka: SecuredKafka, topic: str, way: str) -> None:
    kafka = admin.bootstrap(load(**WAYS[way](secured_kafka)))

    assert topic in admin.observe(kafka, [topic]).topics
    assert topic in asyncio.run(by_aiokafka(kafka))
    assert topic in by_librdkafka(kafka)


async def by_aiokafka(kafka: Kafka) -> set[str]:
    consumer = AIOKafkaConsumer(**kafka.aiokafka())
    try:
        await consumer.start()
        return set(await consumer.topics())
    finally:
        await consumer.stop()


def by_librdkafka(kafka: Kafka) -> set[str]:
    consumer = Consumer({**kafka.librdkafka(), "group.id": "tests"})
    try:
        return set(consumer.list_topics(timeout=10).topics)
    finally:
        consumer.close()
