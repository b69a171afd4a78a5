"""Sets of living rules of every kind, with small numbers."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

Fields = dict[str, Any]

FALLS: Final = ("score_drop", "score_slide", "score_below")

durations = st.sampled_from(["3h", "6h", "12h", "1d"])
sizes = st.sampled_from(["5", "9.9", "10", "15", "20"])
severities = st.one_of(
    st.sampled_from(["info", "warning", "critical"]),
    st.just({"default": "info", "warning": "15", "critical": "20"}),
)


def _kind(kind: str, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Fields]:
    return st.fixed_dictionaries({"kind": st.just(kind), **keys})


views = st.sampled_from(["posted", "posted", "unposted"])
switches = st.booleans()
falls = st.one_of(
    st.fixed_dictionaries({"points": sizes}), st.fixed_dictionaries({"percent": sizes})
)
clears = st.fixed_dictionaries(
    {},
    optional={
        "recovery": st.sampled_from(["2", "5", "9.9"]),
        "keep_firing_for": st.sampled_from(["3h", "6h", "12h"]),
    },
)
matches = st.builds(
    lambda what, how: {what[0]: {how: [what[1]]}},
    st.sampled_from([("courses", "565"), ("accounts", "79"), ("tenants", "other")]),
    st.sampled_from(["out", "in"]),
)
kinds = st.one_of(
    st.builds(dict.__or__, _kind("score_drop", view=views), falls),
    st.builds(
        dict.__or__,
        st.fixed_dictionaries(
            {
                "kind": st.just("score_slide"),
                "view": views,
                "from": st.sampled_from(["peak", "median", "first"]),
                "window": st.sampled_from(["1d", "2d"]),
            }
        ),
        falls,
    ),
    _kind(
        "score_below", view=views, floor=st.sampled_from(["60", "65", "70", "75"]),
        from_null=switches,
    ),
    _kind("score_vanished", view=views),
    st.builds(
        lambda kind, rest: {"kind": kind} | rest,
        st.sampled_from(["override_raised", "override_lowered", "override_removed"]),
        st.fixed_dictionaries({"points": sizes, "posted": switches}),
    ),
    _kind(
        "override_gap", points=sizes, posted=switches,
        against=st.sampled_from(["final_score", "current_score"]),
        direction=st.sampled_from(["either", "above", "below"]),
    ),
    _kind("assignment_drop", points=sizes, posted=switches),
)  # fmt: skip
habits = {
    "for": durations,
    "clear": clears,
    "cooldown": durations,
    "expire": st.sampled_from(["6h", "1d", "2026-02-03", "2026-02-04"]),
    "min_history": st.sampled_from([1, 2]),
    "match": matches,
}


@st.composite
def lives(draw: st.DrawFn) -> Fields:
    """Return how loud a rule is, and up to three of the keys that say how its alerts live."""
    often = ["clear", "clear", "clear", "for", "cooldown"]
    chosen = draw(st.lists(st.sampled_from([*often, *habits]), max_size=3))
    return {"severity": draw(severities)} | {
        key: draw(habits[key]) for key in dict.fromkeys(chosen)
    }


@st.composite
def rule_sets(draw: st.DrawFn, *, max_rules: int = 6, single_shots: bool = False) -> Fields:
    """Return a set of living rules, of any kinds; also of others if ``single_shots``.

    Often a rule on falls has a twin for the other view: what one tells, the other links.
    """
    stated = draw(st.lists(st.builds(dict.__or__, kinds, lives()), min_size=3, max_size=max_rules))
    falls = [rule for rule in stated if rule["kind"] in FALLS]
    if falls and draw(st.sampled_from([True, True, False])):
        twin = draw(st.sampled_from(falls))
        other = "posted" if twin["view"] == "unposted" else "unposted"
        stated.insert(draw(st.integers(0, len(stated))), twin | {"view": other})
    rules = [_valid(rule, single_shots=single_shots) for rule in stated]
    rules = [{"id": f"rule-{number}"} | rule for number, rule in enumerate(rules)]
    return {"grace": draw(st.sampled_from(["0s", "10m", "3h", "12h"])), "rules": rules}


def _valid(rule: Fields, *, single_shots: bool) -> Fields:
    """Return a rule without what its kind cannot have, and with what makes it live."""
    kept = dict(rule)
    if "score" not in kept["kind"]:
        kept.pop("min_history", None)
    if kept["kind"] == "score_vanished":  # it has no size
        kept["severity"] = "info"
        clear = kept.pop("clear", {})
        if "keep_firing_for" in clear:
            kept["clear"] = {"keep_firing_for": clear["keep_firing_for"]}
    if not single_shots and not {"for", "clear", "cooldown", "expire", "min_history"} & kept.keys():
        kept["clear"] = {}
    return kept
