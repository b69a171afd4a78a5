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

from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaAdminClient

from streams import admin
from streams.cli.process import WorkerProcess
from streams.core import flow as core
from streams.core import rules
from streams.core.alerts import Judge
from streams.core.alerts import encode as encode_alert
from streams.core.rows import Position, Source, encode_row
from streams.engine.table import changelog_key
from streams.player import play
from streams.security import Kafka
from streams.settings import Guarantee, Settings, load
from streams.web import views
from tests import oracle
from tests.tables import a_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from aiokafka import ConsumerRecord

    from streams.core.events import GradeEvent
    from streams.core.rows import Row
    from streams.engine.table import PartitionStore
    from streams.simulator import RawRecord

COMPARED = (
    "kind", "rule", "tenant", "student_id", "course_id", "before", "after", "change", "threshold",
    "event_time", "late", "score_now", "grading_period_id",
)  # fmt: skip


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
            "worker_id": namespace,
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

    def make_anew(self, name: str) -> None:
        """Delete a topic, and make one of the same name."""
        client = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            client.delete_topics([self.topic(name)])
            until(lambda: self.topic(name) not in client.list_topics())
        finally:
            client.close()
        admin.carry_out(self.kafka, admin.make_plan(self.settings, create_external=True))

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
        """Return once the group has committed every record of both sources."""
        until(lambda: self.lag() == 0 and self.committed(self.settings.raw_topic) >= raw_records)

    def committed(self, name: str) -> int:
        """Return how far the group has committed a source, summed over its partitions."""
        group = self.settings.group
        return asyncio.run(committed(self.kafka, group, self.partitions(name)))

    def lag(self) -> int:
        """Return the records of both sources after the group's committed offsets."""
        return sum(
            asyncio.run(ends(self.kafka, self.partitions(source))) - self.committed(source)
            for source in (self.settings.raw_topic, "grade-events")
        )

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
        events: Records of ``grade-events``, repeats included.
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
    events = flow.read("grade-events")
    order = dict.fromkeys(source(event) for event in events)  # a repeat counts once, as the first
    order.update(dict.fromkeys(raw))  # then what intake did not pass
    expected = oracle.fold((raw[at].value, raw[at].timestamp, (raw[at].topic, *at)) for at in order)

    def fated(fate: str) -> set[tuple[int, int]]:
        journeys = zip(order, expected.journeys, strict=True)
        return {at for at, journey in journeys if journey.startswith(f"{fate}/")}

    alerts = [json.loads(record.value) for record in flow.read("grade-alerts")]
    refused = flow.read("grade-events-refused")
    return Seen(expected, fated("passed"), fated("refused"), alerts, refused, events)


def a_judge(settings: Settings) -> Judge:
    text = settings.rules.read_text(encoding="utf-8")
    key = settings.id_key.get_secret_value().encode()
    return Judge(rules.load(text, str(settings.rules)), key)


def source(record: ConsumerRecord) -> tuple[int, int]:
    headers = dict(record.headers)
    return int(headers["gradewatch.partition"]), int(headers["gradewatch.offset"])


def assert_alerts_are_as_recomputed(found: Seen) -> None:
    once = {alert["alert_id"]: alert for alert in found.alerts}
    for alert in found.alerts:
        assert alert == once[alert["alert_id"]], "a repeat differs from the first"

    def told(alerts: Iterable[dict[str, Any]]) -> Counter[str]:
        return Counter(
            str([*(plain(alert.get(name)) for name in COMPARED), first(alert)]) for alert in alerts
        )

    def plain(value: object) -> object:
        return float(value or 0) if value is None or isinstance(value, int | float) else value

    def first(alert: dict[str, Any]) -> list[Any]:
        evidence = alert["evidence"][0]
        return [evidence["partition"], evidence["offset"]]

    ours, theirs = told(once.values()), told(found.expected.alerts)
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
            row["course_id"]: row for row in views.student(restored, student, tenant)["courses"]
        }
        assert {
            course: {name: row[name] for name in rows[course]} for course, row in shown.items()
        } == rows


