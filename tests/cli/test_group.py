"""A worker that answers lives, whatever it says: a proxy before it may refuse us."""

from __future__ import annotations

import pytest

from streams import group
from tests.cli.answering import answering


@pytest.mark.parametrize("status", [200, 401, 503])
def test_who_answers_lives(status: int) -> None:
    with answering(status, b"") as url:
        assert group._lives(url)
    assert not group._lives(url)
