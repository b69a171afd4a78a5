"""What every test gets: explained assertions in the modules that tests share."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.kafka.running")
