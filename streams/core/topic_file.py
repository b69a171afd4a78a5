"""topics.yaml → what every topic must be, for one profile (one broker, three brokers).

The file is the only place that says it, changelogs included: who writes a topic, who reads it, what
its records are, how long they stay. Checked as a whole and in every profile, also those not in use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from streams.core import topic_config
from streams.core.yamlfile import Finding, Place, did_you_mean, parse
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RAW: Final = "canvas-live-events"
EVENTS: Final = "grade-events"
CHANGELOG: Final = "grade-scores-changelog"
ALERTS: Final = "grade-alerts"
POSTED: Final = "grade-alerts-posted"
STATE: Final = "grade-alerts-state"
ACTIONS: Final = "grade-alert-actions"
AUDIT: Final = "grade-access-audit"
RULES: Final = "grade-rules"
REFUSED: Final = "grade-events-refused"
NEEDED: Final = (RAW, EVENTS, CHANGELOG, ALERTS, POSTED, STATE, ACTIONS, AUDIT, RULES, REFUSED)
"""What a worker needs, by the names in the file; the names on a cluster may have a prefix."""

ROOM: Final = 64 * 1024
"""Bytes that a refused record or an alert may be larger than the raw record it is about."""

KAFKA_MAX_MESSAGE_BYTES: Final = 1_048_588
"""Kafka's default of ``max.message.bytes``: 1 MiB and the 12 bytes before a record batch."""


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,199}", value):
        raise ValueError(
            f"'{value}' must be lower-case letters, digits and hyphens, 200 at most: "
            "'.' and '_' collide in Kafka's metric names"
        )
    return value


def _model(value: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("must be an import path like 'streams.core.events:GradeEvent'")
    return value


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Config = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Part):
    """What differs between a cluster of one broker and one of three; a topic may say otherwise."""

    replication: Count
    partitions: Count
    config: Config = {}


class Entry(_Part):
    """A topic as the file describes it."""

    name: Name
    external: Annotated[bool, Field(strict=True)] = False
    key: Text | None = None
    partitions: Count | None = None
    config: Config = {}
    owner: Text | None = None
    purpose: Text | None = None
    classification: Literal["public", "internal", "confidential", "restricted"] | None = None
    writers: tuple[Text, ...] = ()
    readers: tuple[Text, ...] = ()
    model: Annotated[str, AfterValidator(_model)] | None = None


class TopicFile(_Part):
    """topics.yaml."""

    profiles: Annotated[dict[str, Profile], Field(min_length=1)]
    copartitioned: tuple[tuple[Name, ...], ...] = ()
    topics: tuple[Entry, ...]


@dataclass(frozen=True)
class Spec:
    """What one topic must be on a cluster.

    Attributes:
        name: Its name there.
        partitions: How many; of an external topic: how many it is created with, if it is.
        replication: Copies of each partition.
        config: The settings that the file states, as Kafka holds them.
        growable: Whether partitions may be added: no key decides a record's partition.
        entry: The file's own words: owner, purpose, who writes and reads.
    """

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    growable: bool
    entry: Entry


@dataclass(frozen=True)
class Topics:
    """Every topic of one profile, in the order of the file.

    Attributes:
        specs: The topics.
        copartitioned: Names of topics that must have as many partitions as each other.
    """

    specs: tuple[Spec, ...]
    copartitioned: tuple[tuple[str, ...], ...] = ()

    def named(self, rename: Callable[[str], str]) -> Topics:
        """Return the same topics under the names they have on a cluster."""
        return Topics(
            tuple(replace(each, name=rename(each.name)) for each in self.specs),
            tuple(tuple(map(rename, group)) for group in self.copartitioned),
        )


def load(text: str | bytes, file: str, profile: str) -> Topics:
    """Return what every topic must be.

    Args:
        text: The content of topics.yaml.
        file: Its name, for the messages.
        profile: The profile to take.

    Returns:
        The topics, named as in the file.

    Raises:
        ConfigurationError: The file is wrong, each mistake named with its line and column; or it
            has no such profile.
    """
    content = parse(text, TopicFile, file, _findings)
    if profile not in content.profiles:
        hint = did_you_mean(profile, content.profiles)
        raise ConfigurationError(
            f"{file}: there is no profile '{profile}'{hint}",
            f"choose one of: {', '.join(content.profiles)}",
        )
    together = frozenset(name for group in content.copartitioned for name in group)
    chosen = content.profiles[profile]
    specs = tuple(_spec(each, chosen, together) for each in content.topics)
    return Topics(specs, content.copartitioned)


def _spec(entry: Entry, profile: Profile, together: frozenset[str]) -> Spec:
    stated = entry.config if entry.external else {**profile.config, **entry.config}
    return Spec(
        name=entry.name,
        partitions=entry.partitions or profile.partitions,
        replication=profile.replication,
        config={key: topic_config.kafka_text(key, value) for key, value in stated.items()},
        growable=entry.key is None and entry.name not in together,
        entry=entry,
    )


