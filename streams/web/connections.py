"""Connections before there is a request: how long a head may take, and what malformed HTTP gets.

aiohttp keeps half a request for an hour, and answers malformed ones with its version and the
offending line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from streams.web import json
from streams.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.web_request import BaseRequest

HEAD_SECONDS: Final = 15.0
"""How long the head of a request may take, from the connection or its first byte on."""


KEEP_SECONDS: Final = 75.0
"""How long a connection is kept after an answer; proxies drop idle ones after 60."""


class Runner(web.AppRunner):
    """Runs an application on connections of ours."""

    def __init__(self, app: web.Application, headers: Mapping[str, str]) -> None:
        """Remember what every answer carries.

        Args:
            app: Not started yet.
            headers: Of every answer, those to malformed requests among them.
        """
        super().__init__(app, access_log=None, keepalive_timeout=KEEP_SECONDS)
        self._headers = headers

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            **made._kwargs,  # noqa: SLF001 - aiohttp has no way to say which class connections are
        )
        server.headers = self._headers
        return server


class _Server(web.Server):
    headers: Mapping[str, str]

    def __call__(self) -> RequestHandler:
        connection = _Connection(self, loop=self._loop, **self._kwargs)
        connection.headers = self.headers
        return connection


class _Connection(RequestHandler):
    headers: Mapping[str, str]
    _waiting: asyncio.TimerHandle | None = None
    _counted = 0  # requests whose heads came whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._request_count > self._counted or self._current_request is not None:
            self._counted = self._request_count
            self._wait_no_longer()
        elif self._waiting is None:
            self._wait()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return an answer that repeats nothing; the connection is closed with it."""
        del request, exc, message
        code = "bad_request" if status < 500 else "internal_server_error"
        answer = json.problem(Problem(status, code, "this is no HTTP request that we understand"))
        answer.headers.update(self.headers)
        answer.force_close()
        return answer

    def _wait(self) -> None:
        self._waiting = self._loop.call_later(HEAD_SECONDS, self.force_close)

    def _wait_no_longer(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
