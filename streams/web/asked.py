"""A request as handlers see it: who asks for what, checked."""

from __future__ import annotations

import json
from asyncio import timeout
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from streams.core.events import TENANT_LENGTH
from streams.web.problem import Problem, bad_parameter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.access.roles import Person

BODY_BYTES: Final = 64 << 10
"""Bytes that a request may bring, at most."""

BODY_SECONDS: Final = 10
"""How long the body of a request may take to come."""

FORM: Final = "application/x-www-form-urlencoded"
"""How browsers send our forms; nothing else is read as one."""

MOST_FIELDS: Final = 20

LONGEST: Final = TENANT_LENGTH
"""Characters of a parameter, at most."""


async def body_of(request: web.Request) -> bytes:
    """Return the body of a request.

    Raises:
        Problem: ``request_timeout``: it did not come in time; ``bad_body``: it is not encoded as
            its headers say.
    """
    try:
        async with timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT,
            "request_timeout",
            f"the body did not come within {BODY_SECONDS} s; send it whole",
        ) from None
    except (ClientError, HttpProcessingError, web.RequestPayloadError):
        raise Problem(
            HTTPStatus.BAD_REQUEST, "bad_body", "the body is not encoded as its headers say"
        ) from None


@dataclass
class Asked:
    """One request.

    Attributes:
        request: As it came.
        person: Who asks.
        is_hop: Whether another worker asks for them: only our own rows are answered then.
        besides: Parameters that a page has, and the answer it is made of has not.
        subject: Tenant and id of the one student or course it is about, for the access audit.
    """

    request: web.Request
    person: Person
    is_hop: bool = False
    besides: frozenset[str] = frozenset()
    subject: tuple[str, str] | None = None

    @property
    def path(self) -> Mapping[str, str]:
        """What the path names."""
        return self.request.match_info

    def query(self, known: Collection[str] | None = None) -> dict[str, str]:
        """Return what is asked for, each once; empty values are none.

        Args:
            known: What may be asked for; None: it is looked at elsewhere.

        Raises:
            Problem: ``bad_parameter``: unknown, twice or too long.
        """
        found = dict[str, str]()
        for name, value in self.request.query.items():
            if known is not None and name not in known and name not in self.besides:
                told = ", ".join(sorted(known)) or "none"
                raise bad_parameter("query", f"an unknown parameter; there are {told}")
            if name in found:
                raise bad_parameter("query", "each parameter once")
            if len(value) > LONGEST or not value.isprintable():
                raise bad_parameter("query", f"at most {LONGEST} characters, all printable")
            found[name] = value
        return {name: value for name, value in found.items() if value}

    @property
    def tenant(self) -> str | None:
        """Whose; None: nobody said, and the person may be anybody's."""
        return self.query().get("tenant") or self.person.tenant

    async def body(self) -> dict[str, Any]:
        """Return the JSON object that the request brings.

        Raises:
            Problem: ``bad_body``: it is none.
        """
        try:
            told = json.loads(await body_of(self.request))
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise Problem(HTTPStatus.BAD_REQUEST, "bad_body", "the body is a JSON object")
        return told

    async def form(self) -> dict[str, str]:
        """Return the fields of the form that the request brings.

        Raises:
            Problem: ``bad_body``: not as our forms are sent, or a field twice.
        """
        kind, charset = self.request.content_type, self.request.charset
        text = (await body_of(self.request)).decode("ascii", "replace")
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
            )
        except ValueError:
            pairs = None
        if pairs is None or kind != FORM or (charset or "utf-8").lower() != "utf-8":
            raise Problem(
                HTTPStatus.BAD_REQUEST, "bad_body", f"the body is a form: {FORM}, in UTF-8"
            )
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Problem(HTTPStatus.BAD_REQUEST, "bad_body", "each field of the form once")
        return found
