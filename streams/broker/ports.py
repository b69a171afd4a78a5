"""The TCP ports a start takes, and who has them if it cannot."""

from __future__ import annotations

import secrets
import socket

import psutil

from streams.broker.config import HOST
from streams.errors import EmbeddedBrokerError

DEFAULT_PORT = 29092
"""Not Kafka's 9092, where a Kafka of yours may listen already."""

FREE_PORTS = range(20_000, 29_000)
"""Below those that systems give to outgoing connections, so that nothing takes a free port
between our look and Kafka's start."""


def choose(port: int) -> int:
    """Return a port that Kafka can listen on.

    Args:
        port: The port asked for; 0: any free one.

    Raises:
        EmbeddedBrokerError: It is taken; the message says by whom, where the system tells.
    """
    if port:
        if not is_free(port):
            raise EmbeddedBrokerError(
                f"port {port} on {HOST} is taken{_taker(port)}",
                "end that program, or choose another port: gradewatch broker start --port 0 "
                "takes any free one",
            )
        return port
    for _ in range(100):
        candidate = secrets.choice(FREE_PORTS)
        if is_free(candidate):
            return candidate
    raise EmbeddedBrokerError(
        f"no free port between {FREE_PORTS.start} and {FREE_PORTS.stop}", "name one: --port"
    )


def is_free(port: int) -> bool:
    """Return whether a server could bind the port on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def is_open(port: int) -> bool:
    """Return whether something listens on the port on loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _taker(port: int) -> str:
    """Name the program that listens on a port; nothing where the system keeps that to itself."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if local and local.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid:
                    return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
                return " by a program of another user"
    except psutil.Error:
        pass
    return ""
