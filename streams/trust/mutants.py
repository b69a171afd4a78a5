"""Rules with one thing changed: whoever tests them well notices each.

Every number one step up and down, every optional clause left out, every choice made otherwise,
every rule left out.
"""

from __future__ import annotations

import copy
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.core.rule_parts import Severity
from streams.core.rules import Kind, Rules

if TYPE_CHECKING:
    from collections.abc import Iterator

Plain = dict[str, Any]
Place = tuple[str, ...]

_UNITS: Final = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES: Final = {"points", "percent", "floor", "recovery", *Severity}
_CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "view": ("posted", "unposted"),
    "from": ("peak", "median", "first"),
    "against": ("final_score", "current_score"),
    "direction": ("either", "above", "below"),
    "from_null": (False, True),
    "posted": (False, True),
}
"""What else a key may say, the default included."""

_DEFAULTS: Final = {"view": "posted", "against": "final_score", "direction": "either",
                    "from_null": False}  # fmt: skip
_NEEDED: Final = {"id", "kind", "points", "percent", "floor", "from", "window", "severity",
                  "silence"}  # fmt: skip


class Mutant(NamedTuple):
    """Rules with one thing changed.

    Attributes:
        name: What was changed: unique, and the same from run to run.
        rules: The changed rules.
    """

    name: str
    rules: Rules


def mutants(rules: Rules) -> Iterator[Mutant]:
    """Yield every mutant that is still a valid set of rules.

    Args:
        rules: The original.

    Example:
        >>> from streams.core.rules import load
        >>> text = "rules: [{id: drop, kind: score_drop, points: 10, severity: info}]"
        >>> [mutant.name for mutant in mutants(load(text, "a file"))][1:4]
        ['grace 10m → 11m', 'without rule drop', 'drop: severity info → warning']
    """
    original = rules.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    seen = {rules.hash}
    for name, changed in _changed(original, f"{rules.grace}s", rules):
        try:
            mutant = Rules.model_validate(changed)
        except ValueError:
            continue  # one step on is no rule any more
        if mutant.hash not in seen:
            seen.add(mutant.hash)
            yield Mutant(name, mutant)


def _changed(original: Plain, grace: str, rules: Rules) -> Iterator[tuple[str, Plain]]:
    for other in _neighbours(grace):
        yield f"grace {_short(grace)} → {_short(other)}", original | {"grace": other}
    for index, rule in enumerate(original["rules"]):
        left = [one for one in original["rules"] if one is not rule]
        yield f"without rule {rule['id']}", original | {"rules": left}
        for what, changed in _of_rule(rule, assignment=rules.rules[index].kind):
            others = [*original["rules"]]
            others[index] = changed
            yield f"{rule['id']}: {what}", original | {"rules": others}


def _of_rule(rule: Plain, *, assignment: Kind) -> Iterator[tuple[str, Plain]]:
    for place, value in _leaves(rule):
        for other in _others(place, value):
            yield f"{'.'.join(place)} {_short(value)} → {_short(other)}", _with(rule, place, other)
    for place in _clauses(rule):
        yield f"without {'.'.join(place)}", _without(rule, place)
    for key, default in _defaults(assignment):
        if key not in rule:
            for other in _CHOICES[key]:
                if other != default:
                    yield f"{key} {_short(default)} → {_short(other)}", rule | {key: other}


def _defaults(kind: Kind) -> Iterator[tuple[str, Any]]:
    """Yield what a rule of a kind says without saying it."""
    on_scores = {Kind.SCORE_DROP, Kind.SCORE_SLIDE, Kind.SCORE_BELOW, Kind.SCORE_VANISHED}
    if kind in on_scores:
        yield "view", _DEFAULTS["view"]
    elif kind is not Kind.FEED_SILENT:
        yield "posted", kind is Kind.ASSIGNMENT_DROP
    if kind is Kind.SCORE_BELOW:
        yield "from_null", False
    if kind is Kind.OVERRIDE_GAP:
        yield "against", _DEFAULTS["against"]
        yield "direction", _DEFAULTS["direction"]


def _leaves(rule: Plain, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    for key, value in rule.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key), value


def _others(place: Place, value: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    key = place[-1]
    if key == "severity" or place == ("severity", "default"):
        yield from (word.value for word in Severity if word != value)
    elif key in _CHOICES:
        yield from (other for other in _CHOICES[key] if other != value)
    elif key == "min_history":
        yield from (value - 1, value + 1)
    elif key in _SIZES:
        written = Decimal(str(value))
        exponent = written.as_tuple().exponent
        step = Decimal(1).scaleb(min(int(exponent), 0))
        yield from (str(written - step), str(written + step))
    elif isinstance(value, str) and value[-1:] == "s" and value[:-1].isdigit():
        yield from _neighbours(value)
    elif key == "expire":
        day = date.fromisoformat(value)
        yield from ((day + timedelta(step)).isoformat() for step in (-1, 1))


def _neighbours(duration: str) -> Iterator[str]:
    """Yield the durations one step off: a step is the largest unit that the duration is made of.

    Example:
        >>> [*_neighbours("43200s")]
        ['39600s', '46800s']
    """
    seconds = int(duration[:-1])
    step = next(size for _, size in _UNITS if seconds % size == 0 and (seconds or size == 1))
    yield from (f"{other}s" for other in (seconds - step, seconds + step) if other >= 0)


def _clauses(rule: Plain, at: Place = ()) -> Iterator[Place]:
    """Yield what may be left out of a rule, and of its clauses."""
    for key, value in rule.items():
        place = (*at, key)
        needed = _NEEDED if not at else {"default"}
        if key not in needed:
            yield place
        if isinstance(value, dict):
            yield from _clauses(value, place)


def _with(rule: Plain, place: Place, value: Any) -> Plain:  # noqa: ANN401 - JSON
    changed = copy.deepcopy(rule)
    part = changed
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return changed


def _without(rule: Plain, place: Place) -> Plain:
    changed = copy.deepcopy(rule)
    part = changed
    for key in place[:-1]:
        part = part[key]
    del part[place[-1]]
    return changed


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a value as people write it: ``43200s`` as ``12h``."""
    if isinstance(value, str) and value[-1:] == "s" and value[:-1].isdigit():
        seconds = int(value[:-1])
        unit, size = next((u, s) for u, s in _UNITS if seconds % s == 0 and (seconds or s == 1))
        return f"{seconds // size}{unit}"
    return str(value).lower() if isinstance(value, bool) else str(value)
