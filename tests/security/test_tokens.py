"""A token is renewed in time, though somebody sets this machine's clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from streams.security.tokens import FILE_SECONDS, Tokens

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("jump", [-400 * 86_400, 0, 400 * 86_400])
def test_a_token_is_renewed_in_time_whatever_the_clock_says(
    jump: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("first-token")
    file.chmod(0o600)
    tokens = Tokens(f"file://{file}")
    day, passed = time.time(), time.monotonic()
    assert tokens.token().text == "first-token"

    file.write_text("second-token")
    monkeypatch.setattr(time, "time", lambda: day + jump)
    assert tokens.token().text == "first-token"  # fresh still
    monkeypatch.setattr(time, "monotonic", lambda: passed + FILE_SECONDS)
    assert tokens.token().text == "second-token"
