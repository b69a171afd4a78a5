"""How a member of the consumer group shows that it has the id key: a proof beside its URL.

Who has READ on the group may join it under any URL. Workers ask only URLs with a right proof
(decision 0014). The proof is the URL's fragment, so it never goes over HTTP.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

V = TypeVar("V")


def with_proof(url: str, key: bytes) -> str:
    """Return the URL under which a worker joins the group.

    Args:
        url: Where other workers reach it, without a fragment.
        key: Derived for `Use.PEERS`.

    Example:
        >>> with_proof("http://10.0.0.5:6066", b"sixteen bytes or more")
        'http://10.0.0.5:6066#97829e8aa6db9cb5fbccab80552c0072'
    """
    return f"{plain(url)}#{_proof(plain(url), key)}"


def proven(told: str, key: bytes) -> str | None:
    """Return the URL of a member that proves the key; None: it does not.

    Args:
        told: What the group says: a URL, with or without a fragment.
        key: Derived for `Use.PEERS`.
    """
    url, proof = plain(told), told.partition("#")[2]
    good = hmac.compare_digest(proof.encode("utf-8", "replace"), _proof(url, key).encode())
    return url if good else None


def proven_among(members: Mapping[str, V], key: bytes) -> dict[str, V]:
    """Return the members that prove the key, by their URLs.

    Args:
        members: What the group says: URL, with or without a fragment → anything.
        key: Derived for `Use.PEERS`.
    """
    return {url: has for told, has in members.items() if (url := proven(told, key)) is not None}


def plain(told: str) -> str:
    """Return a URL without fragment and trailing slash."""
    return told.partition("#")[0].rstrip("/")


def _proof(url: str, key: bytes) -> str:
    return blake2b(f"member {url}".encode(), key=key, digest_size=16).hexdigest()
