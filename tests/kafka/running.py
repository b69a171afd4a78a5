"""What the tests on a real broker share: topics made, a semester played, a worker watched, and what
came out compared with a recomputation that imports nothing of ``streams.core``."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams import admin
from streams.access.roles import ANYBODY_HERE
from streams.cli.process import WorkerProcess
from streams.core import alerts
from streams.core.alerts import Place
from streams.core.clock import ITEM, OWNER, State, encode_state
from streams.core.flow import Partition
from streams.core.replay import HeldRows
from streams.core.rows import encode_row
from streams.engine import completeness
from streams.engine.table import changelog_key
from streams.player import play
from streams.security import Kafka
from streams.settings import Guarantee, Settings, load
from streams.web import views
from tests import oracle
from tests.access.files import ID_KEY
from tests.on_dicts import ROOT
from tests.tables import a_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from aiokafka import ConsumerRecord

    from streams.engine.table import PartitionStore
    from streams.simulator import RawRecord

SOURCE_KEY = changelog_key(completeness.OWNER, completeness.ITEM)

READ_SECONDS = 60
"""How long a topic may take to be read: an open transaction ends within 10 s."""

COMPARED = (
    "kind", "rule", "tenant", "student_id", "course_id", "before", "after", "change", "threshold",
    "event_time", "late", "score_now", "grading_period_id",
)  # fmt: skip

STALL_SECONDS = 120
"""How long nothing may be worked on before it counts as stuck, on a busy machine too."""


class Flow:
    """One namespace on a broker, with its topics applied, and a worker to start and harm."""

    def __init__(
        self,
        bootstrap_servers: str,
        namespace: str,
        tmp_path: Path,
        admin_settings: Mapping[str, Any] | None = None,
        **told: Any,  # noqa: ANN401
    ) -> None:
        """Apply the topics; the worker is started by ``with flow.worker``.

        With ``admin_settings`` the test gets into Kafka by these, and only workers by ``told``.
        """
        ours: dict[str, Any] = {
            "kafka_bootstrap_servers": bootstrap_servers,
            "namespace": namespace,
            "data_dir": tmp_path,
            "web_port": 0,
            "rules": ROOT / "rules.yaml",
            "worker_id": namespace,
            "id_key": ID_KEY,
            "web_rate": 10_000,
        }
        self.settings: Settings = load(**ours | told)
        self._admin = self.settings if admin_settings is None else load(**ours | {**admin_settings})
        self.servers = bootstrap_servers
        self.kafka = admin.bootstrap(self._admin)
        self._tmp_path = tmp_path
        plan = admin.make_plan(self._admin, create_external=True)
        admin.carry_out(self.kafka, plan)
        names = [spec.name for spec in admin.read_topics(self.settings).specs]
        self._topics = admin.observe(self.kafka, names).topics
        self.worker = self.new_worker("worker")

    def new_worker(self, name: str, **told: Any) -> WorkerProcess:  # noqa: ANN401
        """Return a worker, not started: another member of the group if the name is another."""
        settings = self.settings.model_copy(update={"worker_id": name, **told})
        return WorkerProcess(settings, self._tmp_path / f"{name}.log")

    @contextmanager
    def workers(self, *names: str) -> Iterator[list[WorkerProcess]]:
        """Give workers that all are ready; they end with the block."""
        started = [self.new_worker(name) for name in names]
        with ExitStack() as stack:
            for worker in started:
                stack.callback(worker.stop)
                worker.start()
            for worker in started:
                worker.await_ready()
            yield started

    def delete(self, name: str) -> None:
        """Delete a topic; return once Kafka does not list it any more."""
        client = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            client.delete_topics([self.topic(name)])
            until(lambda: self.topic(name) not in client.list_topics())
        finally:
            client.close()

    def make_anew(self, name: str) -> None:
        """Delete a topic, and make one of the same name."""
        self.delete(name)
        admin.carry_out(self.kafka, admin.make_plan(self.settings, create_external=True))

    def set_config(self, name: str, **configs: str) -> None:
        """Change settings of a topic; an underscore stands for a dot."""
        named = {key.replace("_", "."): value for key, value in configs.items()}
        resource = ConfigResource(ConfigResourceType.TOPIC, self.topic(name), named)
        client = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            client.alter_configs([resource], incremental=True)
        finally:
            client.close()

    @contextmanager
    def records_say_when(self) -> Iterator[None]:
        """Let ``grade-events`` take records of any time, as it did before Kafka dated them."""
        self.set_config(
            "grade-events",
            message_timestamp_type="CreateTime",
            message_timestamp_after_max_ms=str(2**63 - 1),
        )
        yield
        self.set_config("grade-events", message_timestamp_type="LogAppendTime")

    def topic_id(self, name: str) -> str:
        return self._topics[self.topic(name)].topic_id

    def topic(self, name: str) -> str:
        return self.settings.topic(name)

    def partitions(self, name: str) -> list[TopicPartition]:
        topic = self.topic(name)
        return [TopicPartition(topic, number) for number in range(self._topics[topic].partitions)]

    def play(self, records: Iterable[RawRecord], rate: float | None = None) -> int:
        raw = self.topic(self.settings.raw_topic)
        return asyncio.run(play(records, self.kafka, raw, rate))

    def read(self, name: str) -> list[ConsumerRecord]:
        """Return all that stands on a topic, partition by partition."""
        return asyncio.run(read(self.kafka, self.partitions(name)))

    def await_worked(self, raw_records: int) -> None:
        """Return once the group has committed every record of both sources.

        Fails where nothing was worked on for STALL_SECONDS, however long the whole takes.
        """
        least, deadline = None, 0.0
        while True:
            raw, events = self.lag_of(self.settings.raw_topic), self.lag_of("grade-events")
            done = self.committed(self.settings.raw_topic)
            if raw + events == 0 and done >= raw_records:
                return
            left = 2 * raw + events  # intake makes an event of a raw record: that is progress, too
            if least is None or left < least:
                least, deadline = left, time.monotonic() + STALL_SECONDS
            assert time.monotonic() < deadline, (
                f"no progress for {STALL_SECONDS} s: {raw} raw records and {events} events wait, "
                f"{done} of {raw_records} raw records are committed\n{self.log()[-3_000:]}"
            )
            time.sleep(0.05)

    def committed(self, name: str) -> int:
        """Return how far the group has committed a source, summed over its partitions."""
        group = self.settings.group
        return sum(asyncio.run(committed(self.kafka, group, self.partitions(name))).values())

    def lag(self) -> int:
        """Return the records of both sources after the group's committed offsets."""
        return self.lag_of(self.settings.raw_topic, "grade-events")

    def lag_of(self, *sources: str) -> int:
        """Return the records of some sources after the group's committed offsets."""
        return asyncio.run(lag(self.kafka, self.settings.group, *map(self.partitions, sources)))

    def log(self) -> str:
        """Return what the workers said."""
        logs = sorted(self._tmp_path.glob("*.log"))
        return "\n".join(log.read_text(errors="replace") for log in logs)


