"""The second opinion: what must come out, recomputed from the raw bytes.

Written from the design and docs/wire-format.md, with the standard library alone: it imports nothing
of ``streams``, so a mistake there is not repeated here. It is slow and plain on purpose; the tests
of the core and those on a real Kafka compare what they saw with what it says.
"""

from tests.oracle.folding import SHIPPED_RULES, Result, fold
from tests.oracle.reading import Refused, canonical

__all__ = ["SHIPPED_RULES", "Refused", "Result", "canonical", "fold"]
