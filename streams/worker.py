"""The worker: a Faust app with two agents, one table, and what they need of the cluster."""

from __future__ import annotations

import logging
import secrets
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, cast
from zlib import crc32

from streams.agents import Intake, Scoring, Topic
from streams.announce import Announcer, Where
from streams.broker import ports
from streams.clock_watch import ClockWatch
from streams.core.clock import ITEM, OWNER, decode_state
from streams.core.feeds import WATCHING
from streams.core.intake import Reader
from streams.core.keys import Use, derive
from streams.core.packed import wake_of
from streams.engine import routing
from streams.engine.census import CensusTaker
from streams.engine.cluster_faults import Group
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.commit import Committer
from streams.engine.completeness import Source
from streams.engine.loop import Loop
from streams.engine.overlay import Overlay
from streams.engine.transactions import Writer
from streams.in_force import InForce
from streams.lists.follow import Followed, Follower
from streams.lists.store import Alerts
from streams.lists.write import Actions
from streams.metrics import Metrics
from streams.reload import Reload, read_rules
from streams.security.membership import plain, proven_among, with_proof
from streams.worker_app import configured

if TYPE_CHECKING:
    from collections.abc import Callable

    from faust import StreamT, TopicT
    from faust.types import TP

    from streams.agents import Work
    from streams.cluster import Cluster
    from streams.core.rules import Rules
    from streams.engine.fetch import RecordBatch
    from streams.engine.restore import BatchRecovery
    from streams.engine.table import BatchTable
    from streams.engine.transport import Consumer
    from streams.settings import Settings

log = logging.getLogger("gradewatch.worker")