class Seen(NamedTuple):
    """What stands on the topics, and what should.

    Attributes:
        expected: The recomputation.
        passable: Partition and offset of every raw record that must be on ``grade-events``.
        refusable: Partition and offset of every raw record that must be refused.
        alerts: Values of ``grade-alerts``, repeats included.
        refused: Records of ``grade-events-refused``, repeats included.
        events: The events on ``grade-events``, repeats included.
    """

    expected: oracle.Result
    passable: set[tuple[int, int]]
    refusable: set[tuple[int, int]]
    alerts: list[dict[str, Any]]
    refused: list[ConsumerRecord]
    events: list[ConsumerRecord]


def seen(flow: Flow) -> Seen:
    """Read every topic, and recompute from the raw one, in the order that intake chose."""
    raw = {(r.partition, r.offset): r for r in flow.read(flow.settings.raw_topic)}
    events = events_of(flow)
    order = dict.fromkeys(source(event) for event in events)  # a repeat counts once, as the first
    order.update(dict.fromkeys(raw))  # then what intake did not pass
    expected = oracle.fold((raw[at].value, raw[at].timestamp, (raw[at].topic, *at)) for at in order)

    def fated(fate: str) -> set[tuple[int, int]]:
        journeys = zip(order, expected.journeys, strict=True)
        return {at for at, journey in journeys if journey.startswith(f"{fate}/")}

    told = [json.loads(record.value) for record in flow.read("grade-alerts")]
    refused = flow.read("grade-events-refused")
    return Seen(expected, fated("passed"), fated("refused"), told, refused, events)


def events_of(flow: Flow) -> list[ConsumerRecord]:
    """Return what stands on ``grade-events`` without what steers: watermarks and rules."""
    steers = b'{"type":"control",'
    return [one for one in flow.read("grade-events") if not one.value.startswith(steers)]


def source(record: ConsumerRecord) -> tuple[int, int]:
    headers = dict(record.headers)
    return int(headers["gradewatch.partition"]), int(headers["gradewatch.offset"])


