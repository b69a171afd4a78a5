"""What every test gets: explained assertions in the modules that tests share."""

from __future__ import annotations

import os

import pytest

from streams.broker import ports
from tests import profiles  # noqa: F401 - what --hypothesis-profile chooses from

pytest_plugins = ["streams.testing"]  # --broker, and the Kafka of tests/kafka

pytest.register_assert_rewrite("tests.kafka.running")

# Brokers of tests live for seconds to minutes: compiling their code twice costs more than it saves.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")  # noqa: TID251 - for Java


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of pytest-xdist ports of its own.

    A free port is chosen before its server binds it: two processes could choose the same one.
    """
    if xdist := getattr(config, "workerinput", None):
        count = xdist["workercount"]
        number = int(xdist["workerid"].removeprefix("gw")) % count  # a crashed one's has a new id
        size = len(ports.FREE_PORTS) // count
        ports.FREE_PORTS = ports.FREE_PORTS[number * size : (number + 1) * size]
