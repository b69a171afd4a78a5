"""``gradewatch worker``: scores kept and alerts written, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
from math import inf
from typing import TYPE_CHECKING, Final

import click
import faust

from streams import admin, rights, settings, web
from streams.cli.supervise import supervise
from streams.cluster import Cluster
from streams.core.acls import Resource, Role, required
from streams.engine.cluster_faults import Expected
from streams.errors import (
    ConfigurationError,
    GradewatchError,
    RecordsDeletedError,
    TopicChangedError,
)
from streams.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.acls import Acl
    from streams.settings import Settings

log = logging.getLogger("gradewatch.worker")

STOP_SECONDS: Final = 8.0
"""How long a stop may take: less than the ten that Docker waits. A batch takes a second; while
Kafka is away, one never ends."""

COLLECTED: Final = (20_000, 20, 50)
"""When Python looks for cycles, in net new objects. Batches make none, but thousands of objects
at once: with Python's own 700 the looking took a sixth of a worker's time."""

CALM_SECONDS: Final = 10.0
"""How often a library may say the same. aiokafka says 40 times a second that Kafka is away."""


@click.command()
@click.option("--web-host", help="Address of the web views.  [default: GRADEWATCH_WEB_HOST]")
@click.option(
    "--web-port",
    type=click.IntRange(0, 65535),
    help="TCP port of the web views; 0: any free one.  [default: GRADEWATCH_WEB_PORT]",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Worker processes to run; each uses one core, and one port from --web-port on.",
)
def worker(web_host: str | None, web_port: int | None, processes: int) -> int:
    """Turn grade events into scores and alerts, and answer who asks for scores.

    Ctrl-C and SIGTERM stop it; what it worked on is committed first, unless Kafka is away: then
    the next start works on it again. With --processes, one that ends is started again. The rules
    file is looked at every 2 s, and at SIGHUP: what it says takes effect without a restart.

    Exit codes: 0 stopped, 1 failed or stopped uncommitted, 65 records that were never read are
    gone from the log, 69 Kafka unavailable, 78 configuration, or topics that are not as topics.yaml
    says.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the rules are read at the start anyway
    chosen = settings.load(web_host=web_host, web_port=web_port)
    if processes > 1:
        _log_to_stderr()
        return supervise(chosen, processes)
    built = Worker(chosen, look(chosen))
    door = web.install(built)
    _require_free(chosen.web_host, built.port)
    _log_to_stderr()
    if chosen.uses_development_key:
        log.warning(
            "alert ids are keyed with the published development key: "
            "set GRADEWATCH_ID_KEY_FILE before anybody keeps alerts"
        )
    if chosen.insecure_kafka and not chosen.kafka_security_protocol.encrypted:
        log.warning(
            "grades travel unencrypted between this worker and Kafka (%s, accepted by "
            "GRADEWATCH_INSECURE_KAFKA)", chosen.kafka_security_protocol,
        )  # fmt: skip
    rules = built.reload.rules.students
    if rules and not any(rule.lives for rule in rules):
        log.info(
            "the rules alert at once, each time, and nothing resolves. Before people act on them, "
            "choose rules that settle, as in rules/ (GRADEWATCH_RULES)"
        )
    who = "whoever is let in" if door.asks else "no token: any user of this machine can read them"
    built.reload.begin()
    log.info("worker %s starts; pages at %s (%s)", chosen.worker_id, built.url, who)
    return _run(built)


def look(chosen: Settings) -> Cluster:
    """Return what a worker has to know of the cluster.

    Raises:
        ConfigurationError: topics.yaml is wrong.
        BrokerError: Kafka does not answer, or does not grant all that a worker needs.
        TopicMismatchError: The topics are not as topics.yaml says.
    """
    kafka, described = admin.bootstrap(chosen), admin.read_topics(chosen)
    needed = required(described, chosen.group, Role.WORKER, transactions=chosen.exactly_once)
    rights.require(kafka, needed, Role.WORKER)
    topics = admin.require_topics(chosen)
    events = chosen.topic("grade-events")
    partitions = {name: topic.partitions for name, topic in topics.items()}
    expected = {
        spec.name: Expected(
            topics[spec.name].topic_id,
            topics[spec.name].partitions,
            _needs(needed, Resource.TOPIC, spec.name),
            external=spec.entry.external,
            growable=spec.growable and not spec.entry.external,
        )
        for spec in described.specs
    }
    in_group = _needs(needed, Resource.GROUP, chosen.group)
    return Cluster(kafka, partitions, topics[events].topic_id, expected, in_group)


