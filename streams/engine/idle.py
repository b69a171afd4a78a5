"""Which partitions are idle: caught up, and nothing came for a while.

Time is that of Kafka's answers, as this process saw them. While Kafka is silent nobody is idle:
what it would say is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from faust.types import TP

IDLE_SECONDS: Final = 30.0
"""A partition that is caught up and got nothing for this long is idle; it is said as often."""


class Standing(Protocol):
    """Where the consumer stands on a partition, as aiokafka has it."""

    @property
    def position(self) -> int:
        """The next offset to be handed out."""

    @property
    def highwater(self) -> int | None:
        """The end of the log, open transactions included; None: not known yet."""

    @property
    def timestamp(self) -> int | None:
        """When Kafka said so, milliseconds since 1970; None: not yet."""


class _Quiet(NamedTuple):
    epoch: int
    since: int


class Idle:
    """Tells of some topics' partitions when they are idle."""

    def __init__(self, topics: Collection[str], seconds: float) -> None:
        """Start knowing of no partition.

        Args:
            topics: Of which topics.
            seconds: How long nothing must have come; and how often it is told.
        """
        self._topics = topics
        self._milliseconds = seconds * 1000
        self._quiet: dict[TP, _Quiet] = {}

    def heard(self, tp: TP) -> None:
        """Note that something came of a partition."""
        self._quiet.pop(tp, None)

    def look(self, tp: TP, epoch: int, standing: Standing) -> int:
        """Return up to when a partition is known to have nothing more, if that is to be told.

        Args:
            tp: A partition that nothing came of now.
            epoch: Its epoch; with another one the waiting begins again.
            standing: Where its consumer stands.

        Returns:
            When Kafka said so last, milliseconds since 1970; 0: it is not idle, or was told lately.
        """
        if tp.topic not in self._topics:
            return 0
        at = standing.timestamp
        if at is None or standing.highwater is None or standing.position < standing.highwater:
            self.heard(tp)
            return 0
        quiet = self._quiet.get(tp)
        if quiet is None or quiet.epoch != epoch or at < quiet.since:  # a clock was set back
            self._quiet[tp] = _Quiet(epoch, at)
            return 0
        if at - quiet.since < self._milliseconds:
            return 0
        self._quiet[tp] = _Quiet(epoch, at)
        return at
