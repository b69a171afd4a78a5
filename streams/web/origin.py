"""What stops other sites' pages: the name a request is sent to, and the page that sends it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streams.security import is_loopback
from streams.web.problem import Problem

if TYPE_CHECKING:
    from aiohttp import web


def require_loopback_host(request: web.Request) -> None:
    """Stop a web page that made its own name point to this machine: DNS rebinding.

    Raises:
        Problem: ``misdirected_request``.
    """
    if not is_loopback(_host_name(request.headers.get("Host", ""))):
        raise Problem(
            HTTPStatus.MISDIRECTED_REQUEST, "misdirected_request", "ask for localhost, by that name"
        )


def require_same_origin(request: web.Request) -> None:
    """Stop what another site's page makes a browser send: it would come with the cookie.

    Raises:
        Problem: ``cross_origin``.
    """
    if request.method in {"GET", "HEAD"}:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("Host")
    if not same:
        raise Problem(HTTPStatus.FORBIDDEN, "cross_origin", "send this from a page of this server")


def _host_name(header: str) -> str:
    """Return the name in a Host header, without port and brackets; "" where it holds none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
