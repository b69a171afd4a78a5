"""Every knob is documented, by the words that stand beside it in the code; bad values are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.kafka_settings import environment_name
from streams.settings import Settings, load

ROOT = Path(__file__).parents[2]


def table() -> str:
    """Return the table of docs/settings.md as the code has it."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = getattr(default, "name", default) if name in {"topics", "rules"} else default
        shown = "a published development key" if name == "id_key" else shown
        told = "unset" if shown in (None, "", {}) else f"`{shown}`"
        lines.append(f"| `{environment_name(name)}` | {told} | {field.description} |")
    return "\n".join(lines)


def test_every_setting_is_documented_with_default_and_meaning() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()

    assert table() in page, f"put this into docs/settings.md:\n{table()}"


def test_every_setting_has_a_meaning() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GRADEWATCH_WEB_PORT", "70000", "less than or equal to 65535"),
        ("GRADEWATCH_NAMESPACE", "No Spaces", "lower-case letters, digits and hyphens"),
        ("GRADEWATCH_RAW_TOPIC", "a topic", "Kafka topic name"),
        ("GRADEWATCH_ID_KEY", "short", "16 to 64 bytes"),
        ("GRADEWATCH_TENANTS", "not json", "GRADEWATCH_TENANTS"),
        ("GRADEWATCH_BATCH_RECORDS", "0", "greater than or equal to 1"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError) as told:
        load()

    assert variable in str(told.value)
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("a key of 20 letters.\n", 0o640, ""),
        ("a key of 20 letters.\n", 0o644, "is open to every user"),
        ("short\n", 0o600, "holds 5 bytes, not 16 to 64"),
        ("x" * 65, 0o600, "holds 65 bytes, not 16 to 64"),
    ],
)
def test_the_id_key_may_be_in_a_file(tmp_path: Path, text: str, mode: int, message: str) -> None:
    file = tmp_path / "id-key"
    file.write_text(text)
    file.chmod(mode)
    settings = load(id_key_file=file)
    assert not settings.uses_development_key

    if not message:
        assert settings.read_id_key() == text.strip().encode()
        return
    with pytest.raises(ConfigurationError, match=message) as told:
        settings.read_id_key()
    assert "GRADEWATCH_ID_KEY_FILE" in str(told.value)


def test_the_id_key_never_stands_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_ID_KEY", "hunter2")

    with pytest.raises(ConfigurationError) as told:
        load()

    assert "hunter2" not in str(told.value)
    monkeypatch.delenv("GRADEWATCH_ID_KEY")
    assert "hunter2" not in repr(load(id_key="hunter2hunter2hunter2"))
