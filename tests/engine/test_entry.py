"""A client of librdkafka that cannot be made is a failure like any other: it is tried again."""

from __future__ import annotations

import pytest
from faust.types import TP

from streams.engine.blocking import Failed
from streams.engine.transactions import Writer, stable_offsets
from streams.security import Kafka, Mechanism, Protocol, Security

# librdkafka refuses at once; of an OAuth token it would first wait ten seconds for one.
NOBODY = Kafka("127.0.0.1:1", Security(Protocol.SASL_PLAINTEXT, Mechanism.PLAIN, username=""))


def test_a_producer_that_cannot_be_made_fails() -> None:
    with pytest.raises(Failed):
        Writer(NOBODY, "tests", "tests-1").start()


def test_offsets_that_nobody_can_ask_for_fail() -> None:
    with pytest.raises(Failed):
        stable_offsets(NOBODY, "tests", [TP("a-topic", 0)], 1.0)
