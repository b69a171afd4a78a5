"""The network between workers and Kafka fails and heals: nothing is lost, nothing is doubled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.kafka.conftest import started
from tests.kafka.crash.load import Load, await_progress
from tests.kafka.proxy import Network, ProxiedKafka
from tests.kafka.running import Flow, assert_all_is_as_recomputed, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

FAULT_SECONDS = 14
"""Longer than a session, and than a transaction."""


@pytest.fixture
def proxied_kafka(tmp_path: Path, jar_dir: Path) -> Iterator[ProxiedKafka]:
    with started(ProxiedKafka(tmp_path / "own-kafka", jar_dir)) as own:
        yield own


@pytest.mark.parametrize("network", [Network.CUT, Network.SILENT, Network.ONE_WAY, Network.SLOW])
def test_a_network_that_fails_for_longer_than_a_session_twice(
    proxied_kafka: ProxiedKafka, namespace: str, tmp_path: Path, network: Network
) -> None:
    flow = Flow(proxied_kafka.bootstrap_servers, namespace, tmp_path)
    proxy = proxied_kafka.proxy
    worker = flow.new_worker("worker", kafka_bootstrap_servers=proxied_kafka.proxied_servers)
    with worker:
        with Load(flow, 50) as load:
            for _ in range(2):
                await_progress(flow)
                proxy.become(network)
                held = proxy.held
                time.sleep(FAULT_SECONDS)
                load.require_under_way()
                assert network is Network.CUT or proxy.held > held, "invalid: nothing was held up"
                if network is not Network.SLOW:
                    until(lambda: '"ready":false' in worker_said(worker.url))
                proxy.become(Network.WHOLE)
        worker.require_alive()
        until(lambda: '"ready":true' in worker_said(worker.url))

    assert_all_is_as_recomputed(flow)


def worker_said(url: str) -> str:
    """Return what /readyz says, whatever its status."""
    from urllib.error import HTTPError  # noqa: PLC0415 - only here
    from urllib.request import urlopen  # noqa: PLC0415

    try:
        with urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - ours
            return str(answer.read().decode())
    except HTTPError as error:
        return error.read().decode()