def _needs(needed: Iterable[Acl], resource: Resource, name: str) -> dict[str, str]:
    """Return the operations that a worker needs on something, and what fails without each."""
    return {
        acl.operation.value: acl.why
        for acl in needed
        if (acl.resource, acl.name) == (resource, name)
    }


class _Process(faust.Worker):
    """Faust's process without its debugging signals, and one that ends once it is told to.

    SIGUSR1 would write every local variable, grades among them, to stderr; SIGUSR2 would wait in a
    debugger.
    """

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of tasks that aiokafka leaves
        deadline = threading.Timer(STOP_SECONDS, _give_up)  # the event loop may be what hangs
        deadline.daemon = True
        deadline.start()
        super()._schedule_shutdown(signal)

    def _on_sigusr1(self) -> None:
        pass

    def _on_sigusr2(self) -> None:
        pass


def _run(built: Worker) -> int:
    """Run a worker until a signal stops it, or it fails; return the exit code."""
    gc.set_threshold(*COLLECTED)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    process = _Process(
        built.app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False
    )
    loop.add_signal_handler(signal.SIGHUP, built.reload.look_now)
    process.spinner = None  # quiet as it is told to be, it would still steer the terminal
    try:
        process.execute_from_commandline()
    except SystemExit as ended:  # its only way to end
        code = int(ended.code or 0)
    why = process.crash_reason
    if why is not None and (
        isinstance(why, _OF_A_CHANGED_CLUSTER) or not isinstance(why, GradewatchError)
    ):
        why = built.cluster_watch.fault() or why
    if isinstance(why, GradewatchError):
        raise why from None
    _CALM.say_held()
    log.info("worker %s stopped", built.settings.worker_id)
    return code


def _give_up() -> None:
    """End as a crash does, which loses nothing: offsets never come before their outputs."""
    log.error(
        "not stopped within %.0f s, Kafka does not take what was under way: "
        "the next start works on it again", STOP_SECONDS,
    )  # fmt: skip
    logging.shutdown()
    os._exit(1)  # nothing gentler ends what waits for Kafka


_OF_A_CHANGED_CLUSTER: Final = (RecordsDeletedError, TopicChangedError)
"""What may come of a topic that was made anew before the watch of the cluster has seen that."""

_OF_A_CRASH: Final = ("Crashed reason", "Error while stopping")
"""Words of mode's log messages of a service that fails."""


def _text(record: logging.LogRecord) -> str:
    return logging.Formatter("%(name)s: %(message)s").format(record)


class _Calm(logging.Filter):
    """Lets our own lines through, and a library's once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}
        self._held: list[logging.LogRecord] = []

    def say_held(self) -> None:
        """Log the tracebacks of a crash: nothing else explains it."""
        held, self._held = self._held, []
        for record in held:
            logging.getLogger("gradewatch.worker").error("%s", _text(record))

    def filter(self, record: logging.LogRecord) -> bool:
        failure = record.exc_info[1] if record.exc_info else None
        if isinstance(failure, GradewatchError) or (
            failure is not None and any(words in str(record.msg) for words in _OF_A_CRASH)
        ):
            self._held.append(record)  # the command ends with the cause in words, if there is one
            return False
        place = (record.pathname, record.lineno)
        if record.created - self._said.get(place, -inf) < CALM_SECONDS:
            return record.name.startswith("gradewatch")
        self._said[place] = record.created
        return True


_CALM: Final = _Calm()
"""Of this process's one handler."""


def _require_free(host: str, port: int) -> None:
    """Tell a port that is taken, or an address that is not ours, before anything starts.

    Raises:
        GradewatchError: It is taken.
        ConfigurationError: The host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise ConfigurationError(
            f"GRADEWATCH_WEB_HOST {host} is no address", "leave it at 127.0.0.1"
        ) from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind(address)
        except OSError as error:
            raise GradewatchError(
                f"the web views cannot have {host}:{port}: {error.strerror}",
                "stop what listens there, or choose another port: gradewatch worker --web-port 0 "
                "takes any free one",
            ) from None


def _log_to_stderr() -> None:
    """Send our own words to stderr, and of the libraries' only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_CALM)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("gradewatch").setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # each try to connect: errors say it once