def _findings(content: TopicFile) -> list[Finding]:
    """Return every breach of the rules that hold between the parts of the file."""
    stages = (_of_names, _of_configs, _of_entries, _of_needs)  # each relies on those before it
    return next(filter(None, (list(stage(content)) for stage in stages)), [])


def _of_names(content: TopicFile) -> Iterator[Finding]:
    names = [each.name for each in content.topics]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Finding(("topics", place, "name"), f"{name}: described twice")


def _of_configs(content: TopicFile) -> Iterator[Finding]:
    parts: list[tuple[Place, Config]] = [
        *((("profiles", name), each.config) for name, each in content.profiles.items()),
        *((("topics", place), each.config) for place, each in enumerate(content.topics)),
    ]
    for place, config in parts:
        for key, value in config.items():
            try:
                topic_config.kafka_text(key, value)
            except ValueError as error:
                what = f"{key}: {error}" if key in topic_config.KINDS else str(error)
                yield Finding((*place, "config", key), what)


def _of_entries(content: TopicFile) -> Iterator[Finding]:
    for place, entry in enumerate(content.topics):
        if not entry.external:
            for what in _of_entry(entry):
                yield Finding(("topics", place), f"{entry.name}: {what}")
    for name, profile in content.profiles.items():
        yield from _of_profile(name, profile, content)
        yield from _of_groups(name, profile, content)


def _of_entry(entry: Entry) -> Iterator[str]:
    for needed in ("owner", "purpose", "classification", "writers", "readers", "model"):
        if not getattr(entry, needed):
            yield f"missing key '{needed}'"
    policy = entry.config.get("cleanup.policy", "delete")
    if "compact" in policy and not entry.key:
        yield "compacted, so its records need a key"
    if "delete" in policy:
        keeps = entry.config.get("retention.ms")
        if keeps is None:
            yield "missing setting 'retention.ms': Kafka's default keeps records 7 days"
        elif keeps == -1:
            yield "retention.ms -1 keeps education records for ever: state how long"


def _of_profile(name: str, profile: Profile, content: TopicFile) -> Iterator[Finding]:
    configs: list[tuple[Place, Config]] = [(("profiles", name), profile.config)]
    configs += [(("topics", at), each.config) for at, each in enumerate(content.topics)]
    for place, config in configs:
        in_sync = config.get("min.insync.replicas", 1)
        if in_sync > profile.replication:
            yield Finding(
                (*place, "config", "min.insync.replicas"),
                f"min.insync.replicas {in_sync} is more than replication {profile.replication} "
                f"of profile {name}: nothing could be written",
            )
    specs = {each.name: _spec(each, profile, frozenset()) for each in content.topics}
    for at, spec in enumerate(specs.values()):
        need = room_needed(spec.name, specs[RAW].config) if RAW in specs else None
        if need and need > max_message_bytes(spec.config):
            yield Finding(
                ("topics", at, "config", "max.message.bytes"),
                f"{spec.name}: max.message.bytes must be at least {need}: "
                f"what {RAW} may hold, and {ROOM} more",
            )


def _of_groups(profile_name: str, profile: Profile, content: TopicFile) -> Iterator[Finding]:
    entries = {each.name: each for each in content.topics}
    for place, group in enumerate(content.copartitioned):
        for index, name in enumerate(group):
            where = ("copartitioned", place, index)
            if name not in entries:
                hint = did_you_mean(name, entries)
                yield Finding(where, f"{name}: there is no such topic here{hint}")
            elif entries[name].key is None:
                yield Finding(where, f"{name}: co-partitioned, so its records need a key")
        known = [entries[name] for name in group if name in entries]
        counts = {each.name: each.partitions or profile.partitions for each in known}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in counts.items())
            yield Finding(
                ("copartitioned", place),
                f"co-partitioned topics need equal partitions: profile {profile_name} has {said}",
            )


def _of_needs(content: TopicFile) -> Iterator[Finding]:
    for name in NEEDED:
        if name not in {each.name for each in content.topics}:
            yield Finding(("topics",), f"no topic '{name}': a worker needs it")


def room_needed(name: str, raw: Mapping[str, str]) -> int | None:
    """Return the ``max.message.bytes`` that a topic needs beside a raw topic of these settings.

    Args:
        name: The topic's name in the file.
        raw: The raw topic's settings.

    Returns:
        Bytes; None for a topic that holds no raw record and no alert.

    Example:
        >>> room_needed("grade-alerts", {"max.message.bytes": "1000000"})
        1065536
        >>> room_needed("grade-events", {})
    """
    return max_message_bytes(raw) + ROOM if name in {ALERTS, POSTED, STATE, REFUSED} else None


def max_message_bytes(config: Mapping[str, str]) -> int:
    """Return how many bytes a record batch of a topic may have."""
    return int(config.get("max.message.bytes", KAFKA_MAX_MESSAGE_BYTES))
