"""Keys go where every other Kafka client would send them."""

from __future__ import annotations

import pytest

from streams.engine.routing import partition_of


# From Apache Kafka's own UtilsTest.testMurmur2.
@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_partition_is_the_java_producers(key: bytes, hashed: int) -> None:
    assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12
