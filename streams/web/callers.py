"""Where a request comes from, and how much may come from there.

Each known person has a bucket. Callers who are not known share one per address, and failed sign-ins
have another: whoever guesses tokens keeps nobody else from signing in (`streams.web.rate`).
"""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from streams.web.problem import Problem
from streams.web.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Collection
    from ipaddress import IPv4Network, IPv6Network

    from aiohttp import web

FORWARDED: Final = "X-Forwarded-For"
"""Where proxies write whom they ask for: each adds the address it was asked from at the end."""

IPV6_SITE: Final = 64
"""Bits of an IPv6 address that one caller cannot choose."""


class Callers:
    """Counts what each caller asks for."""

    def __init__(self, per_second: float, proxies: Collection[IPv4Network | IPv6Network]) -> None:
        """Start with full buckets.

        Args:
            per_second: Requests of one caller, in the long run.
            proxies: Whose `FORWARDED` is believed.
        """
        self._rate, self._proxies = Rate(per_second), proxies

    def count_person(self, name: str) -> None:
        """Count a request of a known person.

        Raises:
            Problem: ``too_many_requests``.
        """
        self._count(f"person {name}")

    def count_unknown(self, request: web.Request) -> None:
        """Count a request of somebody who is not known.

        Raises:
            Problem: ``too_many_requests``.
        """
        self._count(f"unknown {self.address(request)}")

    def count_failed_sign_in(self, request: web.Request) -> None:
        """Count a sign-in that failed; a right token is never kept waiting by others' wrong ones.

        Raises:
            Problem: ``too_many_requests``.
        """
        self._count(f"sign-in {self.address(request)}")

    def address(self, request: web.Request) -> str:
        """Return the address that a request comes from, of IPv6 the network of one site.

        Behind a trusted proxy: the last of `FORWARDED` that is no trusted proxy itself.
        """
        found = _parsed(request.remote or "")
        hops = [each for told in request.headers.getall(FORWARDED, []) for each in told.split(",")]
        while found is not None and hops and self._is_proxy(found):
            before = _parsed(hops.pop())
            if before is None:
                break  # what no proxy of ours wrote is not believed
            found = before
        if isinstance(found, IPv6Address):
            return str(ip_network((found, IPV6_SITE), strict=False))
        return str(found)

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)

    def _count(self, bucket: str) -> None:
        wait = self._rate.take(bucket, time.monotonic())
        if wait:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_requests",
                "slower, please: GRADEWATCH_WEB_RATE says how much one may ask",
                {"Retry-After": str(math.ceil(wait))},
            )


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, one of IPv4 that is written as IPv6 as IPv4; None: it is none."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
