"""Each use has a key of its own: what one tells, or loses, is nothing to the others."""

from __future__ import annotations

from itertools import combinations

from streams.access.entries import subject
from streams.core.alerts import Place, Writer
from streams.core.erasure import mark
from streams.core.keys import KEY_BYTES, Use, derive

ID_KEY = b"sixteen bytes or more"


def test_every_use_has_another_key_and_none_is_the_id_key() -> None:
    keys = [ID_KEY, *(derive(ID_KEY, use) for use in Use)]

    assert all(one != other for one, other in combinations(keys, 2))
    assert {len(key) for key in keys[1:]} == {KEY_BYTES}


def test_another_id_key_gives_other_keys() -> None:
    other = b"sixteen bytes or more!"

    assert not {derive(ID_KEY, use) for use in Use} & {derive(other, use) for use in Use}


def test_what_was_derived_once_is_derived_for_ever() -> None:
    """Alert ids, sessions and audit entries hang on it: a change here is a change on the wire."""
    assert {use.name: derive(ID_KEY, use).hex()[:8] for use in Use} == {
        "ALERT_IDS": "180df2f6", "AUDIT": "869d4eb4", "MARK": "bcc2fa42", "PEERS": "1f86d6b9",
        "SESSIONS": "eb34931b", "STREAM_IDS": "31c1f031",
    }  # fmt: skip


def test_alert_ids_have_their_own_key_and_marks_of_the_erased_keep_theirs() -> None:
    writer = Writer(ID_KEY, Place("grade-events", "id", 0))

    assert writer.key == derive(ID_KEY, Use.ALERT_IDS)
    assert mark(writer.id_key, b"t:48") == mark(ID_KEY, b"t:48")
    assert subject(derive(ID_KEY, Use.AUDIT), "t", "48") != subject(ID_KEY, "t", "48")
