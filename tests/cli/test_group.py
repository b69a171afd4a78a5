"""A worker that answers lives, whatever it says: a proxy before it may refuse us."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from streams import group

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(status: int) -> Iterator[str]:
    """Give the URL of a server that has one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 401, 503])
def test_who_answers_lives(status: int) -> None:
    with answering(status) as url:
        assert group._lives(url)
    assert not group._lives(url)