def assert_alerts_are_as_recomputed(found: Seen) -> None:
    once = {(alert["alert_id"], alert["seq"]): alert for alert in found.alerts}
    for alert in found.alerts:
        assert alert == once[alert["alert_id"], alert["seq"]], "a repeat differs from the first"
    sources = {(event.partition, event.offset): source(event) for event in found.events}

    def told(alert: dict[str, Any], at: tuple[int, int]) -> str:
        return str([*(plain(alert.get(name)) for name in COMPARED), at])

    def plain(value: object) -> object:
        return float(value or 0) if value is None or isinstance(value, int | float) else value

    def first(alert: dict[str, Any]) -> tuple[int, int]:
        evidence = alert["evidence"][0]
        return evidence["partition"], evidence["offset"]

    # Ours point to grade-events, whose records say where on the raw topic they come from.
    ours = Counter(told(alert, sources[first(alert)]) for alert in once.values())
    theirs = Counter(told(alert, first(alert)) for alert in found.expected.alerts)
    assert (ours - theirs, theirs - ours) == (Counter(), Counter())


def assert_rows_are_as_recomputed(flow: Flow, found: Seen) -> None:
    expected: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for (tenant, student, course), row in found.expected.rows.items():
        expected[tenant, student][course] = row
    for (tenant, student), rows in expected.items():
        path = f"/api/v1/students/{student}?tenant={quote(tenant)}"
        shown = {row["course_id"]: row for row in json.loads(flow.worker.get(path))["courses"]}
        assert {
            course: {name: row[name] for name in rows[course]} for course, row in shown.items()
        } == rows


def assert_changelog_is_as_recomputed(flow: Flow, found: Seen) -> None:
    """The last committed record of each row's key is the row: what a restore would bring."""
    partitions = len(flow.partitions("grade-scores-changelog"))
    restored = restored_table(flow.read("grade-scores-changelog"), partitions)
    expected: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for (tenant, student, course), row in found.expected.rows.items():
        expected[tenant, student][course] = row
    for (tenant, student), rows in expected.items():
        shown = {
            row["course_id"]: row
            for row in views.student(restored, ANYBODY_HERE, student, tenant)["courses"]
        }
        assert {
            course: {name: row[name] for name in rows[course]} for course, row in shown.items()
        } == rows


def latest_rows(flow: Flow) -> dict[bytes, bytes | None]:
    """Return what the changelog holds, by key, but for how far it is complete."""
    rows = {record.key: record.value for record in flow.read("grade-scores-changelog")}
    rows.pop(SOURCE_KEY, None)
    return rows


def restored_table(changelog: Iterable[ConsumerRecord], partitions: int = 4) -> PartitionStore:
    store = a_store(partitions)
    for record in changelog:
        store.partitions[record.partition].load([record])
    return store


def assert_all_is_as_recomputed(flow: Flow) -> Seen:
    """Require that nothing is lost or wrong and, with transactions, that nothing is there twice."""
    found = seen(flow)
    assert_all_but_verdicts(flow, found)
    assert_alerts_are_as_recomputed(found)
    return found


def assert_all_but_verdicts(flow: Flow, found: Seen) -> None:
    """All is as recomputed; which alerts there should be, depends on the rules."""
    assert found.alerts, "invalid: a semester without alerts proves nothing"
    if flow.settings.guarantee is Guarantee.EXACTLY_ONCE:
        assert_nothing_repeats(found)
        assert_the_log_comes_to_the_same_bytes(flow)
        assert_last_states_are_the_last_alerts(flow)
    assert {source(event) for event in found.events} == found.passable
    assert_refused_are_as_recomputed(found)
    assert_changelog_is_as_recomputed(flow, found)


def assert_the_log_comes_to_the_same_bytes(flow: Flow) -> None:
    """``grade-events`` folded record by record, without Kafka, gives every alert and row we see."""
    log, written = a_moment(flow, "grade-alerts", "grade-alerts-posted", "grade-scores-changelog")
    told: dict[str, dict[int, list[bytes]]] = {"grade-alerts": {}, "grade-alerts-posted": {}}
    rows: dict[tuple[int, bytes], bytes] = {}
    for number, records in log.items():
        held = HeldRows()
        place = Place(flow.topic("grade-events"), flow.topic_id("grade-events"), number)
        key = flow.settings.id_key.get_secret_value().encode()
        partition = Partition(alerts.Writer(key, place), place, State(), held)
        for record in records:
            for _, alert in partition.step(record.value, record.offset, record.timestamp).told:
                posted = alert.audience == alerts.POSTED
                topic = "grade-alerts-posted" if posted else "grade-alerts"
                told[topic].setdefault(number, []).append(alerts.encode(alert))
        for at, row in held.rows.items():
            rows[number, changelog_key(*at)] = encode_row(row)
        if partition.state != State():
            rows[number, changelog_key(OWNER, ITEM)] = encode_state(partition.state)
    for topic, expected in told.items():
        assert by_partition(written[topic]) == expected
    kept = {(one.partition, one.key): one.value for one in written["grade-scores-changelog"]}
    for number, records in log.items():
        if records:
            source_offset = completeness.decode(kept.pop((number, SOURCE_KEY)))
            assert source_offset.topic_id == flow.topic_id("grade-events")
            assert source_offset.offset > records[-1].offset
    assert kept == rows


