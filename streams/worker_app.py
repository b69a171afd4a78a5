"""The Faust app of a worker, as its settings have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.app import BatchApp

if TYPE_CHECKING:
    from streams.security import Kafka
    from streams.settings import Settings


def configured(
    settings: Settings, kafka: Kafka, url: str, port: int, instance_id: str | None
) -> BatchApp:
    """Return an app as a worker's settings have it.

    Args:
        settings: The worker's.
        kafka: Where Kafka is, and how to get in.
        url: What Faust tells the group of this worker.
        port: TCP port of the web views.
        instance_id: Makes it a static member of the group (KIP-345); None: it is none.
    """
    return BatchApp(
        settings.group,
        kafka,
        broker_client_id=f"{settings.group}-{settings.worker_id}",
        consumer_group_instance_id=instance_id,
        table_standby_replicas=settings.standby_replicas,
        broker_max_poll_records=settings.batch_records,
        consumer_max_fetch_size=settings.batch_bytes,
        canonical_url=url,
        web_host=settings.web_host,
        web_port=port,
        web_bind=settings.web_host,
        # Faust's own pages serve tables to anyone: ours are in streams.web.
        web_tables_enabled=False,
        web_router_enabled=False,
        web_graph_enabled=False,
        web_stats_enabled=False,
        web_metrics_enabled=False,
    )
