"""Reads a cluster's topics and carries out a plan; the only module with Kafka's admin client.

kafka-python's client changes single settings (incremental alter) and so keeps those it was not told
of; aiokafka's resets them. Nothing here can delete: no such call is made.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError, TopicAuthorizationFailedError, for_code

from streams import broker, files
from streams.connection import DEADLINE, client, not_granted, topic_id
from streams.core.topic_file import RAW, Topics, load
from streams.core.topics import (
    AddPartitions,
    Blocked,
    Create,
    Noted,
    Observed,
    ObservedTopic,
    Plan,
    SetConfig,
    is_done,
    plan,
)
from streams.core.yamlfile import MAX_BYTES
from streams.errors import BrokerError, ConfigurationError, TopicMismatchError
from streams.security import Kafka

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from streams.settings import Settings

_UNKNOWN_TOPIC: Final = 3


def bootstrap(settings: Settings) -> Kafka:
    """Return where Kafka is: as set, else the embedded broker that is running.

    Raises:
        BrokerError: None is set and the embedded broker is not running.
    """
    if settings.kafka_bootstrap_servers is not None:
        return Kafka(settings.kafka_bootstrap_servers, settings.security)
    embedded = broker.status(settings.data_dir)
    if embedded.state != "running" or embedded.bootstrap_servers is None:
        raise BrokerError(
            "no Kafka: KAFKA_BOOTSTRAP_SERVERS is not set and the embedded broker is "
            f"{embedded.state.replace('stopped', 'not running')}",
            "gradewatch broker start, or set KAFKA_BOOTSTRAP_SERVERS",
        )
    return Kafka(embedded.bootstrap_servers)


def read_topics(settings: Settings) -> Topics:
    """Return what every topic must be, under the names they have on this cluster.

    The namespace stands before every name; the raw topic's name is a setting.

    Raises:
        ConfigurationError: The file cannot be read, or is wrong.
    """
    try:
        text = files.read(settings.topics, MAX_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.topics}: cannot be read: {error.strerror}", "set GRADEWATCH_TOPICS"
        ) from None
    topics = load(text, str(settings.topics), settings.topics_profile)
    return topics.named(lambda name: settings.topic(settings.raw_topic if name == RAW else name))


def observe(kafka: Kafka, names: Collection[str]) -> Observed:
    """Return what a cluster has of some topics.

    Args:
        kafka: Which cluster.
        names: The topics to look for.

    Returns:
        How many brokers there are, and the topics that exist.

    Raises:
        BrokerError: Kafka does not answer in time, or refuses.
    """
    with client(kafka) as admin:
        return _observe(admin, names)


def make_plan(
    settings: Settings, *, create_external: bool | None = None, allow_data_loss: bool = False
) -> Plan:
    """Return what must happen so that the cluster's topics are as topics.yaml says.

    Args:
        settings: Which file and profile, which cluster, which names.
        create_external: Whether to create external topics that are missing; None: where Kafka is
            the embedded broker.
        allow_data_loss: Whether settings may change so that Kafka deletes records.

    Returns:
        The plan.

    Raises:
        ConfigurationError: topics.yaml is wrong.
        BrokerError: Kafka does not answer in time, or refuses.
    """
    topics = read_topics(settings)
    if create_external is None:
        create_external = settings.kafka_bootstrap_servers is None
    observed = observe(bootstrap(settings), [each.name for each in topics.specs])
    return plan(topics, observed, create_external=create_external, allow_data_loss=allow_data_loss)


def carry_out(kafka: Kafka, plan: Plan) -> None:
    """The cluster shows every change of a plan.

    Interrupted at any point, it leaves a cluster from which a new plan goes on: no step depends on
    another, and none takes back.

    Args:
        kafka: Which cluster.
        plan: What to do.

    Raises:
        TopicMismatchError: Something in the plan is blocked; nothing was changed.
        BrokerError: Kafka does not answer in time, or refuses a step.
    """
    if plan.blocked:
        raise TopicMismatchError(
            f"nothing was changed, {len(plan.blocked)} blocked:\n"
            + "\n".join(map(str, plan.blocked)),
            "correct topics.yaml or the cluster, then plan again",
        )
    if not plan.changes:
        return
    with client(kafka) as admin:
        _create(admin, [each for each in plan.changes if isinstance(each, Create)])
        for change in plan.changes:
            if isinstance(change, AddPartitions):
                grown = admin.create_partitions({change.topic: change.after}, raise_errors=False)
                _check("ALTER", ((r.name, r.error_code, r.error_message) for r in grown.results))
        _set(admin, [each for each in plan.changes if isinstance(each, SetConfig)])
        names = {each.topic for each in plan.changes}
        deadline = time.monotonic() + DEADLINE
        while not all(is_done(each, _observe(admin, names)) for each in plan.changes):
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka at {kafka} took the changes, but does not show them",
                    "gradewatch topics plan",
                )
            time.sleep(0.1)


def require_topics(settings: Settings) -> Mapping[str, ObservedTopic]:
    """Return the cluster's topics, which are such that a worker can run.

    Replication is not looked at: a worker runs on any; ``gradewatch topics plan`` reports it.

    Raises:
        ConfigurationError: topics.yaml is wrong.
        BrokerError: Kafka does not answer in time, or refuses.
        TopicMismatchError: A topic is missing, or one of ours has other partitions or settings
            than topics.yaml states.
    """
    topics, kafka = read_topics(settings), bootstrap(settings)
    observed = observe(kafka, [each.name for each in topics.specs])
    ours = settings.kafka_bootstrap_servers is None
    wrong = [
        each
        for each in plan(topics, observed, create_external=ours).steps
        if not isinstance(each, Noted)
        and not (isinstance(each, Blocked) and each.what == "replication")
    ]
    if wrong:
        raise TopicMismatchError(
            f"the topics at {kafka} are not as {settings.topics} says:\n"
            + "\n".join(map(str, wrong)),
            "gradewatch topics apply",
        )
    return observed.topics


def partition_count(kafka: Kafka, topic: str) -> int:
    """Return how many partitions a topic has; 0 where there is no topic.

    Raises:
        BrokerError: Kafka does not answer in time, or refuses.
    """
    with client(kafka) as admin:
        return sum(len(each["partitions"]) for each in _described(admin, [topic]))


def record_count(kafka: Kafka, topic: str) -> int:
    """Return how many offsets a topic holds, over all its partitions; 0 where there is no topic.

    Raises:
        BrokerError: Kafka does not answer in time, or refuses.
    """
    with client(kafka) as admin:
        found = sum(len(each["partitions"]) for each in _described(admin, [topic]))
        if not found:
            return 0
        places = [TopicPartition(topic, number) for number in range(found)]
        first, last = (
            admin.list_partition_offsets(dict.fromkeys(places, at))
            for at in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
        )
        return sum(last[at].offset - first[at].offset for at in places)


def _observe(admin: KafkaAdminClient, names: Collection[str]) -> Observed:
    brokers = len(admin.describe_cluster()["brokers"])
    found = {}
    for each in _described(admin, names):
        found[each["name"]] = each
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    configs = admin.describe_configs(resources, config_filter="all")["topic"] if found else {}
    for name in found:
        if not configs[name]:  # kafka-python drops the reason
            raise not_granted(f"DESCRIBE_CONFIGS on topic {name}")
    return Observed(brokers, {name: _topic(each, configs[name]) for name, each in found.items()})


def _described(admin: KafkaAdminClient, names: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield what Kafka tells of each topic that exists."""
    for each in admin.describe_topics(list(names)) if names else ():
        if each["error_code"] == TopicAuthorizationFailedError.errno:
            raise not_granted(f"DESCRIBE on topic {each['name']}")
        if each["error_code"] not in {0, _UNKNOWN_TOPIC}:
            raise for_code(each["error_code"])(each["name"])
        if each["error_code"] == 0:
            yield each


