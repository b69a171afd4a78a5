"""A worker that has rows and alerts without Kafka, its web server running beside the test.

Every number in it says whose it is and what kind of field it stands in: wherever it turns up, it
tells on whoever showed it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

from streams.access.audit import Audit
from streams.access.doors import Door
from streams.core.rows import encode_row
from streams.web.server import mount
from streams.worker import Worker
from tests.access.files import ID_KEY, TOKENS, everybody, written
from tests.on_dicts import Play
from tests.scenarios import a_course_grade_change, a_grade_change, an_override, moment
from tests.tables import a_worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faust.web.drivers.aiohttp import Web

    from streams.access.entries import Entry
    from streams.cluster import Cluster
    from streams.lists.held import Held
    from streams.lists.write import Change
    from streams.settings import Settings

T, OTHER = "t", "u"

PLACES = [(T, "48", "565"), (T, "48", "7"), (T, "49", "565"), (T, "49", "7"), (OTHER, "50", "565")]
"""Tenant, student, course: their number is part of their marks."""

KINDS = {
    "posted": "6{}.11",
    "unposted": "5{}.22",
    "override": "9{}.33",
    "muted": "3{}.44",
    "shown": "2{}.55",
}
"""What a field is to whoever sees it → the value it has at a place."""


class Mark(NamedTuple):
    """A number, and what it tells of."""

    tenant: str
    student: str
    course: str
    kind: str


MARKS = {
    value.format(number): Mark(*place, kind)
    for number, place in enumerate(PLACES)
    for kind, value in KINDS.items()
}
GRADER = "987"


def a_term() -> Iterator[bytes]:
    """Yield what happens: everybody falls, is overridden, and has muted and other grades."""
    for number, (tenant, student, course) in enumerate(PLACES):
        value = {kind: float(told.format(number)) for kind, told in KINDS.items()}
        yield a_grade_change(
            student, course, assignment="3", score=(None, value["muted"]), muted=True,
            tenant=tenant, at=moment(60 * number),
        )  # fmt: skip
        yield a_grade_change(
            student, course, assignment="4", score=(None, value["shown"]), tenant=tenant,
            at=moment(60 * number + 1),
        )  # fmt: skip
        yield a_course_grade_change(
            student, course, current=(88.0, value["posted"]),
            unposted_current=(87.0, value["unposted"]), tenant=tenant,
            at=moment(60 * number + 2),
        )  # fmt: skip
        yield an_override(
            student, course, score=(None, value["override"]), tenant=tenant,
            at=moment(60 * number + 3),
        )  # fmt: skip


class Recording:
    """Keeps what was done about alerts; whether Kafka does is tested on Kafka."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Change, str]] = []

    async def act(self, held: Held, change: Change, by: str) -> None:
        self.done.append((held.listed.alert_id, change, by))


class Here(Worker):
    """A worker that has all partitions, and has read all alerts, without having started."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        super().__init__(settings, cluster)
        self.follower._ahead.clear()
        self.done = Recording()
        self.actions = cast("Any", self.done)

    def not_serving(self) -> list[str]:
        return []

    def holders(self) -> dict[int, str]:
        return dict.fromkeys(range(self.partitions), self.url)


def with_a_term(worker: Worker) -> list[dict[str, Any]]:
    """The worker has the rows and the alerts of `a_term`; they are returned."""
    played = Play().take((value, None, ("raw", 0, at)) for at, value in enumerate(a_term()))
    data = worker.table.data
    data.serving.update(range(worker.partitions))
    for (owner, item), row in played.replay.rows.items():
        data.publish(worker.partition_of(owner), [(owner, item, encode_row(row))])
    told = [*played.alerts, *played.posted]
    for offset, alert in enumerate(told):
        key = alert["fingerprint"].encode()
        worker.alerts.take_alert(key, msgspec.json.encode(alert), 0, offset)
    return told


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str


class Client:
    """Asks one server as anybody."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def ask(
        self, path: str, who: str = "", method: str = "GET", body: str | None = None, **headers: str
    ) -> Answer:
        """Return the answer; ``who`` of `TOKENS`, or a token, or nobody."""
        if who:
            headers["Authorization"] = f"Bearer {TOKENS.get(who, who)}"
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection(self._address, timeout=10)
        try:
            connection.request(method, path, body=body, headers=told)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            if found.get("content-type", "").startswith("text/event-stream"):
                lines = iter(response.readline, b"")
                text = b"".join(iter(lambda: next(lines), b"retry: 3000\n"))
            else:
                text = response.read()
            return Answer(response.status, found, text.decode())
        finally:
            connection.close()


def audited(worker: Worker) -> list[Entry]:
    """Return what was noted and, as there is no Kafka, still waits."""
    [audit] = [each for each in worker.app.besides if isinstance(each, Audit)]
    waiting = audit._waiting
    return [waiting.get_nowait() for _ in range(waiting.qsize())]


@contextmanager
def served(
    tmp_path: Path,
    **told: Any,  # noqa: ANN401 - settings
) -> Iterator[tuple[Here, Client, list[dict[str, Any]]]]:
    """Give a worker, who asks it, and its alerts; everybody of `tests.access.files` has access."""
    told = {
        "access_file": written(tmp_path, everybody()), "id_key": ID_KEY, "web_rate": 100_000,
    } | told  # fmt: skip
    worker = cast("Here", a_worker(Here, **told))
    alerts = with_a_term(worker)
    server = cast("Web", worker.app.web)
    door = Door(worker.settings)
    mount(server.web_app, worker, door)
    loop = worker.loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start_server(), loop).result(20)
        asyncio.run_coroutine_threadsafe(door.start(), loop).result(20)
        yield worker, Client(worker.url), alerts
    finally:
        asyncio.run_coroutine_threadsafe(door.stop(), loop).result(20)
        asyncio.run_coroutine_threadsafe(server.stop_server(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
