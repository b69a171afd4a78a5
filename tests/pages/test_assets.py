"""Assets are named by their content, and the wheel holds them and the templates."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import streams.pages
from streams import pages


def test_a_name_changes_with_the_content() -> None:
    for name, (kind, content) in pages.assets().items():
        digest = sha256(content).hexdigest()
        assert name.split(".")[1] == digest[:16]
        assert pages.manifest()[name] == digest
        assert kind.partition("/")[0] in {"text", "image"}


def test_the_sheet_and_the_script_fetch_nothing() -> None:
    for name, (_, content) in pages.assets().items():
        text = content.decode()
        assert "@import" not in text, name
        assert "url(" not in text, name
        assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), name
        for banned in ("innerHTML", "eval(", "document.write", "setAttribute", "cssText"):
            assert banned not in text, name


def test_templates_escape_and_allow_nothing_unescaped() -> None:
    folder = Path(streams.pages.__file__).parent / "templates"
    for path in folder.glob("*.html"):
        text = path.read_text()
        assert "|safe" not in text.replace(" ", ""), path
        assert "autoescape" not in text, path