def _topic(described: dict[str, Any], config: dict[str, dict[str, Any]]) -> ObservedTopic:
    overrides = (key for key, at in config.items() if at["config_source"] == "DYNAMIC_TOPIC_CONFIG")
    return ObservedTopic(
        partitions=len(described["partitions"]),
        replication=min(len(each["replica_nodes"]) for each in described["partitions"]),
        config={key: str(at["value"]) for key, at in config.items()},
        overrides=frozenset(overrides),
        topic_id=topic_id(described),
    )


def _create(admin: KafkaAdminClient, creates: list[Create]) -> None:
    if creates:
        wanted = {
            each.topic: {
                "num_partitions": each.partitions,
                "replication_factor": each.replication,
                "configs": dict(each.config),
            }
            for each in creates
        }
        made = admin.create_topics(wanted, raise_errors=False)["topics"]
        _check("CREATE", ((r["name"], r["error_code"], r["error_message"]) for r in made))
        admin.wait_for_topics(wanted)


def _set(admin: KafkaAdminClient, settings: list[SetConfig]) -> None:
    wanted: dict[str, dict[str, str]] = {}
    for each in settings:
        wanted.setdefault(each.topic, {})[each.key] = each.after
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic, configs)
        for topic, configs in wanted.items()
    ]
    answers = admin.alter_configs(resources, incremental=True)["topic"] if resources else {}
    for topic, answer in answers.items():
        if TopicAuthorizationFailedError.__name__ in answer:
            raise not_granted(f"ALTER_CONFIGS on topic {topic}")
        if answer != "OK":
            raise KafkaError(f"{topic}: {answer}")


def _check(operation: str, results: Iterable[tuple[str, int, str | None]]) -> None:
    """Every topic's part of a request succeeded; else Kafka's own words for each that did not."""
    answers = list(results)
    for name, code, _ in answers:
        if code == TopicAuthorizationFailedError.errno:
            raise not_granted(f"{operation} on topic {name}")
    wrong = [
        f"{name}: {message or for_code(code).__name__}" for name, code, message in answers if code
    ]
    if wrong:
        raise KafkaError("; ".join(wrong))
