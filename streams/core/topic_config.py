"""Kafka's topic settings: which exist, what each may be, and how people may write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from streams.core.yamlfile import did_you_mean

_DURATIONS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_INT: Final = (1 << 31) - 1
_LONG: Final = (1 << 63) - 1


@dataclass(frozen=True)
class _Number:
    """A whole number from low to high, in a unit that may be written out (``400d``, ``1MiB``)."""

    low: int = 0
    high: int = _INT
    units: dict[str, int] | None = None

    def text(self, value: object) -> str:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        units = self.units or {}
        if isinstance(value, str) and (match := re.fullmatch(r"([0-9]{1,19}) ?([A-Za-z]+)", value)):
            factor = units.get(match[2])
            number = int(match[1]) * factor if factor else None
        if number is None or not self.low <= number <= self.high:
            written = f", or with a unit ({', '.join(units)})" if units else ""
            raise ValueError(f"must be a whole number from {self.low} to {self.high}{written}")
        return str(number)


@dataclass(frozen=True)
class _Ratio:
    """A number from 0 to 1."""

    def text(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError("must be a number from 0 to 1")
        return repr(float(value))


@dataclass(frozen=True)
class _Switch:
    """true or false."""

    def text(self, value: object) -> str:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")  # noqa: TRY004 - pydantic reports ValueError
        return "true" if value else "false"


@dataclass(frozen=True)
class _Choice:
    """One of some words."""

    words: tuple[str, ...]

    def text(self, value: object) -> str:
        if value not in self.words:
            hint = did_you_mean(str(value), self.words)
            raise ValueError(f"must be one of {', '.join(self.words)}{hint}")
        return str(value)


_Kind = _Number | _Ratio | _Switch | _Choice


def _ms(low: int = 0) -> _Number:
    return _Number(low, _LONG, _DURATIONS)


def _bytes(low: int = 0, high: int = _LONG) -> _Number:
    return _Number(low, high, _SIZES)


KINDS: Final[dict[str, _Kind]] = {
    "cleanup.policy": _Choice(("delete", "compact", "compact,delete")),
    "compression.gzip.level": _Number(-1, 9),
    "compression.lz4.level": _Number(1, 17),
    "compression.type": _Choice(("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd")),
    "compression.zstd.level": _Number(-131_072, 22),
    "delete.retention.ms": _ms(),
    "file.delete.delay.ms": _ms(),
    "flush.messages": _Number(1, _LONG),
    "flush.ms": _ms(),
    "index.interval.bytes": _bytes(0, _INT),
    "local.retention.bytes": _bytes(-2),
    "local.retention.ms": _ms(-2),
    "max.compaction.lag.ms": _ms(1),
    "max.message.bytes": _bytes(0, _INT),
    "message.timestamp.after.max.ms": _ms(),
    "message.timestamp.before.max.ms": _ms(),
    "message.timestamp.type": _Choice(("CreateTime", "LogAppendTime")),
    "min.cleanable.dirty.ratio": _Ratio(),
    "min.compaction.lag.ms": _ms(),
    "min.insync.replicas": _Number(1),
    "preallocate": _Switch(),
    "remote.log.copy.disable": _Switch(),
    "remote.log.delete.on.disable": _Switch(),
    "remote.storage.enable": _Switch(),
    "retention.bytes": _bytes(-1),
    "retention.ms": _ms(-1),
    "segment.bytes": _bytes(1 << 20, _INT),
    "segment.index.bytes": _bytes(4, _INT),
    "segment.jitter.ms": _ms(),
    "segment.ms": _ms(1),
    "unclean.leader.election.enable": _Switch(),
}
"""Every topic setting of Kafka 4.3 that a file may state, by name.

Source: ``org.apache.kafka.storage.internals.log.LogConfig``; tests/kafka compares it with a broker.
Left out: ``*.replication.throttled.replicas``, which Kafka's own reassignment tool sets and clears.
"""


def kafka_text(key: str, value: object) -> str:
    """Return a setting's value as Kafka holds it: milliseconds, bytes, lower-case booleans.

    Args:
        key: The setting's name.
        value: What the file says.

    Returns:
        The value as text.

    Raises:
        ValueError: There is no such setting, or it cannot have that value.

    Example:
        >>> kafka_text("retention.ms", "400d"), kafka_text("max.message.bytes", "1MiB")
        ('34560000000', '1048576')
        >>> kafka_text("retention.msec", 1)
        Traceback (most recent call last):
        ...
        ValueError: Kafka has no topic setting 'retention.msec', did you mean 'retention.ms'?
    """
    if key not in KINDS:
        raise ValueError(f"Kafka has no topic setting '{key}'{did_you_mean(key, KINDS)}")
    return KINDS[key].text(value)


def same(key: str, one: str, other: str) -> bool:
    """Return whether two values of a setting, as Kafka holds them, mean the same.

    Example:
        >>> same("cleanup.policy", "compact,delete", "delete, compact")
        True
        >>> same("min.cleanable.dirty.ratio", "0.10", "0.1")
        True
    """
    if key == "cleanup.policy":
        return _policies(one) == _policies(other)
    if isinstance(KINDS.get(key), _Ratio):
        return float(one) == float(other)
    return one == other


def loses(key: str, before: str, after: str) -> bool:
    """Return whether a change of a setting can delete records that are there now.

    A shorter or smaller retention, a new way of cleaning, a leader that may lack records.

    Example:
        >>> loses("retention.ms", "-1", "86400000"), loses("retention.ms", "1000", "-1")
        (True, False)
        >>> loses("cleanup.policy", "compact", "delete")
        True
        >>> loses("cleanup.policy", "compact,delete", "compact")
        False
    """
    match key:
        case "retention.ms" | "retention.bytes":
            unlimited = after == "-1"
            return not unlimited and (before == "-1" or int(after) < int(before))
        case "cleanup.policy":
            return bool(_policies(after) - _policies(before))
        case "unclean.leader.election.enable":
            return (before, after) == ("false", "true")
        case _:
            return False


def _policies(text: str) -> set[str]:
    return {each.strip() for each in text.split(",")} - {""}
