"""What several workers say of themselves becomes one answer; rates are over what was counted."""

from __future__ import annotations

from typing import Any

from streams.core.fates import Fate
from streams.metrics import Metrics, Tally
from streams.web.operations import merged
from streams.web.throughput import Throughput


def a_worker(name: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return what one worker says."""
    whole = {
        "workers": [
            {"worker": name, "ready": True, "reasons": [], "partitions": [0], "restoring": []}
        ],
        "lag": [{"topic": "grade-events", "partition": 0, "records": 5}],
        "throughput": {"scoring": 10.0},
        "fates": {"scoring": {"kept": 7, "late": 1}},
        "refused": {"bad_id": 2},
        "rules_hash": "h",
        "tenants": [],
        "alerts": {"listed": 3, "caught_up": True},
        "warnings": [],
    }
    return whole | told


def test_numbers_are_added_and_each_is_named() -> None:
    second = a_worker(
        "b", fates={"scoring": {"kept": 1}, "intake": {"passed": 9}}, refused={"bad_id": 1},
        lag=[{"topic": "grade-events", "partition": 1, "records": 0}], throughput={"scoring": 0.5},
        tenants=[{"tenant": "t", "last_event": "2026-02-03T10:00:00.000Z"}], warnings=["look"],
    )  # fmt: skip
    told = merged([a_worker("a"), second])

    assert [each["worker"] for each in told["workers"]] == ["a", "b"]
    assert told["fates"] == {"intake": {"passed": 9}, "scoring": {"kept": 8, "late": 1}}
    assert told["refused"] == {"bad_id": 3}
    assert [each["records"] for each in told["lag"]] == [5, 0]
    assert told["throughput"] == {"scoring": 10.5}
    assert told["tenants"] == [{"tenant": "t", "last_event": "2026-02-03T10:00:00.000Z"}]
    assert told["warnings"] == ["look"]


def test_who_does_not_answer_is_told_of() -> None:
    assert merged([a_worker("a")], silent=1)["warnings"] == ["workers that do not answer: 1"]


def test_a_rate_is_what_was_counted_over_the_time_between() -> None:
    metrics = Metrics()
    throughput, tally = Throughput(metrics), Tally()
    assert throughput.rates() == {}
    tally.fates[Fate.KEPT] = 100
    metrics.count("scoring", tally, 0.1)
    throughput.count(10.0)
    metrics.count("scoring", tally, 0.1)
    metrics.count("scoring", tally, 0.1)
    throughput.count(14.0)
    assert throughput.rates() == {"scoring": 50.0}
    for later in range(20, 40):
        throughput.count(float(later))
    assert throughput.rates() == {"scoring": 0.0}