def assert_last_states_are_the_last_alerts(flow: Flow) -> None:
    """``grade-alerts-state`` holds the last record of either audience under each fingerprint."""
    _, written = a_moment(flow, "grade-alerts", "grade-alerts-posted", "grade-alerts-state")
    kept = {(one.partition, one.key): one.value for one in written.pop("grade-alerts-state")}
    assert kept == {
        (one.partition, json.loads(one.value)["fingerprint"].encode()): one.value
        for records in written.values()
        for one in records
    }


def a_moment(
    flow: Flow, *names: str
) -> tuple[dict[int, list[ConsumerRecord]], dict[str, list[ConsumerRecord]]]:
    """Return what is scored of ``grade-events``, by partition, and what then stood on some topics.

    Watermarks keep coming while a worker runs: it is tried until none was scored meanwhile.
    """
    places = flow.partitions("grade-events")
    while True:
        before = asyncio.run(committed(flow.kafka, flow.settings.group, places))
        events, written = flow.read("grade-events"), {name: flow.read(name) for name in names}
        if before == asyncio.run(committed(flow.kafka, flow.settings.group, places)):
            break
    log: dict[int, list[ConsumerRecord]] = {at.partition: [] for at in places}
    for record in events:
        if record.offset < before[TopicPartition(record.topic, record.partition)]:
            log[record.partition].append(record)
    return log, written


def by_partition(records: Iterable[ConsumerRecord]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for record in records:
        found.setdefault(record.partition, []).append(record.value)
    return found


def assert_refused_are_as_recomputed(found: Seen) -> None:
    """Every bad record is kept once it is refused, and nothing else is."""
    assert {source(record) for record in found.refused} == found.refusable


def until(condition: Callable[[], bool], seconds: float = 240) -> None:
    """Return once the condition holds; fail after a deadline, generous for a busy machine."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about in time"
        time.sleep(0.05)


def assert_nothing_repeats(found: Seen) -> None:
    """A reader of committed records sees every effect of a raw record once."""
    for records in (found.events, found.refused):
        assert not [at for at, times in Counter(map(source, records)).items() if times > 1]
    ids = Counter((alert["alert_id"], alert["seq"]) for alert in found.alerts)
    assert not [one for one, times in ids.items() if times > 1]


async def read(kafka: Kafka | str, partitions: list[TopicPartition]) -> list[ConsumerRecord]:
    async with _consumer(kafka) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        last = await high_watermarks(kafka, partitions)
        records = []
        deadline = time.monotonic() + READ_SECONDS
        while behind := [tp for tp in partitions if await consumer.position(tp) < last[tp]]:
            if time.monotonic() > deadline:
                stable = await consumer.end_offsets(behind)
                pytest.fail(f"decided up to {stable}, written up to {last}: a hanging transaction?")
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                records += fetched
        return sorted(records, key=lambda record: (record.partition, record.offset))


async def committed(
    kafka: Kafka | str, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    async with _consumer(kafka, group) as consumer:
        return {tp: await consumer.committed(tp) or 0 for tp in partitions}


async def lag(kafka: Kafka | str, group: str, *sources: list[TopicPartition]) -> int:
    """Return the records after a group's committed offsets, summed over all sources.

    Args:
        kafka: Where the sources are.
        group: The group of the workers.
        sources: The partitions of each source; one that is filled from another comes after it.
    """
    async with _consumer(kafka, group, "read_uncommitted") as consumer:
        behind = 0
        for partitions in sources:
            behind += sum((await consumer.end_offsets(partitions)).values())
            behind -= sum([await consumer.committed(tp) or 0 for tp in partitions])
    return behind


async def ends(kafka: Kafka | str, partitions: list[TopicPartition]) -> int:
    return sum((await high_watermarks(kafka, partitions)).values())


async def high_watermarks(
    kafka: Kafka | str, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return where partitions end, records of transactions that are still under way included.

    A transaction is committed on one partition before the next: offsets may be when alerts are not.
    """
    async with _consumer(kafka, isolation="read_uncommitted") as consumer:
        return dict(await consumer.end_offsets(partitions))


@asynccontextmanager
async def _consumer(
    kafka: Kafka | str, group: str | None = None, isolation: str = "read_committed"
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **(kafka if isinstance(kafka, Kafka) else Kafka(kafka)).aiokafka(),
        group_id=group,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="earliest",  # at "latest" a reset under way overrides a seek
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
