"""topics.yaml → what every topic must be, for one profile (one broker, three brokers).

The file is the only place that says it, changelogs included: who writes a topic, who reads it, what
its records are, how long they stay. Checked as a whole and in every profile, also those not in use.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from streams.core import topic_config
from streams.core.yamlfile import Finding, did_you_mean, parse
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RAW: Final = "canvas-live-events"
EVENTS: Final = "grade-events"
CHANGELOG: Final = "grade-scores-changelog"
ALERTS: Final = "grade-alerts"
REFUSED: Final = "grade-events-refused"
NEEDED: Final = (RAW, EVENTS, CHANGELOG, ALERTS, REFUSED)
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
Count = Annotated[int, Field(ge=1, le=10_000)]
Config = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Part):
    """What differs between a cluster of one broker and one of three; a topic may say otherwise."""

    replication: Annotated[int, Field(strict=True, ge=1, le=100)]
    partitions: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    config: Config = {}


class Entry(_Part):
    """A topic as the file describes it."""

    name: Name
    external: bool = False
    key: Text | None = None
    partitions: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
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
    """Every topic of one profile, in the order of the file."""

    specs: tuple[Spec, ...]

    def named(self, rename: Callable[[str], str]) -> Topics:
        """Return the same topics under the names they have on a cluster."""
        return Topics(tuple(replace(each, name=rename(each.name)) for each in self.specs))


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
    together = {name for group in content.copartitioned for name in group}
    return Topics(
        tuple(
            _spec(each, content.profiles[profile], each.name in together) for each in content.topics
        )
    )


def _spec(entry: Entry, profile: Profile, copartitioned: bool) -> Spec:  # noqa: FBT001 - private
    stated = entry.config if entry.external else {**profile.config, **entry.config}
    return Spec(
        name=entry.name,
        partitions=entry.partitions or profile.partitions,
        replication=profile.replication,
        config={key: topic_config.kafka_text(key, value) for key, value in stated.items()},
        growable=entry.key is None and not copartitioned,
        entry=entry,
    )


def _findings(content: TopicFile) -> list[Finding]:
    """Return every breach of the rules that hold between the parts of the file."""
    found = list(_of_configs(content))
    if not found:  # the other rules read valid settings only
        for place, entry in enumerate(content.topics):
            found.extend(_of_entry(("topics", place), entry))
        for name, profile in content.profiles.items():
            found.extend(_of_profile(name, profile, content))
        found.extend(_of_groups(content))
        found.extend(_of_names(content))
    return found or [
        Finding(("topics",), f"no topic '{name}': a worker needs it")
        for name in NEEDED
        if name not in {each.name for each in content.topics}
    ]


def _of_configs(content: TopicFile) -> Iterator[Finding]:
    parts: list[tuple[tuple[str | int, ...], Config]] = [
        (("profiles", name), each.config) for name, each in content.profiles.items()
    ] + [(("topics", place), each.config) for place, each in enumerate(content.topics)]
    for place, config in parts:
        for key, value in config.items():
            try:
                topic_config.kafka_text(key, value)
            except ValueError as error:
                what = str(error) if key not in topic_config.KINDS else f"{key}: {error}"
                yield Finding((*place, "config", key), what)


def _of_entry(place: tuple[str | int, ...], entry: Entry) -> Iterator[Finding]:
    find = partial(Finding, place)
    name, policy = entry.name, str(entry.config.get("cleanup.policy", "delete"))
    if entry.external:
        return
    for needed in ("owner", "purpose", "classification", "writers", "readers", "model"):
        if not getattr(entry, needed):
            yield find(f"{name}: missing key '{needed}'")
    if "compact" in policy and not entry.key:
        yield find(f"{name}: compacted, so its records need a key")
    if "delete" in policy:
        keeps = str(entry.config.get("retention.ms", ""))
        if not keeps:
            yield find(f"{name}: missing setting 'retention.ms': Kafka's default keeps 7 days")
        elif keeps == "-1":
            where = (*place, "config", "retention.ms")
            yield Finding(where, f"{name}: keeps education records for ever: state how long")


def _of_profile(name: str, profile: Profile, content: TopicFile) -> Iterator[Finding]:
    specs = {each.name: _spec(each, profile, copartitioned=False) for each in content.topics}
    for index, spec in enumerate(specs.values()):
        in_sync = int(spec.config.get("min.insync.replicas", "1"))
        if in_sync > spec.replication and not spec.entry.external:
            yield Finding(
                ("topics", index) if "min.insync.replicas" in spec.entry.config else ("profiles", name),
                f"{spec.name}: min.insync.replicas {in_sync} is more than replication "
                f"{spec.replication} of profile {name}: nothing could be written",
            )
    for index, spec in enumerate(specs.values()):
        need = room_needed(spec.name, specs[RAW].config) if RAW in specs else None
        if need and need > max_message_bytes(spec.config):
            yield Finding(
                ("topics", index, "config", "max.message.bytes"),
                f"{spec.name}: max.message.bytes must be at least {need}: what {RAW} may hold, "
                f"and {ROOM} more",
            )


def _of_groups(content: TopicFile) -> Iterator[Finding]:
    entries = {each.name: each for each in content.topics}
    for place, group in enumerate(content.copartitioned):
        for index, name in enumerate(group):
            where = ("copartitioned", place, index)
            if name not in entries:
                hint = did_you_mean(name, entries)
                yield Finding(where, f"{name}: there is no such topic here{hint}")
            elif entries[name].key is None:
                yield Finding(where, f"{name}: co-partitioned, so its records need a key")
        for name, profile in content.profiles.items():
            counts = {
                each: entries[each].partitions or profile.partitions
                for each in group
                if each in entries
            }
            if len(set(counts.values())) > 1:
                said = ", ".join(f"{each} {count}" for each, count in counts.items())
                yield Finding(
                    ("copartitioned", place),
                    f"co-partitioned topics need equal partitions; profile {name} has {said}",
                )


def _of_names(content: TopicFile) -> Iterator[Finding]:
    counted = Counter(each.name for each in content.topics)
    seen: set[str] = set()
    for place, entry in enumerate(content.topics):
        if counted[entry.name] > 1 and entry.name in seen:
            yield Finding(("topics", place, "name"), f"{entry.name}: described twice")
        seen.add(entry.name)


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
    return max_message_bytes(raw) + ROOM if name in {ALERTS, REFUSED} else None


def max_message_bytes(config: Mapping[str, str]) -> int:
    """Return how many bytes a record batch of a topic may have."""
    return int(config.get("max.message.bytes", KAFKA_MAX_MESSAGE_BYTES))
