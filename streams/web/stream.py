"""New alerts as server-sent events: every change of an alert that whoever listens may see.

An event's id says how far every partition of ``grade-alerts-state`` was told of: who comes back
with it, to whichever worker, is told what changed meanwhile. A step may come twice, none is missed;
of an alert that changed twice while nobody listened, the last step comes.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64encode
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from aiohttp import web
from cryptography.fernet import Fernet, InvalidToken

from streams.access.roles import ANYBODY_HERE
from streams.core.keys import Use, derive
from streams.lists import held as records
from streams.lists.news import EACH, FullError
from streams.lists.query import filters
from streams.web.alerts import parsed
from streams.web.problem import Problem, bad_parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.access.roles import Person
    from streams.lists.held import Held
    from streams.lists.news import Listener
    from streams.web.asked import Asked
    from streams.web.scores import Scores
    from streams.worker import Worker

HEARTBEATS: Final = 15
"""After how many looks something is sent, so that nobody on the way thinks the connection dead."""

LOOK_SECONDS: Final = 1.0
"""How often it is looked whether there is still somebody, and whether they still may."""

RETRY_MS: Final = 3_000
"""After how long a browser comes back."""

_NOT_FILTERS: Final = ("sort", "limit", "cursor", "work")


HEADERS: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


_POSITION: Final = struct.Struct(">iq")
"""A partition, and the offset that was told of last."""


class _To(NamedTuple):
    """Who listens, and what an alert must pass."""

    response: web.StreamResponse
    passing: list[Callable[[Held], bool]]


class Stream:
    """What this worker's lists learn, as it comes."""

    def __init__(
        self, worker: Worker, scores: Scores, still: Callable[[Asked], Person | None]
    ) -> None:
        """Remember whose.

        Args:
            worker: Whose lists.
            scores: Says whether they are read.
            still: Who asks, as of now; None: they may no longer.
        """
        self._worker, self._scores, self._still = worker, scores, still
        self._ids = _Ids(worker.settings.read_id_key())

    async def listen(self, asked: Asked) -> web.StreamResponse:
        """Answers until whoever listens goes, is too slow, or may no longer."""
        self._scores.require_lists()
        told = asked.query()
        for name in _NOT_FILTERS:
            if name in told:
                raise bad_parameter(name, "a stream has no order and no pages")
        passing = filters(parsed(told, frozenset(), asked.person))
        since = self._ids.positions(asked.request.headers.get("Last-Event-ID", ""))
        try:
            with self._worker.follower.news.listening(self._name(asked)) as listener:
                response = web.StreamResponse(headers=HEADERS)
                await response.prepare(asked.request)
                with suppress(ConnectionError):  # gone
                    to = _To(response, passing)
                    positions = await self._catch_up(asked, to, since)
                    await self._follow(asked, to, listener, positions)
                return response
        except FullError as full:
            if full.of_person:
                raise Problem(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "too_many_streams",
                    f"{EACH} streams of yours are open: close one, or ask for the list instead",
                    {"Retry-After": "30"},
                ) from None
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_many_listeners",
                "as many listen to this worker as may; ask for the list instead",
                {"Retry-After": "30"},
            ) from None

    def _name(self, asked: Asked) -> str:
        """Return whose streams are counted together: where nobody signs in, those of an address."""
        local = asked.person is ANYBODY_HERE
        return f"at {asked.request.remote}" if local else asked.person.name

    async def _catch_up(
        self, asked: Asked, to: _To, since: dict[int, int] | None
    ) -> dict[int, int]:
        alerts, positions = self._worker.alerts, dict(self._worker.alerts.positions)
        missed = [] if since is None else list(alerts.after(since))
        for held in missed:
            await self._tell(to, held, asked.person)
        await to.response.write(f"retry: {RETRY_MS}\n".encode() + self._ids.line(positions))
        return positions

    async def _follow(
        self, asked: Asked, to: _To, listener: Listener, positions: dict[int, int]
    ) -> None:
        quiet = 0
        while not listener.dropped:
            news = await listener.next(LOOK_SECONDS)
            person, transport = self._still(asked), asked.request.transport
            if person is None or transport is None or self._worker.app.should_stop:
                return
            if news is None:
                quiet += 1
                if quiet % HEARTBEATS == 0:
                    await to.response.write(b": still here\n\n")
                continue
            positions[news.partition] = max(news.offset, positions.get(news.partition, -1))
            if await self._tell(to, news, person):
                await to.response.write(self._ids.line(positions))

    async def _tell(self, to: _To, held: Held, person: Person) -> bool:
        alerts = self._worker.alerts
        if not all(passes(held) for passes in to.passing):
            return False
        if alerts.one(held.listed.alert_id, person) is None:
            return False
        told = msgspec.json.encode(alerts.shown(records.item(held), held, person))
        await to.response.write(b"event: alert\ndata: " + told + b"\n\n")
        return True


class _Ids:
    """Positions as ids of events: encrypted, for how many alerts others have is nobody's to know.

    Every worker reads every worker's ids. Positions have one width, so an id's length tells the
    number of partitions alone.
    """

    def __init__(self, id_key: bytes) -> None:
        self._cipher = Fernet(urlsafe_b64encode(derive(id_key, Use.STREAM_IDS)))

    def line(self, positions: dict[int, int]) -> bytes:
        """Return the line that ends an event."""
        packed = b"".join(_POSITION.pack(*each) for each in sorted(positions.items()))
        return b"id: " + self._cipher.encrypt(packed) + b"\n\n"

    def positions(self, event_id: str) -> dict[int, int] | None:
        """Return how far somebody was told; None: they do not say.

        Raises:
            Problem: ``bad_parameter``: it is no id of ours.
        """
        if not event_id:
            return None
        try:
            packed = self._cipher.decrypt(event_id.encode("utf-8", "replace"))
        except InvalidToken:
            raise bad_parameter("Last-Event-ID", "the id of an event of this stream") from None
        return dict(_POSITION.iter_unpack(packed))
