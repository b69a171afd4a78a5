"""What every test gets: explained assertions in the modules that tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest_plugins = ["streams.testing"]  # --broker, and the Kafka of tests/kafka

settings.register_profile("crash", max_examples=10_000)  # make test-crash
pytest.register_assert_rewrite("tests.kafka.running")
