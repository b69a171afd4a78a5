"""What must happen on a cluster so that its topics are as topics.yaml says: a plan, as data.

A plan creates topics, adds partitions where no key decides them, and sets what the file states.
It has no step that deletes a topic, a partition or a setting (docs/decisions/0004). What the file
asks for and no step may do is blocked, with the reason; then nothing at all is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from streams.core import topic_config
from streams.core.topic_file import RAW, Spec, Topics, max_message_bytes, room_needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class ObservedTopic:
    """A topic as it is on a cluster.

    Attributes:
        partitions: How many.
        replication: Copies of the partition that has the fewest.
        config: Every setting in effect, as Kafka holds it.
        overrides: The settings that were set on this topic; the others are the cluster's defaults.
        topic_id: Kafka's id of it, as ``kafka-topics.sh`` shows it; a topic that was deleted and
            created again has another.
    """

    partitions: int
    replication: int
    config: Mapping[str, str]
    overrides: frozenset[str]
    topic_id: str


@dataclass(frozen=True)
class Observed:
    """A cluster: how many brokers it has, and those of our topics that exist."""

    brokers: int
    topics: Mapping[str, ObservedTopic]


@dataclass(frozen=True)
class Create:
    """A topic that is not there is created."""

    topic: str
    partitions: int
    replication: int
    config: Mapping[str, str]

    def __str__(self) -> str:
        """Return the line that people read."""
        many = "" if self.partitions == 1 else "s"
        return (
            f"+ create {self.topic} ({self.partitions} partition{many}, "
            f"replication {self.replication})"
        )


@dataclass(frozen=True)
class AddPartitions:
    """A topic whose records have no key gets more partitions."""

    topic: str
    before: int
    after: int

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"~ partitions {self.topic} {self.before} → {self.after}"


@dataclass(frozen=True)
class SetConfig:
    """A setting that the file states is set; all others stay."""

    topic: str
    key: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"~ config {self.topic} {self.key} {self.before} → {self.after}"


@dataclass(frozen=True)
class Blocked:
    """The file and the cluster differ, and a person must decide."""

    topic: str
    what: Literal["missing", "partitions", "replication", "config"]
    reason: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"! BLOCKED {self.topic}: {self.reason}"


@dataclass(frozen=True)
class Noted:
    """Worth knowing; nothing to do."""

    topic: str
    what: Literal["unmanaged", "room"]
    text: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"? {self.text}"


Change = Create | AddPartitions | SetConfig
Step = Change | Blocked | Noted


class Verdict(StrEnum):
    """What a plan comes to."""

    NO_CHANGE = "no change"
    CHANGES = "changes"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Plan:
    """The steps from what a cluster has to what the file says; in the order of the file."""

    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """What an apply carries out."""
        return tuple(each for each in self.steps if isinstance(each, Change))

    @property
    def blocked(self) -> tuple[Blocked, ...]:
        """What keeps an apply from starting."""
        return tuple(each for each in self.steps if isinstance(each, Blocked))

    @property
    def verdict(self) -> Verdict:
        """Blocked, else changes, else no change."""
        if self.blocked:
            return Verdict.BLOCKED
        return Verdict.CHANGES if self.changes else Verdict.NO_CHANGE


def plan(
    topics: Topics,
    observed: Observed,
    *,
    create_external: bool = False,
    allow_data_loss: bool = False,
) -> Plan:
    """Return what must happen so that a cluster is as the file says.

    Args:
        topics: What every topic must be, under its name on the cluster.
        observed: The cluster.
        create_external: Whether external topics that are missing are created: only on a Kafka that
            is ours altogether, the embedded one.
        allow_data_loss: Whether settings may change so that Kafka deletes records.

    Returns:
        The steps; none where the cluster is as the file says.
    """
    steps: list[Step] = []
    for spec in topics.specs:
        there = observed.topics.get(spec.name)
        if there is None:
            steps.append(_create(spec, observed.brokers, create_external=create_external))
        elif not spec.entry.external:
            steps.extend(_partitions(spec, there))
            steps.extend(_config(spec, there, allow_data_loss=allow_data_loss))
            steps.extend(_unmanaged(spec, there))
    return Plan((*steps, *_room(topics, observed)))


def is_done(change: Change, observed: Observed) -> bool:
    """Return whether a cluster shows a change; some brokers learn of it later than others."""
    there = observed.topics.get(change.topic)
    if there is None:
        return False
    match change:
        case Create(partitions=count) | AddPartitions(after=count):
            return there.partitions >= count
        case SetConfig(key=key, after=after):
            return key in there.config and topic_config.same(key, there.config[key], after)


def _create(spec: Spec, brokers: int, *, create_external: bool) -> Step:
    if spec.entry.external and not create_external:
        return Blocked(
            spec.name,
            "missing",
            "there is no such topic; it is yours and external, so it is never created here: "
            "create it, or correct GRADEWATCH_RAW_TOPIC",
        )
    if spec.replication > brokers:
        return Blocked(
            spec.name,
            "missing",
            f"replication {spec.replication} needs as many brokers, the cluster has {brokers}: "
            "choose another profile of the file (GRADEWATCH_TOPICS_PROFILE)",
        )
    return Create(spec.name, spec.partitions, spec.replication, spec.config)


def _partitions(spec: Spec, there: ObservedTopic) -> Iterator[Step]:
    change = f"partitions {there.partitions} → {spec.partitions}"
    if spec.partitions < there.partitions:
        reason = f"{change}: a topic never shrinks; state {there.partitions} in the file"
        yield Blocked(spec.name, "partitions", reason)
    elif spec.partitions > there.partitions and not spec.growable:
        reason = (
            f"{change}: its records are placed by key, a key's later records would go to another "
            f"partition than its earlier ones; state {there.partitions} in the file, or move to "
            "new topics under another GRADEWATCH_NAMESPACE"
        )
        yield Blocked(spec.name, "partitions", reason)
    elif spec.partitions > there.partitions:
        yield AddPartitions(spec.name, there.partitions, spec.partitions)
    if spec.replication != there.replication:
        reason = (
            f"replication {there.replication} → {spec.replication}: never changed here; move the "
            "replicas with kafka-reassign-partitions.sh, or correct the file"
        )
        yield Blocked(spec.name, "replication", reason)


def _config(spec: Spec, there: ObservedTopic, *, allow_data_loss: bool) -> Iterator[Step]:
    for key, after in spec.config.items():
        before = there.config.get(key)
        if before is None:
            reason = f"{key}: this Kafka has no such setting; remove it from the file, or upgrade"
            yield Blocked(spec.name, "config", reason)
        elif topic_config.same(key, before, after):
            continue
        elif topic_config.loses(key, before, after) and not allow_data_loss:
            reason = f"{key} {before} → {after}: would delete records; --allow-data-loss permits it"
            yield Blocked(spec.name, "config", reason)
        else:
            yield SetConfig(spec.name, key, before, after)


def _unmanaged(spec: Spec, there: ObservedTopic) -> Iterator[Noted]:
    for key in sorted(there.overrides - set(spec.config)):
        text = f"unmanaged override {spec.name} {key}={there.config[key]}: stays as it is"
        yield Noted(spec.name, "unmanaged", text)


def _room(topics: Topics, observed: Observed) -> Iterator[Noted]:
    """Note topics that are too small for what the raw topic really takes."""
    specs = {each.entry.name: each for each in topics.specs}
    raw = observed.topics.get(specs[RAW].name) if RAW in specs else None
    if raw is None:
        return
    for spec in topics.specs:
        takes, need = max_message_bytes(spec.config), room_needed(spec.entry.name, raw.config)
        if need and takes < need:
            text = (
                f"room {spec.name} takes {takes} bytes, {specs[RAW].name} up to "
                f"{max_message_bytes(raw.config)}: what is larger is cut; "
                f"state max.message.bytes {need} in the file"
            )
            yield Noted(spec.name, "room", text)
