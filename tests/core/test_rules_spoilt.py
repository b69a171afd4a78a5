"""Rules spoilt at any place, by anything: always a message with a place, in the file's words."""

from __future__ import annotations

import re
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.rule_lint import inspect
from streams.errors import ConfigurationError
from tests.core.test_rules_canonical import written
from tests.profiles import examples
from tests.rule_files import KINDS, Fields, rule_files

LIBRARY: Final = (
    r"discriminator|\btag\b|enum|\bInput\b|valid (tuple|dict|str)|pydantic|Decimal|model"
)
JUNK: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2000, 2000),
    st.floats(-2000, 2000),
    st.text(alphabet="abz019-_ .%{}é", max_size=12),
    st.sampled_from([*KINDS, "info", "default", "points", "1e-999999999", "12h", [], {}, [[]]]),
    st.dictionaries(st.sampled_from(["in", "out", "kind", "default", "x"]), st.integers()),
)
KEYS: Final = st.sampled_from(["id", "kind", "knd", "points", "window", "graders", "for_", "x", ""])


def places(data: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:  # noqa: ANN401
    """Return every place in plain data, the whole left out."""
    found = []
    parts = enumerate(data) if isinstance(data, list) else ()
    for key, value in data.items() if isinstance(data, dict) else parts:
        found += [(*place, key), *places(value, (*place, key))]
    return found


@st.composite
def spoilt(draw: st.DrawFn) -> Fields:
    """Return a file's data, wrong at one to three places, or not."""
    file = draw(rule_files(max_rules=3).filter(lambda each: bool(each["rules"])))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(file)))
        part: Any = file
        for step in way:
            part = part[step]
        how = draw(st.sampled_from(["value", "value", "gone", "key"]))
        if how == "value":
            part[last] = draw(JUNK)
        elif how == "gone":
            del part[last]
        elif isinstance(part, dict):
            part[draw(KEYS)] = draw(JUNK)
        if not places(file):
            break
    return file


@settings(deadline=None, max_examples=examples(300))
@given(spoilt())
def test_what_is_spoilt_is_told_with_a_place_or_is_valid(file: Fields) -> None:
    text, valid = written(file), True
    try:
        _, said = inspect(text, "f")
    except ConfigurationError as error:
        said, valid = str(error).splitlines(), False
        assert said
    lines = text.splitlines()
    for each in said:
        place = re.match(r"f:(\d+):(\d+): \S", each)
        assert place, each
        assert int(place[1]) <= len(lines) + 1
        assert int(place[2]) <= max(map(len, lines)) + 1
        # Where it is in a list is a line, no number; what is odd of a valid file begins with an id.
        assert valid or not re.match(r"f:\d+:\d+: \d+: ", each), each
        assert not re.search(LIBRARY, each), each
