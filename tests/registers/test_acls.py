"""docs/own-kafka.md lists exactly the ACLs that the code derives, and its settings exist."""

from __future__ import annotations

import re
from pathlib import Path

from streams.core.acls import Resource, Role, required
from streams.core.topic_file import load
from streams.kafka_settings import environment_name
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-kafka.md").read_text()


def table() -> str:
    """Return the table of docs/own-kafka.md as the code has it."""
    topics = load((ROOT / "topics.yaml").read_text(), "topics.yaml", "one-broker")
    lines = ["| role | operation | on | without it |", "|---|---|---|---|"]
    for role in Role:
        for acl in required(topics, "gradewatch", role):
            kind = acl.resource.replace("_", " ")
            name = f" `{acl.name}`" if acl.resource is not Resource.CLUSTER else ""
            pattern = ", prefixed" if acl.prefixed else ""
            lines.append(f"| {role} | {acl.operation} | {kind}{name}{pattern} | {acl.why} |")
    return "\n".join(lines)


def test_every_acl_is_documented_with_what_stops_without_it() -> None:
    assert table() in PAGE, f"put this into docs/own-kafka.md:\n{table()}"


def test_every_role_is_described() -> None:
    assert [role for role in Role if f"- **{role}**: " not in PAGE] == []


def test_every_setting_of_the_examples_exists() -> None:
    known = {environment_name(name) for name in Settings.model_fields}
    named = set(re.findall(r"(?:GRADEWATCH|KAFKA)_[A-Z0-9_]+", PAGE))

    assert named - known == set()
    assert {name for name in known if "KAFKA" in name} - {"GRADEWATCH_KAFKA_IMAGE"} <= named