class Worker:
    """One worker.

    Attributes:
        app: The Faust app.
        table: The rows, by partition, student and course.
        metrics: Its numbers.
        port: TCP port of its web views.
        url: Where other workers reach them.
        reload: The rules file, looked at while the worker runs.
        alerts: All alerts, to be listed.
        follower: What keeps them as Kafka has them.
        actions: Writes what people did about them.
        clocks: Watches the clocks of our partitions.
        told_by: What else has warnings for whoever asks.
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
        self._kafka = cluster.kafka
        self.port = settings.web_port or ports.choose(0)
        host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
        self.url = plain(settings.canonical_url or f"http://{host}:{self.port}")
        self._peer_key = derive(settings.read_id_key(), Use.PEERS)
        # A static member comes back without a rebalance. Under another URL it must be another
        # member: Faust's coordinator would die of it, and leave the process alive but idle.
        static = f"{settings.worker_id}-{crc32(self.url.encode()):08x}" if settings.web_port else ""
        self._member = static or f"{settings.worker_id}-{secrets.token_hex(4)}"
        joined = with_proof(self.url, self._peer_key)
        self.app = configured(settings, cluster.kafka, joined, self.port, static or None)

        def topic(name: str) -> Topic:
            full = settings.topic(name)
            return Topic(full, cluster.partitions[full])

        raw, events = topic(settings.raw_topic), topic("grade-events")
        changelog, refused = topic("grade-scores-changelog"), topic("grade-events-refused")
        self.reload = self._reload(Where(topic("grade-rules").name, *events))
        self.sources = (raw.name, events.name)
        self.app.idle_topics = frozenset({raw.name})
        self.alerts = Alerts()
        state, acted = topic("grade-alerts-state"), topic("grade-alert-actions")
        followed = Followed(state.name, acted.name, state.partitions)
        self.follower = Follower(cluster.kafka, settings.group, followed, self.alerts, self.metrics)
        self.cluster_watch = self._cluster_watch(cluster)
        self.app.besides += [self.follower, self.cluster_watch]
        self.app.require_unchanged = self.cluster_watch.require_unchanged
        self.actions = Actions(cluster.kafka, settings.group, acted.name, self.alerts)
        self.told_by: list[Callable[[], list[str]]] = []
        self._changelog, self._in_force = changelog, InForce()
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
        id_key = settings.read_id_key()
        written = {
            "alerts": topic("grade-alerts"), "posted": topic("grade-alerts-posted"),
            "state": state, "actions": acted, "changelog": changelog, "refused": refused,
        }  # fmt: skip
        self.table.data.source = Source(events.name, cluster.events_id, changelog.name)
        self.table.data.wake_of = wake_of
        self.clocks = ClockWatch(self.table.data, raw.name, self.metrics)
        self.app.besides.append(self.clocks)
        overlay = Overlay(self.table.data)
        self._run(raw, Intake(reader, raw, events, refused), Overlay(self.table.data))
        self._run(events, Scoring(id_key, cluster.events_id, overlay, written), overlay)

    @property
    def consumer(self) -> Consumer:
        """The consumer of both agents."""
        return self.app.consumer

    @property
    def recovery(self) -> BatchRecovery:
        """The service that restores the table."""
        return cast("BatchRecovery", self.app.tables.recovery)  # type: ignore[attr-defined]

    def not_serving(self) -> list[str]:
        """Return why this worker cannot answer for any row; nothing where it can for some."""
        if not self.app.started or self.app.should_stop:
            return ["starting" if not self.app.should_stop else "stopping"]
        if self.app.rebalancing or self.consumer.member is None:
            return ["no partitions assigned yet"]
        if not self.recovery.completed.is_set() or self.app.in_recovery:
            return ["asking Kafka where to go on"]
        return []

    def not_ready(self) -> list[str]:
        """Return why this worker is not what it should be; nothing where it is."""
        reasons = self.not_serving()
        restoring, watch = sorted(self.restoring()), self.app.watch
        if restoring and not reasons:
            progress = self.recovery.changelog.progress
            reasons.append(
                f"restoring rows of partitions {', '.join(map(str, restoring))}: {progress}"
            )
        reasons += self.table.data.faults.values()
        if watch.away_seconds:
            reasons.append(f"Kafka has not answered for {watch.away_seconds:.0f} s")
        reasons += [
            f"{tp.topic}[{tp.partition}] has lag and no progress" for tp in sorted(watch.stalled)
        ]
        reasons += self.cluster_watch.reasons()
        # A warning once it fails: what is worked on does not hang on what is listed.
        return reasons if self.follower.failed else [*reasons, *self.follower.why_not()]

    def warnings(self) -> list[str]:
        """Return what somebody should look at: ``what`` or ``what: why``; `/readyz` says what."""
        rules, lists = self.reload.failed, self.follower.failed
        found = [f"the rules file as it is now is not in force: {rules}"] if rules else []
        found += [f"alerts cannot be listed: {lists}"] if lists else []
        found += self.clocks.warnings
        found += self.cluster_watch.warnings()
        data = self.table.data
        state = data.row(min(data.serving), OWNER, ITEM) if data.serving else None
        found += self._in_force.warnings(state, self.reload.rules, time.monotonic())
        return found + [warning for told in self.told_by for warning in told()]

    def incomplete(self) -> set[int]:
        """Return the partitions that are ours and are not served: rows may be missing."""
        return {tp.partition for tp in self.recovery.active_tps} - self.table.data.serving

    def restoring(self) -> set[int]:
        """Return the partitions that are ours and whose rows are being read."""
        return self.incomplete() - self.table.data.faults.keys()

    def holders(self) -> dict[int, str]:
        """Return the URL of the worker that holds each partition of the rows; our own is `url`.

        Partitions of members that do not prove the id key are left out.
        """
        members = proven_among(self.app.assignor.tables_metadata(), self._peer_key)
        return routing.holders(members, self._changelog.name)

    def strangers(self) -> int:
        """Return how many members of the group do not prove the id key."""
        members = self.app.assignor.tables_metadata()
        return len(members) - len(proven_among(members, self._peer_key))

    @property
    def partitions(self) -> int:
        """Number of partitions of the rows."""
        return self._changelog.partitions

    def partition_of(self, owner: bytes) -> int:
        """Return the partition of the rows of a student's key."""
        return routing.partition_of(owner, self._changelog.partitions)

    def refresh(self) -> None:
        """Bring the numbers that are read, not counted, up to date."""
        metrics, progress = self.metrics, self.recovery.changelog.progress
        serving, standby = len(self.table.data), self.table.data.standby_rows()
        metrics.rows.labels("serving").set(serving)
        metrics.rows.labels("standby").set(standby)
        metrics.restore_records.labels("done").set(progress.done)
        metrics.restore_records.labels("total").set(progress.total)
        metrics.restore_seconds.set(progress.seconds)
        metrics.feed_silent.set(self._feeds_silent())
        self.clocks.look()
        metrics.ready.set(not self.not_ready())
        metrics.restoring.set(len(self.restoring()))
        metrics.stalled.set(len(self.app.watch.stalled))
        metrics.unowned.set(len(self.cluster_watch.unowned))
        metrics.lag.clear()  # a partition that went to another worker is not ours to tell of
        for tp, lag in self.lags().items():
            metrics.lag.labels(tp.topic, tp.partition).set(lag)

    def lags(self) -> dict[TP, int]:
        """Return the records after the position worked up to, by source partition.

        Of our partitions, and of those that no worker has: every worker tells of them.
        """
        return self.cluster_watch.unowned | self.app.watch.lags()

    def _cluster_watch(self, cluster: Cluster) -> ClusterWatch:
        group = Group(
            self.settings.group, self.app.conf.broker_client_id, self.sources, cluster.group_needs
        )
        taker = CensusTaker(cluster.kafka, self.settings.group, cluster.expected)
        return ClusterWatch(taker, cluster.expected, group)

    def _feeds_silent(self) -> int:
        if WATCHING not in self.table.data.serving:
            return 0
        held = self.table.data.row(WATCHING, OWNER, ITEM)
        return 0 if held is None else len(decode_state(held).silent)

    def _reload(self, where: Where) -> Reload:
        settings = self.settings
        own = f"{settings.group}-rules-{self._member}" if settings.exactly_once else None
        announcer = Announcer(self._kafka, settings.group, own, where)

        def taken(rules: Rules) -> None:
            self.metrics.identify(version("gradewatch"), rules.hash, settings.id_key_mark)

        reload = Reload(
            settings.rules, lambda: read_rules(settings.rules), announcer, self.metrics, taken
        )
        self.app.besides.append(reload)
        return reload

    def _bytes(self, topic: Topic) -> TopicT:
        return self.app.topic(topic.name, key_serializer="raw", value_serializer="raw")

    def _run(self, source: Topic, agent: Intake | Scoring, overlay: Overlay) -> None:
        """Make a Faust agent of one of ours: work a batch, have it committed."""

        def counted(work: Work, seconds: float) -> None:
            self.metrics.count(agent.name, work.tally, seconds)

        committer = self._committer(agent.name, overlay)
        loop: Loop[Work] = Loop(agent, committer, counted, self.settings.batch_ms / 1000)

        async def run(stream: StreamT[RecordBatch]) -> None:
            await loop.run(stream)

        self.app.agent(self._bytes(source), name=agent.name)(run)

    def _committer(self, agent: str, overlay: Overlay) -> Committer:
        settings = self.settings
        writer = Writer(
            self._kafka,
            f"{settings.group}-{agent}",
            f"{settings.group}-{agent}-{self._member}" if settings.exactly_once else None,
        )
        committer = Committer(self.app, writer, overlay, settings.batch_records)
        self.app.committers.append(committer)
        return committer
