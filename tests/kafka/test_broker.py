"""The embedded Kafka: it starts, says what is in the way, keeps its data, leaves nothing behind.

All on the real thing: real jars, real JVMs, real signals.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from streams import broker
from streams.broker import jars, ports, state
from streams.errors import EmbeddedBrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kafka.conftest import Kafka, OwnKafka

pytestmark = pytest.mark.kafka

DEADLINE = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)


def gradewatch(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "broker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(command: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = command.communicate(timeout=DEADLINE * 2)
    return command.returncode, out, err


def jvms(data_dir: Path, main: str = "") -> list[psutil.Process]:
    """Every live Java process with the data directory, and a class, on its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            words = " ".join(command)
            if command[:1] and command[0].endswith("java") and str(data_dir) in words:
                found += [process] if main in words else []
        except psutil.Error:
            continue
    return found


def brokers(data_dir: Path) -> list[psutil.Process]:
    return jvms(data_dir, "kafka.Kafka")


@pytest.fixture
def data_dir(tmp_path: Path, jar_dir: Path) -> Iterator[Path]:
    """An empty data directory with the shared jars; no broker outlives the test."""
    jars.fetch(jar_dir)
    (tmp_path / jar_dir.name).symlink_to(jar_dir)
    yield tmp_path
    broker.stop(tmp_path, deadline=0)


def write(bootstrap_servers: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    producer.send("kept", value).get(DEADLINE)
    producer.close()


def read(bootstrap_servers: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        "kept", bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest"
    )
    values: list[bytes] = []

    def poll() -> bool:
        for records in consumer.poll(timeout_ms=100).values():
            values.extend(record.value for record in records)
        return len(values) >= count

    until(poll, f"{count} records")
    consumer.close()
    return values


def test_of_two_starts_at_once_one_starts_a_broker_that_stays_until_stop(data_dir: Path) -> None:
    where = ("--data-dir", str(data_dir))
    starts = [gradewatch("start", "--port", "0", *where) for _ in range(2)]
    outcomes = [answer(start) for start in starts]

    assert [code for code, _, _ in outcomes] == [0, 0]
    started, found = sorted((out for _, out, _ in outcomes), reverse=True, key=_started)
    assert "answers at 127.0.0.1:" in started
    assert "already running at 127.0.0.1:" in found
    assert any("waiting for another command" in err for _, _, err in outcomes)
    assert any("starting Apache Kafka 4.3.1" in err for _, _, err in outcomes)
    (jvm,) = brokers(data_dir)

    code, out, _ = answer(gradewatch("status", "--format", "json", *where))
    status = json.loads(out)
    assert code == 0
    assert status["state"] == "running"
    assert status["pid"] == jvm.pid
    assert status["version"] == "4.3.1"
    assert status["bootstrap_servers"] in started

    code, _, err = answer(gradewatch("start", "--port", str(status["port"] + 1), *where))
    assert code == 69
    assert f"runs on port {status['port']} already" in err

    code, out, _ = answer(gradewatch("stop", *where))
    assert (code, out.startswith(f"stopped (pid {jvm.pid}")) == (0, True)
    assert not jvms(data_dir)
    code, out, _ = answer(gradewatch("stop", *where))
    assert (code, out) == (0, "not running\n")
    assert answer(gradewatch("status", *where))[0] == 69


def _started(out: str) -> bool:
    return out.startswith("Apache Kafka")


def test_records_and_cluster_survive_a_stop_and_a_kill_and_a_hung_broker_is_killed(
    own_kafka: OwnKafka,
) -> None:
    identity = broker.status(own_kafka.data_dir).cluster_id
    address = own_kafka.bootstrap_servers
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic("kept", 1, 1)])
    admin.close()

    write(address, b"before the stop")
    own_kafka.stop()
    assert broker.status(own_kafka.data_dir).state == "stopped"
    own_kafka.start()
    write(address, b"before the kill")
    own_kafka.kill()
    assert broker.status(own_kafka.data_dir).state == "stopped"
    own_kafka.start()

    assert read(address, 2) == [b"before the stop", b"before the kill"]
    assert own_kafka.bootstrap_servers == address
    found = broker.status(own_kafka.data_dir)
    assert (found.state, found.cluster_id, found.pid) == ("running", identity, own_kafka.pid)

    with broker.running(own_kafka.data_dir) as other:  # used, and left alone
        assert (other.already, other.pid) == (True, own_kafka.pid)
    assert broker.status(own_kafka.data_dir).state == "running"

    os.kill(own_kafka.pid, signal.SIGSTOP)  # it hangs
    stopped = broker.stop(own_kafka.data_dir, deadline=0.5)
    assert stopped
    assert stopped.killed
    assert not jvms(own_kafka.data_dir)


