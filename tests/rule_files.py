"""Rule files as people may write them: every kind, every key, in every form that is valid."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

Fields = dict[str, Any]

KINDS: Final = (
    "score_drop", "score_slide", "score_below", "score_vanished", "override_raised",
    "override_lowered", "override_removed", "override_gap", "assignment_drop", "feed_silent",
)  # fmt: skip
_GRADED: Final = {"override_raised", "override_lowered", "override_removed", "assignment_drop"}

durations = st.builds(
    lambda number, unit: f"{number}{unit}", st.integers(0, 400), st.sampled_from("smhd")
)
_sizes = st.one_of(st.integers(1, 100), st.decimals("0.01", 100, places=2).map(float))
_texts = st.sampled_from(
    ["{rule}: {before} to {after}.", "Fell by {change}.", "It {{fell}}.", "Voilà {size}", "Look."]
)


def _ids(*more: str) -> st.SearchStrategy[Fields]:
    number = st.integers(1, 10**13 - 1)
    one = st.one_of(number, number.map(str), *(st.just(each) for each in more))
    return st.builds(
        lambda way, ids: {way: ids},
        st.sampled_from(["in", "out"]),
        st.lists(one, min_size=1, max_size=3),
    )


def _some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Fields]:
    return st.fixed_dictionaries({}, optional=keys)


@st.composite
def _severities(draw: st.DrawFn, least: float, most: float) -> str | Fields:
    """Return a severity, or severities by size, each of which can be reached."""
    loud = ["info", "warning", "critical"]
    default = draw(st.integers(0, 2))
    above = loud[default + 1 :]
    steps = draw(st.lists(st.sampled_from(above), unique=True)) if above and least < most else []
    sizes = st.decimals(str(least), str(most), places=3).filter(
        lambda size: size > Decimal(str(least))
    )
    drawn = draw(st.lists(sizes, min_size=len(steps), max_size=len(steps), unique=True))
    if not steps:
        return loud[default]
    by_size = zip(sorted(steps, key=loud.index), sorted(drawn), strict=True)
    return {"default": loud[default]} | {word: float(size) for word, size in by_size}


@st.composite
def _feed_rules(draw: st.DrawFn, number: int) -> Fields:
    """Return a rule about feeds."""
    silence = st.one_of(
        st.integers(1, 400).map(lambda days: f"{days}d"),
        st.integers(600, 9999).map(lambda seconds: f"{seconds} s"),
    )
    words = st.sampled_from(["{tenant}: {silence} since {since}.", "{rule} {kind} {severity}"])
    rule: Fields = {
        "id": f"rule-{number}", "kind": "feed_silent", "silence": draw(silence),
        "severity": draw(st.sampled_from(["info", "warning", "critical"])),
    }  # fmt: skip
    match = _some(tenants=_ids("east-school"))
    return rule | draw(_some(match=match, text=_some(summary=words, next=words).filter(bool)))


@st.composite
def rules(draw: st.DrawFn, kind: str, number: int = 0) -> Fields:
    """Return a rule of a kind."""
    if kind == "feed_silent":
        return draw(_feed_rules(number))
    rule: Fields = {"id": f"rule-{number}", "kind": kind}
    least, most = 0.0, 1000.0
    if kind in {"score_drop", "score_slide"}:
        unit = draw(st.sampled_from(["points", "percent"]))
        rule[unit] = least = draw(_sizes)
        most = 100.0 if unit == "percent" else most
    elif kind == "score_below":
        rule["floor"] = most = draw(_sizes)
    elif kind != "score_vanished":
        rule["points"] = least = draw(_sizes)
    if kind == "score_slide":
        rule["from"] = draw(st.sampled_from(["peak", "median", "first"]))
        rule["window"] = f"{draw(st.integers(1, 400))}d"
    severity = draw(_severities(float(least), float(most)))
    simple = isinstance(severity, dict) and kind == "score_vanished"
    rule["severity"] = "info" if simple else severity
    if kind.startswith("score"):
        rule |= draw(
            _some(view=st.sampled_from(["posted", "unposted"]), min_history=st.integers(0, 1000))
        )
    else:
        rule |= draw(_some(posted=st.booleans()))
    if kind == "score_below":
        rule |= draw(_some(from_null=st.booleans()))
    if kind == "override_gap":
        rule |= draw(
            _some(
                against=st.sampled_from(["final_score", "current_score"]),
                direction=st.sampled_from(["either", "above", "below"]),
            )
        )
    graders = {"graders": _ids("automatic")} if kind in _GRADED else {}
    match = _some(tenants=_ids("east-school"), accounts=_ids(), courses=_ids(), **graders)
    days = st.dates(date(2020, 1, 1), date(2100, 1, 1)).map(str)
    clear = _some(recovery=st.one_of(st.just(0), _sizes), keep_firing_for=durations)
    living = {
        "match": match,
        "for": durations,
        "clear": clear,
        "cooldown": durations,
        "expire": st.one_of(durations.filter(lambda each: int(each[:-1]) > 0), days),
        "text": _some(summary=_texts, next=_texts).filter(bool),
    }
    return rule | draw(_some(**living))


@st.composite
def rule_files(draw: st.DrawFn, *, max_rules: int = 4) -> Fields:
    """Return a file's data: rules of any kinds, with a grace or without."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=max_rules))
    listed = [draw(rules(kind, number)) for number, kind in enumerate(kinds)]
    return draw(_some(grace=durations)) | {"rules": listed}
