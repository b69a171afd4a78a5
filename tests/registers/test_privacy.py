"""docs/privacy.md says of every topic how long it holds what, as topics.yaml has it."""

from __future__ import annotations

import re

from ruamel.yaml import YAML

from streams.privacy.dossier import AUDIT, COMPACTED, KEYED
from streams.privacy.records import CHANGELOG
from tests.on_dicts import ROOT

PAGE = (ROOT / "docs" / "privacy.md").read_text()
TOPICS = {topic["name"]: topic for topic in YAML(typ="safe").load(ROOT / "topics.yaml")["topics"]}


def rows() -> dict[str, list[str]]:
    """Return the table's cells by topic."""
    found = {}
    for line in PAGE.splitlines():
        if match := re.match(r"\| `([\w-]+)` \| (.*) \|$", line):
            found[match[1]] = match[2].split(" | ")
    return found


def test_every_topic_is_there() -> None:
    assert list(rows()) == list(TOPICS)


def test_how_long_is_as_topics_yaml_says() -> None:
    for name, (_, kept, after) in rows().items():
        config = TOPICS[name].get("config", {})
        if TOPICS[name].get("external"):
            continue
        retention = config.get("retention.ms")
        assert (f"`retention.ms` {retention}" in kept) == ("delete" in config["cleanup.policy"]), (
            name
        )
        assert ("gone" in after) == (name in {*COMPACTED, CHANGELOG}), name
        if "gone" in after:
            assert f"`max.compaction.lag.ms` {config['max.compaction.lag.ms']}" in after, name


def test_what_is_handed_out_is_every_topic_that_names_students() -> None:
    """A topic whose key or model tells of a student is read by export; nothing else is."""
    told = {
        name
        for name, topic in TOPICS.items()
        if "student" in str(topic.get("key", "")) or name in COMPACTED
    }

    assert {*KEYED, *COMPACTED, CHANGELOG} == told
    assert AUDIT in TOPICS