def test_it_listens_on_loopback_only(kafka: Kafka) -> None:
    if kafka.pid is None:
        pytest.skip(f"--broker={kafka.choice}: no embedded Kafka to look at")
    sockets = psutil.Process(kafka.pid).net_connections("inet")
    listening = {each.laddr for each in sockets if each.status == psutil.CONN_LISTEN}
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert int(kafka.bootstrap_servers.rpartition(":")[2]) in {each.port for each in listening}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_is_interrupted_leaves_no_jvm(data_dir: Path, number: signal.Signals) -> None:
    command = gradewatch("start", "--port", "0", "--data-dir", str(data_dir))
    until(lambda: brokers(data_dir), "a JVM")
    command.send_signal(number)
    code, out, _ = answer(command)

    assert code == (130 if number == signal.SIGINT else -number)
    assert out == ""
    until(lambda: not jvms(data_dir), "no JVM")


def test_a_broker_ends_with_its_owner_even_if_that_is_killed(data_dir: Path) -> None:
    program = (
        "import pathlib, sys, threading\n"
        "from streams import broker\n"
        "with broker.running(pathlib.Path(sys.argv[1]), 0) as running:\n"
        "    print(running.pid, flush=True)\n"
        "    threading.Event().wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        assert [jvm.pid for jvm in brokers(data_dir)] == [pid]
        owner.kill()
    until(lambda: not jvms(data_dir), "no JVM")


@pytest.mark.parametrize("offset", [0, 3600])
def test_a_pid_that_is_another_process_now_is_never_ended(tmp_path: Path, offset: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        home = state.home_of(tmp_path)
        home.mkdir()
        created = psutil.Process(innocent.pid).create_time() - offset
        state.remember(home, state.LastStart(innocent.pid, created, 29092, 29093))

        assert broker.status(tmp_path).state == "stopped"
        assert broker.stop(tmp_path) is None
        assert innocent.poll() is None


def test_a_kafka_that_dies_at_its_start_is_quoted(data_dir: Path) -> None:
    home = state.home_of(data_dir)
    (home / "data").mkdir(parents=True)
    (home / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(EmbeddedBrokerError, match=r"(?s)ended while it started:.*7.*server\.log"):
        broker.start(data_dir, 0)
    assert not jvms(data_dir)


def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taker:
        port = taker.getsockname()[1]
        with pytest.raises(EmbeddedBrokerError, match=rf"port {port} .* \(pid {os.getpid()}\)"):
            broker.start(tmp_path, port)


def test_short_memory_is_said_before_anything_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedBrokerError, match=r"needs 1073741824 MiB, \d+ MiB are free"):
        broker.start(tmp_path, 0, memory_needed=1 << 50)
    assert not broker.jar_directory(tmp_path).exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedBrokerError, match=r"cannot write to .*/file/broker: Not a dir"):
        broker.start(tmp_path / "file", 0)


def test_a_port_asked_to_be_free_is_never_one_of_outgoing_connections() -> None:
    assert ports.choose(0) in ports.FREE_PORTS
    assert ports.DEFAULT_PORT not in ports.FREE_PORTS


def test_no_other_user_can_read_what_it_keeps(own_kafka: OwnKafka) -> None:
    home = own_kafka.data_dir / "broker"
    assert home.stat().st_mode & 0o077 == 0
    kept = [file for part in ("data", "logs") for file in (home / part).rglob("*")]
    assert kept
    assert [file for file in kept if file.name != "jvm.log" and file.stat().st_mode & 0o077] == []
