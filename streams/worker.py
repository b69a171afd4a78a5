"""The worker: a Faust app with two agents, one table, and what they need of the cluster."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from zlib import crc32

from streams.agents import Intake, Scoring, Topic
from streams.broker import ports
from streams.core import rules
from streams.core.alerts import Judge
from streams.core.intake import Reader
from streams.engine.app import BatchApp
from streams.engine.commit import Committer
from streams.errors import ConfigurationError, place
from streams.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust import StreamT, TopicT

    from streams.engine.restore import BatchRecovery
    from streams.engine.table import BatchTable
    from streams.engine.transport import Consumer, RecordBatch
    from streams.settings import Settings

log = logging.getLogger("gradewatch.worker")

RETRY_SECONDS: Final = 1.0
"""Pause before a batch that failed in our own code is worked on again."""


class Cluster(NamedTuple):
    """What a worker has to know of the cluster before it starts.

    Attributes:
        bootstrap_servers: ``host:port``, comma separated.
        partitions: Number of partitions by topic, in this namespace.
        events_id: Kafka's id of ``grade-events``: offsets compare only within one topic id.
    """

    bootstrap_servers: str
    partitions: Mapping[str, int]
    events_id: str


class Worker:
    """One worker.

    Attributes:
        app: The Faust app.
        table: The rows, by partition, student and course.
        metrics: Its numbers.
        port: TCP port of its web views.
        url: Where other workers reach them.
        rules: The rules in force.
    """

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        """Build the app; nothing connects before it starts.

        Args:
            settings: What the process was told.
            cluster: What the cluster said.

        Raises:
            ConfigurationError: rules.yaml is wrong or cannot be read.
        """
        self.settings = settings
        self.metrics = Metrics()
        self.rules = _rules(settings)
        self._servers = cluster.bootstrap_servers
        self.port = settings.web_port or ports.choose(0)
        host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
        self.url = settings.canonical_url or f"http://{host}:{self.port}"
        self.app = _app(settings, cluster.bootstrap_servers, self.url, self.port)

        def topic(name: str) -> Topic:
            full = settings.topic(name)
            return Topic(full, cluster.partitions[full])

        raw, events = topic(settings.raw_topic), topic("grade-events")
        changelog, refused = topic("grade-scores-changelog"), topic("grade-events-refused")
        self.sources = (raw.name, events.name)
        self.table = cast(
            "BatchTable",
            self.app.Table(
                "grade-scores",
                partitions=changelog.partitions,
                key_type=bytes,
                value_type=bytes,
                changelog_topic=self._bytes(changelog),
            ),
        )
        reader = Reader(settings.tenants, settings.default_tenant)
        judge = Judge(self.rules, settings.id_key.get_secret_value().encode())
        written = {"alerts": topic("grade-alerts"), "changelog": changelog, "refused": refused}
        self._run(raw, Intake(reader, events, refused))
        self._run(events, Scoring(judge, cluster.events_id, self.table.data, written))

    @property
    def consumer(self) -> Consumer:
        """The consumer of both agents."""
        return cast("Consumer", self.app.consumer)

    @property
    def recovery(self) -> BatchRecovery:
        """The service that restores the table."""
        return cast("BatchRecovery", self.app.tables.recovery)  # type: ignore[attr-defined]

    def not_ready(self) -> list[str]:
        """Return why this worker cannot answer yet; nothing where it can."""
        if not self.app.started or self.app.should_stop:
            return ["starting" if not self.app.should_stop else "stopping"]
        if self.app.rebalancing or not self.app.assignor.assigned_actives():
            return ["no partitions assigned yet"]
        if not self.recovery.completed.is_set() or self.app.in_recovery:
            done, total, _ = self.recovery.progress
            return [f"restoring rows: {done} of {total} changelog records"]
        return []

    def refresh(self) -> None:
        """Bring the numbers that are read, not counted, up to date."""
        metrics, progress = self.metrics, self.recovery.progress
        metrics.rows.set(len(self.table.data))
        metrics.restore_records.labels("done").set(progress.done)
        metrics.restore_records.labels("total").set(progress.total)
        metrics.restore_seconds.set(progress.seconds)
        metrics.ready.set(not self.not_ready())
        for tp, lag in self.consumer.lags().items():
            metrics.lag.labels(tp.topic, tp.partition).set(lag)

    def _bytes(self, topic: Topic) -> TopicT:
        return self.app.topic(topic.name, key_serializer="raw", value_serializer="raw")

    def _run(self, source: Topic, agent: Intake | Scoring) -> None:
        """Make a Faust agent of one of ours: work a batch, commit it, publish it."""

        async def run(stream: StreamT[RecordBatch]) -> None:
            committer = Committer(
                self.consumer, self._servers, f"{self.settings.group}-{agent.name}"
            )
            self.app.committers.append(committer)
            async for batch in stream:
                if not committer.current(batch):
                    continue
                started = time.monotonic()
                try:
                    work = await agent.work(batch)
                    if await committer.commit(batch, work.steps):
                        self.table.data.publish(batch.tp.partition, work.changes)
                        self.metrics.count(agent.name, work.tally, time.monotonic() - started)
                except Exception as error:  # noqa: BLE001 - Faust would go on behind the batch
                    await _again(committer, batch, place(error))

        self.app.agent(self._bytes(source), name=agent.name)(run)


async def _again(committer: Committer, batch: RecordBatch, failure: str) -> None:
    """Have a batch that failed in our own code worked on again, from its fetch on."""
    log.error("%s[%d] at offset %d: %s; trying again", *batch.tp, batch.start, failure)
    await asyncio.sleep(RETRY_SECONDS)
    await committer.again(batch)


def _app(settings: Settings, bootstrap_servers: str, url: str, port: int) -> BatchApp:
    servers = [server.strip() for server in bootstrap_servers.split(",")]
    return BatchApp(
        settings.group,
        broker=[f"kafka://{server}" for server in servers],
        broker_client_id=f"{settings.group}-{settings.worker_id}",
        # A static member comes back without a rebalance. Under another URL it must be another
        # member: Faust's coordinator would die of it, and leave the process alive but idle.
        consumer_group_instance_id=(
            f"{settings.worker_id}-{crc32(url.encode()):08x}" if settings.web_port else None
        ),
        broker_max_poll_records=settings.batch_records,
        consumer_max_fetch_size=settings.batch_bytes,
        canonical_url=url,
        web_host=settings.web_host,
        web_port=port,
        web_bind=settings.web_host,
        # Faust's own pages serve tables to anyone: ours are in streams.web.
        web_tables_enabled=False,
        web_router_enabled=False,
        web_graph_enabled=False,
        web_stats_enabled=False,
        web_metrics_enabled=False,
    )


def _rules(settings: Settings) -> rules.Rules:
    try:
        text = settings.rules.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the rules file {settings.rules} cannot be read: {error}",
            "correct GRADEWATCH_RULES, or unset it to use the rules that ship with gradewatch",
        ) from None
    return rules.load(text, str(settings.rules))
