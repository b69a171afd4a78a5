"""JSON answers, with an ETag for whoever asks again and again."""

from __future__ import annotations

from hashlib import blake2b
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from streams.web.problem import Answer, Problem


def json(
    content: Answer, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> web.Response:
    """Return an answer as a response.

    Args:
        content: The JSON object.
        status: The HTTP status.
        headers: That go with it.
    """
    return web.Response(
        body=msgspec.json.encode(content) + b"\n",
        status=status,
        content_type="application/json",
        headers=headers,
    )


def problem(told: Problem) -> web.Response:
    """Return why there is no data, as a response."""
    content = {"error": {"code": told.code, "message": told.message}}
    return json(content, told.status, told.headers)


def tagged(request: web.Request, content: Answer) -> web.Response:
    """Return an answer with its ETag, or without a body where the caller has just that.

    Args:
        request: Its ``If-None-Match`` says what the caller has.
        content: The JSON object.
    """
    response = json(content)
    body = response.body
    tag = blake2b(body if isinstance(body, bytes) else b"", digest_size=12).hexdigest()
    known = {each.value for each in request.if_none_match or ()}
    if tag in known:
        response = web.Response(status=HTTPStatus.NOT_MODIFIED)
    response.etag = tag
    return response
