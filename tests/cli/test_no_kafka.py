"""Where no Kafka answers, a command says which address it asked and what to do, and soon."""

from __future__ import annotations

import gc
import logging
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING

import pytest

from streams import admin, connection
from streams.errors import BrokerError
from streams.settings import load

if TYPE_CHECKING:
    from pathlib import Path


def _plan() -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "streams", "topics", "plan"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_kafka_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "DEADLINE", 1.0)
    caplog.set_level(logging.CRITICAL, logger="kafka")  # captured errors would keep their sockets
    threads, began = threading.active_count(), time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, never answers
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        settings = load(kafka_bootstrap_servers=address)
        with pytest.raises(BrokerError, match=f"Kafka at {address} does not answer") as raised:
            admin.make_plan(settings)
    assert "KAFKA_BOOTSTRAP_SERVERS" in raised.value.next_step
    with warnings.catch_warnings():
        # kafka-python leaves the socket of a refused connection to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(BrokerError, match=f"Kafka at {address} does not answer"):
            admin.make_plan(settings)
        gc.collect()
    assert threading.active_count() <= threads  # an earlier test may have left one that ended
    assert time.monotonic() - began < 10


def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:b:c")
    code, said = _plan()
    assert code == 1
    assert "'a:b:c' is not an address of Kafka" in said


def test_without_any_kafka_the_next_step_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(tmp_path))
    code, said = _plan()
    assert code == 1
    assert "no Kafka: KAFKA_BOOTSTRAP_SERVERS is not set" in said
    assert "next: gradewatch broker start, or set KAFKA_BOOTSTRAP_SERVERS" in said
