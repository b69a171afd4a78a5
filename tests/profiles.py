"""How many examples property tests take: fewer for a first look, many in the long tier."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", max_examples=20)  # make test-unit: a first look
settings.register_profile("crash", max_examples=10_000)  # make test-crash


def examples(count: int) -> int:
    """Return how many examples of ``count`` the profile takes: all by default, where it is 100."""
    return max(1, count * settings().max_examples // 100)
