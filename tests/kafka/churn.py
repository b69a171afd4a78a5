"""For tests of workers that come and go: who has which partitions, and whether rows are right."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from streams.errors import GradewatchError
from tests.kafka.running import assert_all_but_verdicts, assert_rows_are_as_recomputed, seen, until

if TYPE_CHECKING:
    from streams.cli.process import WorkerProcess
    from tests.kafka.running import Flow


SERVED_SECONDS = 60
"""How long a group may take to come to rest after a worker left."""


def answer(worker: WorkerProcess, path: str) -> tuple[int, Any]:
    """Return status and JSON of what a worker answers; status 0 where it does not."""
    try:
        with urlopen(worker.url + path, timeout=10) as response:  # noqa: S310 - ours
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)
    except (URLError, TimeoutError, ConnectionError):
        return 0, {}


def partitions_of(worker: WorkerProcess) -> set[int]:
    """Return the partitions that a worker serves, while it says that it is ready."""
    status, told = answer(worker, "/api/v1/status")
    if status != 200 or answer(worker, "/readyz")[0] != 200:
        return set()
    return {
        number
        for each in told["workers"]
        if each["worker"] == worker.worker_id
        for number in each["partitions"]
    }


def await_all_partitions(worker: WorkerProcess, partitions: int = 4) -> None:
    """Return once a worker is ready and serves every partition."""
    until(lambda: partitions_of(worker) == set(range(partitions)), 60)


def assert_every_row_is_served(flow: Flow) -> None:
    """Every row that the log comes to is served, and stands on the changelog; nothing else does.

    A worker that left may be noticed only now: while the group rebalances, 503 is the right answer.
    """
    found = seen(flow)
    assert found.expected.rows, "invalid: no rows"
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        await_all_partitions(flow.worker)
        try:
            assert_rows_are_as_recomputed(flow, found)
        except GradewatchError as error:
            if "HTTP Error 503" not in str(error) or time.monotonic() > deadline:
                raise
        else:
            break
    assert_all_but_verdicts(flow, found)
