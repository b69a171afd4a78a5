"""Requests between workers: signed, short-lived and good for one time (decision 0014).

The header says who asks, which worker asks which, what, and when. No token and no cookie goes from
one worker to another: the receiver looks the person up in its own access file.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.access.roles import Person

HEADER: Final = "X-Gradewatch-Hop"
"""The header of a request that one worker makes of another."""

LIFE_SECONDS: Final = 30
"""How far the clocks of two workers, and the way between them, may be apart."""

REMEMBERED: Final = 100_000
"""Requests remembered so that none counts twice; more within `LIFE_SECONDS` are refused."""


class What(Struct, frozen=True, array_like=True):
    """What is asked for.

    Attributes:
        method: GET or POST.
        path: Decoded, without a query.
        query: Name and value of each parameter, sorted.
        body: SHA-256 of the body, hex.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: str


class Hop(Struct, frozen=True, array_like=True):
    """One request of one worker.

    Attributes:
        sender: ``GRADEWATCH_WORKER_ID`` of the worker that asks.
        receiver: URL of the worker that is asked, as in the group.
        person: On whose behalf: the name.
        role: Their role, as the sender knows it.
        at: Seconds since 1970.
        nonce: Another one for each request.
        what: What is asked for.
    """

    sender: str
    receiver: str
    person: str
    role: str
    at: int
    nonce: str
    what: What


class BadHopError(Exception):
    """No worker of this group signed this request, or not for now and here."""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Hop)


def what(method: str, path: str, query: Iterable[tuple[str, str]], body: bytes) -> What:
    """Return what a request asks for, as it is signed."""
    return What(method, path, tuple(sorted(query)), sha256(body).hexdigest())


class Hops:
    """Signs the requests of one worker, and checks those that it gets."""

    def __init__(self, key: bytes, worker: str, url: str) -> None:
        """Start with no request seen.

        Args:
            key: Derived for `Use.PEERS`.
            worker: Our ``GRADEWATCH_WORKER_ID``.
            url: Ours, as in the group.
        """
        self._key, self._worker, self._url = key, worker, url
        self._seen: OrderedDict[str, int] = OrderedDict()  # nonce → when it may be forgotten

    def signed(self, person: Person, receiver: str, asked: What, now: float | None = None) -> str:
        """Return the value of `HEADER`.

        Args:
            person: On whose behalf.
            receiver: URL of the worker that is asked, as in the group.
            asked: What for.
            now: Seconds since 1970; None: the time it is.
        """
        at = int(time.time() if now is None else now)
        nonce, role = secrets.token_hex(16), person.role.value
        told = _encoder.encode(Hop(self._worker, receiver, person.name, role, at, nonce, asked))
        return f"{urlsafe_b64encode(told).decode()}.{self._mac(told)}"

    def opened(self, value: str, asked: What, now: float | None = None) -> Hop:
        """Return what a header says; the same header counts once.

        Args:
            value: Of `HEADER`.
            asked: What the request that brought it asks for.
            now: Seconds since 1970; None: the time it is.

        Raises:
            BadHopError: It is not signed with our key, not for us, not for this request, too old,
                or was there before.
        """
        at = int(time.time() if now is None else now)
        body, _, mac = value.encode("utf-8", "replace").partition(b".")
        try:
            told = urlsafe_b64decode(body)
        except ValueError:
            raise BadHopError from None
        if not hmac.compare_digest(mac, self._mac(told).encode()):
            raise BadHopError
        hop = _decoder.decode(told)
        if (hop.receiver, hop.what) != (self._url, asked) or abs(at - hop.at) > LIFE_SECONDS:
            raise BadHopError
        self._require_new(hop, at)
        return hop

    def _require_new(self, hop: Hop, now: int) -> None:
        while self._seen and next(iter(self._seen.values())) < now:
            self._seen.popitem(last=False)
        if hop.nonce in self._seen or len(self._seen) >= REMEMBERED:
            raise BadHopError
        # Later than that it is too old, even where the sender's clock is ahead.
        self._seen[hop.nonce] = now + 2 * LIFE_SECONDS

    def _mac(self, told: bytes) -> str:
        return hmac.digest(self._key, told, "sha256").hex()
