"""Control records: what they do not say is left out, and nobody stumbles over what they may say."""

from __future__ import annotations

from msgspec import Raw

from streams.core.events import Control, decode, encode


def test_a_rules_record_holds_the_set_inline_and_nothing_of_a_watermark() -> None:
    record = Control(kind="rules", at="2026-02-03T10:15:30.000Z", rules=Raw(b'{"rules":[]}'))

    assert encode(record) == (
        b'{"type":"control","kind":"rules","at":"2026-02-03T10:15:30.000Z","rules":{"rules":[]}}'
    )
    assert decode(encode(record)) == record


def test_a_watermark_of_partition_0_comes_back_whole() -> None:
    record = Control(kind="watermark", at="2026-02-03T10:15:30.000Z", topic="raw", partitions=4)

    again = decode(encode(record))

    assert isinstance(again, Control)
    assert b"rules" not in encode(again)
    assert (again.topic, again.partition, again.partitions) == ("raw", 0, 4)


def test_a_kind_of_a_later_version_is_a_control_record() -> None:
    later = decode(b'{"type":"control","kind":"erase","student":"44fJ:48"}')

    assert later == Control(kind="erase")