def restored_table(changelog: Iterable[ConsumerRecord], partitions: int = 4) -> PartitionStore:
    store = a_store(partitions)
    for record in changelog:
        store.partitions[record.partition].load([record])
    return store


def assert_all_is_as_recomputed(flow: Flow) -> None:
    """Nothing is lost or wrong; with transactions, nothing is there twice."""
    found = seen(flow)
    assert found.alerts, "invalid: a semester without alerts proves nothing"
    if flow.settings.guarantee is Guarantee.EXACTLY_ONCE:
        assert_nothing_repeats(found)
        assert_the_log_comes_to_the_same_bytes(flow, found)
    assert {source(event) for event in found.events} == found.passable
    assert_alerts_are_as_recomputed(found)
    assert_refused_are_as_recomputed(found)
    assert_changelog_is_as_recomputed(flow, found)


def assert_the_log_comes_to_the_same_bytes(flow: Flow, found: Seen) -> None:
    """``grade-events`` folded record by record, without Kafka, gives every alert and row we see."""
    judge = a_judge(flow.settings)
    topic_id = flow.topic_id("grade-events")
    rows: dict[bytes, Row] = {}
    alerts: dict[int, list[bytes]] = defaultdict(list)
    for record in found.events:
        key = record.key

        def row_of(event: GradeEvent, student: bytes = key) -> Row | None:
            return rows.get(changelog_key(student, event.course_id.encode()))

        partition, offset = source(record)
        raw = Source(dict(record.headers)["gradewatch.topic"].decode(), partition, offset)
        at = Position(topic_id, record.offset)
        outcome = core.score(judge, row_of, record.value, at, raw)
        if outcome.event is not None and outcome.row is not None:
            rows[changelog_key(key, outcome.event.course_id.encode())] = outcome.row
        alerts[record.partition] += map(encode_alert, outcome.alerts)
    written: dict[int, list[bytes]] = defaultdict(list)
    for record in flow.read("grade-alerts"):
        written[record.partition].append(record.value)
    assert written == {partition: values for partition, values in alerts.items() if values}
    kept = {record.key: record.value for record in flow.read("grade-scores-changelog")}
    assert kept == {key: encode_row(row) for key, row in rows.items()}


def assert_refused_are_as_recomputed(found: Seen) -> None:
    """Every bad record is kept once it is refused, and nothing else is."""
    assert {source(record) for record in found.refused} == found.refusable


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Return once the condition holds; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about in time"
        time.sleep(0.05)


def assert_nothing_repeats(found: Seen) -> None:
    """A reader of committed records sees every effect of a raw record once."""
    for records in (found.events, found.refused):
        assert not [at for at, times in Counter(map(source, records)).items() if times > 1]
    ids = Counter(alert["alert_id"] for alert in found.alerts)
    assert not [one for one, times in ids.items() if times > 1]


async def read(kafka: Kafka | str, partitions: list[TopicPartition]) -> list[ConsumerRecord]:
    async with _consumer(kafka) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        last = await consumer.end_offsets(partitions)
        records = []
        while any([await consumer.position(tp) < last[tp] for tp in partitions]):
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                records += fetched
        return sorted(records, key=lambda record: (record.partition, record.offset))


async def committed(kafka: Kafka | str, group: str, partitions: list[TopicPartition]) -> int:
    async with _consumer(kafka, group) as consumer:
        return sum([await consumer.committed(tp) or 0 for tp in partitions])


async def ends(kafka: Kafka | str, partitions: list[TopicPartition]) -> int:
    async with _consumer(kafka) as consumer:
        return sum((await consumer.end_offsets(partitions)).values())


@asynccontextmanager
async def _consumer(
    kafka: Kafka | str, group: str | None = None
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **(kafka if isinstance(kafka, Kafka) else Kafka(kafka)).aiokafka(),
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",  # at "latest" a reset under way overrides a seek
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
