"""Logs of ``grade-events`` from a seed: crowded, quick to make, for thousands at a time.

What `living_logs` draws and can shrink, this makes dense: one student's courses, scores that follow
each other, are graded before they are posted and swing around the floors and thresholds of rules
with all their habits; overrides, two sections, assignments, deletions; lateness within ``grace``
and beyond, repeats, two raw partitions, rule sets that lose, change and regain rules.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.living_logs import TENANT, identified, moment, numbered, rules_record, watermark

if TYPE_CHECKING:
    from tests.oracle.living import Record

Fields = dict[str, Any]

SCORES: Final = (55.0, 60.1, 65.0, 69.9, 70.0, 70.1, 75.0, 80.0, 85.5, 90.0, None)
ROWS: Final = (("48", "565"), ("48", "565"), ("48", "7"), ("49", "565"))
DAYS: Final = 5
SINGLE_SHOTS: Final = ("score_drop", "score_vanished", "assignment_drop", "override_raised",
                       "override_lowered", "override_removed")  # fmt: skip


def a_crowded_log(
    seed: int, *, events: int = 40, switches: bool = True, single_shots: bool = False
) -> list[Record]:
    """Return the log of a seed.

    Args:
        seed: Equal seeds give equal logs.
        events: How many, repeats apart.
        switches: Whether rule sets change.
        single_shots: Whether some rules do not live.
    """
    return _Crowd(Random(seed), single_shots=single_shots).log(events, switches=switches)  # noqa: S311 - not for secrets


def elsewhere(log: list[Record], seed: int) -> list[Record]:
    """Return a log as it would be with other unposted and muted values."""
    random = Random(seed)  # noqa: S311 - not for secrets

    def hidden(value: Fields) -> Fields:
        if value["type"] == "course_grade_change":
            names = ("unposted_current_score", "unposted_final_score")
            points: tuple[float | None, ...] = SCORES
        elif value.get("muted"):
            names, points = ("score", "points_possible"), (None, 0.0, 2.0, 5.0)
        else:
            return value
        twins = [f"{old}{name}" for name in names for old in ("", "old_")]
        return identified(value | {name: random.choice(points) for name in twins})

    return [record._replace(value=hidden(record.value)) for record in log]


class _Crowd:
    """Makes one log."""

    def __init__(self, random: Random, *, single_shots: bool) -> None:
        self.random = random
        self.single_shots = single_shots
        self.known: dict[tuple[Any, ...], Fields] = {}

    def log(self, events: int, *, switches: bool) -> list[Record]:
        random = self.random
        times = sorted(self.time() for _ in range(events))
        told = [self.event(at) for at in times]
        told = [identified(one | {"event_time": moment(at)}) for at, one in zip(times, told)]  # noqa: B905 - same size
        arrivals = [(at + self.lag(), one) for at, one in zip(times, told)]  # noqa: B905 - same size
        arrivals += [
            (times[place] + 2 * self.lag(), self.again(told[place]))
            for place in random.sample(range(events), k=min(events, 3))
        ]
        sources = random.choice([1, 1, 2])
        for _ in range(random.randint(2, 12)):
            at = self.time()
            mark = watermark(moment(at), random.randrange(sources), sources)
            arrivals.append((at + random.choice([0, 0, 60, 3600]), mark))
        first = rules = self.rules()
        for _ in range(random.choice([0, 0, 1, 2]) if switches else 0):
            at = self.time()
            rules = random.choice([first, self.changed(rules), self.rules()])
            arrivals.append((at, rules_record(rules, moment(at))))
        arrivals.sort(key=lambda one: one[0])
        ends = [watermark(moment(2e6), source, sources) for source in range(sources)]
        return numbered([rules_record(first), *(one for _, one in arrivals), *ends])

    def time(self) -> float:
        """Return seconds; instants collide."""
        step = self.random.randrange(DAYS * 8) * 3 * 3600
        return step + self.random.choice([0, 0, 0, 30, 60, 0.001, 1800])

    def lag(self) -> float:
        return self.random.choice([0, 0, 0, 0, 60, 600, 3 * 3600, 12 * 3600, 86_400])

    def event(self, at: float) -> Fields:
        random = self.random
        student, course = random.choice(ROWS)
        who: Fields = {"tenant": TENANT, "student_id": student, "course_id": course}
        who["account_id"] = random.choice(["79", "79", "80", None])
        kind = random.choice(["score"] * 5 + ["override"] * 3 + ["grade"] * 2)
        make = {"score": self.score, "override": self.override, "grade": self.grade}[kind]
        event = who | make(who)
        if kind != "grade":
            event["updated_at"] = random.choice([None, moment(at), moment(at + 1)])
        return event

    def follows(self, fact: tuple[Any, ...], new: Fields) -> Fields:
        """Return new values beside the old ones, which mostly are those known."""
        known = self.known.get(fact, {})
        is_lost = self.random.random() < 0.1
        old = {f"old_{name}": None if is_lost else known.get(name) for name in new}
        self.known[fact] = new
        return new | old

    def score(self, who: Fields) -> Fields:
        random = self.random
        fact = "score", who["student_id"], who["course_id"]
        known = self.known.get(fact, {})
        graded, posted = random.choice(SCORES), known.get("current_score")
        how = random.random()
        if how < 0.4:
            posted = graded
        elif how < 0.7:
            graded = posted = known.get("unposted_current_score", graded)
        final = posted if random.random() < 0.8 else random.choice(SCORES)
        new = {"current_score": posted, "final_score": final}
        new |= {"unposted_current_score": graded, "unposted_final_score": graded}
        state = {"workflow_state": "deleted"} if random.random() < 0.04 else {}
        return {"type": "course_grade_change"} | state | self.follows(fact, new)

    def override(self, who: Fields) -> Fields:
        random = self.random
        period = random.choice([None, None, None, "3"])
        fact = "override", who["student_id"], who["course_id"], period
        if fact in self.known and random.random() < 0.15:  # for the other section
            new = dict(self.known[fact])
        else:
            new = {"override_score": random.choice(SCORES)}
        place = {"grading_period_id": period, "enrollment_id": random.choice(["44", "45", None])}
        grader = {"grader_id": random.choice([None, "12", "13"])}
        return {"type": "grade_override"} | place | grader | self.follows(fact, new)

    def grade(self, who: Fields) -> Fields:
        random = self.random
        assignment = random.choice(["1", "2"])
        fact = "grade", who["student_id"], who["course_id"], assignment
        new = {"score": random.choice([None, 0.0, 1.0, 2.0, 4.0, 5.0])}
        new["points_possible"] = random.choice([5.0, 5.0, 5.0, 8.0, 0.0, None])
        about = {"assignment_id": assignment, "submission_id": f"9{assignment}"}
        seen = {"muted": random.random() < 0.4, "grader_id": random.choice([None, "12"])}
        return {"type": "grade_change"} | about | seen | self.follows(fact, new)

    def again(self, event: Fields) -> Fields:
        """Return an event once more; sometimes only what is posted of it is the same."""
        if event["type"] == "course_grade_change" and self.random.random() < 0.5:
            return identified(event | {"unposted_current_score": self.random.choice(SCORES)})
        return event

    # Rules

    def rules(self) -> Fields:
        random = self.random
        stated = [self.rule() for _ in range(random.randint(3, 7))]
        for rule in [one for one in stated if "view" in one and random.random() < 0.4]:
            other = "posted" if rule["view"] == "unposted" else "unposted"
            stated.append(rule | {"view": other})
        random.shuffle(stated)
        rules = [{"id": f"rule-{number}"} | rule for number, rule in enumerate(stated)]
        return {"grace": random.choice(["0s", "10m", "3h", "12h"]), "rules": rules}

    def changed(self, rules: Fields) -> Fields:
        """Return a set that lost a rule, or where one is another under the same id."""
        random = self.random
        stated = list(rules["rules"])
        place = random.randrange(len(stated))
        if random.random() < 0.5:
            stated[place] = {"id": stated[place]["id"]} | self.rule()
        elif len(stated) > 1:
            del stated[place]
        return rules | {"rules": stated}

    def rule(self) -> Fields:
        random = self.random
        kind = random.choice(
            ["score_drop"] * 3
            + ["score_slide"] * 3
            + ["score_below"] * 2
            + ["score_vanished", "override_gap", "override_gap", "assignment_drop"]
            + ["assignment_drop", "override_raised", "override_lowered", "override_removed"]
        )
        size = random.choice(["4.9", "5", "9.9", "10", "15", "20"])
        rule: Fields = {"kind": kind, "points": size, "severity": self.severity()}
        if "score" in kind:
            rule["view"] = random.choice(["posted", "unposted"])
        else:
            rule["posted"] = random.random() < 0.7
        if kind in ("score_drop", "score_slide") and random.random() < 0.3:
            rule["percent"] = rule.pop("points")
        rule |= {
            "score_slide": {
                "from": random.choice(["peak", "median", "first"]),
                "window": random.choice(["1d", "2d", "14d"]),
            },
            "override_gap": {
                "against": random.choice(["final_score", "current_score"]),
                "direction": random.choice(["either", "above", "below"]),
            },
            "score_below": {"floor": random.choice(["65", "70", "75"])},
        }.get(kind, {})
        if kind == "score_below":
            rule["from_null"] = random.random() < 0.5
        if kind in ("score_below", "score_vanished"):
            del rule["points"]
        if kind == "score_vanished":
            rule["severity"] = "info"
        return rule | self.habits(kind)

    def severity(self) -> str | Fields:
        steps = {"default": "info", "warning": "12", "critical": "20"}
        return steps if self.random.random() < 0.5 else self.random.choice(["info", "warning"])

    def habits(self, kind: str) -> Fields:
        random = self.random
        if self.single_shots and kind in SINGLE_SHOTS and random.random() < 0.5:
            return {}
        kept: Fields = {"clear": {}}
        if kind != "score_vanished" and random.random() < 0.4:
            kept["clear"]["recovery"] = random.choice(["0.1", "5", "9.9", "15"])
        if random.random() < 0.5:
            kept["clear"]["keep_firing_for"] = random.choice(["3h", "6h", "12h"])
        chances: dict[str, tuple[float, list[Any]]] = {
            "for": (0.35, ["3h", "6h", "12h"]),
            "cooldown": (0.3, ["3h", "6h", "1d"]),
            "expire": (0.2, ["12h", "1d", "2d", "2026-02-04"]),
            "min_history": (0.1 if "score" in kind else 0, [1, 2]),
            "match": (0.1, [{"courses": {"in": ["565"]}}, {"accounts": {"out": ["80"]}}]),
        }
        for name, (chance, choices) in chances.items():
            if random.random() < chance:
                kept[name] = random.choice(choices)
        return kept
