"""The Faust app, set the way the engine needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faust

from streams.engine.idle import IDLE_SECONDS
from streams.engine.restore import BatchTableManager
from streams.engine.table import BatchTable
from streams.engine.transport import Transport
from streams.engine.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from faust.types import TransportT
    from mode.types import ServiceT

    from streams.engine.commit import Committer
    from streams.engine.transport import Consumer
    from streams.security import Kafka


class BatchApp(faust.App):
    """A Faust app whose agents get record batches.

    Attributes:
        idle_topics: Whose agents also get an empty batch, time and again, while a partition is
            idle; to be set before the app starts.
        require_unchanged: Awaited at each assignment, before anything is worked on: raises where
            the cluster is another one than at the start. None: nobody looks.
        idle_seconds: How long a partition is caught up and without records before it is idle.
    """

    consumer: Consumer
    idle_topics: Collection[str] = ()
    idle_seconds: float = IDLE_SECONDS

    def __init__(self, id: str, kafka: Kafka, **settings: Any) -> None:  # noqa: A002, ANN401 - Faust's own
        """Set what correctness and speed hang on; callers set the rest.

        Args:
            id: Consumer group.
            kafka: Where Kafka is, and how to get in.
            **settings: Faust's settings.
        """
        self.kafka = kafka
        self.committers: list[Committer] = []
        self.besides: list[ServiceT] = []  # what else starts and stops with it
        self.watch = Watch(self)
        self.require_unchanged: Callable[[], Awaitable[None]] | None = None
        super().__init__(
            id,
            broker=[f"kafka://{server}" for server in kafka.servers],
            broker_credentials=kafka.faust(),
            store="memory://",  # ours is BatchTable's; this keeps Faust from looking for RocksDB
            Table=BatchTable,
            TableManager=BatchTableManager,
            topic_allow_declare=False,  # topics.yaml makes every topic
            topic_disable_leader=True,
            consumer_auto_offset_reset="none",  # `Consumer.prepare` says where to begin
            # One hung member hides everything behind it: notice within ten seconds.
            broker_session_timeout=10.0,
            broker_heartbeat_interval=2.0,
            broker_request_timeout=30.0,
            stream_wait_empty=True,  # a rebalance waits for what was worked on to be committed
            stream_buffer_maxsize=2,  # in batches
            **settings,
        )

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Do nothing: the table lives in memory, its changelog in Kafka."""

    async def on_start(self) -> None:
        """Start the committers with the app; they stop after the consumer has settled."""
        await super().on_start()
        await self.add_runtime_dependency(self.watch)
        for service in [*self.committers, *self.besides]:
            await self.add_runtime_dependency(service)
