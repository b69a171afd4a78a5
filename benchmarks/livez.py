"""How long /livez waits while a worker handles what is large: no Kafka, real HTTP.

make bench WHAT=livez ARGS="--seconds 10"
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import TYPE_CHECKING

import msgspec

from streams.access import people
from streams.access.people import Assignment, Named, People, Relation
from streams.access.roles import Role
from streams.cli.worker import COLLECTED
from streams.core.rules import load
from streams.reload import read_rules
from streams.watched import WatchedFile
from tests.access.files import TOKENS, everybody
from tests.web.served import Here, served

if TYPE_CHECKING:
    from collections.abc import Callable

COURSES = 50_000
ALERTS = 10_000
PEOPLE, ASSIGNMENTS = 2_000, 30_000
RULES = 300


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=10)
    seconds = arguments.parse_args().seconds
    gc.set_threshold(*COLLECTED)  # as a worker does
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with served(folder) as (worker, client, alerts):
            fill(worker, alerts)
            rules = folder / "rules.yaml"
            rules.write_text(many_rules())
            load(rules.read_text(), "rules.yaml")
            watched = WatchedFile(rules, lambda: read_rules(rules))

            def reload_rules() -> None:
                looking = watched.changed(always=True)
                asyncio.run_coroutine_threadsafe(looking, worker.loop).result(60)

            university = folder / "university.json"
            people.save(university, a_university())

            def replace_access() -> None:
                copied = Path(shutil.copy2(university, folder / "copied.json"))
                copied.replace(folder / "access.json")
                time.sleep(1)

            doing: dict[str, Callable[[], object]] = {
                "nothing": lambda: time.sleep(0.1),
                f"access file, {PEOPLE:,} people x {ASSIGNMENTS:,}": replace_access,
                f"rules file, {RULES} rules": reload_rules,
                f"student of {COURSES:,} courses, JSON": lambda: client.ask(
                    "/api/v1/students/48?tenant=t", "etl"
                ),
                f"student of {COURSES:,} courses, page": lambda: client.ask(
                    "/students/48?tenant=t", "etl"
                ),
                f"list of {ALERTS:,}, CSV": lambda: client.ask("/alerts.csv", "etl"),
                "list of 500, page": lambda: client.ask("/alerts?limit=500", "etl"),
            }
            for name, do in doing.items():
                print(f"{name}: {told(measured(worker.url + '/livez', do, seconds))}", flush=True)


def measured(url: str, do: Callable[[], object], seconds: float) -> list[float]:
    """Return how long each /livez took, in seconds, while something is done again and again."""
    over = Event()

    def busy() -> None:
        while not over.is_set():
            do()
            over.wait(0.2)

    working = Thread(target=busy)
    working.start()
    try:
        with multiprocessing.get_context("spawn").Pool(1) as asking:  # not under our lock
            return asking.apply(times, (url, seconds))
    finally:
        over.set()
        working.join()


def times(url: str, seconds: float) -> list[float]:
    """Return how long each answer took."""
    found, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        urllib.request.urlopen(url, timeout=60).read()  # noqa: S310 - our own worker
        found.append(time.monotonic() - began)
        time.sleep(0.01)
    return found


def fill(worker: Here, alerts: list[dict[str, object]]) -> None:
    """Give the worker a student of many courses, and many alerts."""
    data, owner = worker.table.data, b"t:48"
    [*rows] = data.items_of(owner).values()
    many = [(owner, str(number).encode(), rows[0]) for number in range(1, COURSES + 1)]
    data.publish(worker.partition_of(owner), many)
    for number in range(ALERTS):
        alert = alerts[0] | {
            "fingerprint": f"f{number}", "alert_id": f"a{number}", "course_id": str(number + 1),
        }  # fmt: skip
        worker.alerts.take_alert(f"f{number}".encode(), msgspec.json.encode(alert), 0, number + 99)


def a_university() -> People:
    """Return the people of the tests among so many others."""
    advisors = tuple(
        Named(name=f"adv{n}", role=Role.ADVISOR, tenant="t", token_sha256=people.hashed(f"of {n}"))
        for n in range(PEOPLE - len(TOKENS))
    )
    assigned = tuple(
        Assignment(
            name=advisors[n % len(advisors)].name,
            relation=Relation.ADVISES,
            tenant="t",
            id=str(n + 1),
        )
        for n in range(ASSIGNMENTS)
    )
    return People.model_construct(
        version=1, people=everybody().people + advisors, assignments=assigned
    )


def many_rules() -> str:
    listed = (
        f"  - {{id: drop-{n}, kind: score_drop, points: {n % 90 + 1}, severity: info}}\n"
        for n in range(RULES)
    )
    return "rules:\n" + "".join(listed)


def told(found: list[float]) -> str:
    cuts = [1000 * cut for cut in quantiles(found, n=100)]
    return (
        f"/livez p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.0f} ms, most {1000 * max(found):.0f} ms "
        f"({len(found)} answers)"
    )


if __name__ == "__main__":
    main()
