"""``gradewatch demo``: the whole flow on one machine, from Canvas events to alerts."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from streams import admin, broker
from streams.cli.alerts import line
from streams.cli.broker import progress as broker_progress
from streams.cli.process import WorkerProcess
from streams.cli.reading import reader
from streams.errors import BrokerError, GradewatchError
from streams.player import play
from streams.settings import Settings, load, shipped
from streams.simulator import semester

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from streams.cli.process import Numbers
    from streams.security import Kafka

LIVE: Final = 2_000
"""Events at the semester's end that come while somebody watches; those before come at once."""

LIVE_RATE: Final = 20
"""How many of them come a second."""

RULES: Final = "rules/university.yaml"
"""What alerts in a demo, unless GRADEWATCH_RULES names others: rules for people, that settle."""

INTERRUPTED: Final = 130

QUIET_SECONDS: Final = 120.0
"""How long no progress at all may last before the demo gives up."""


SHOWN_SECONDS: Final = 10.0
"""How long the last alerts may take from the topic to the terminal."""


class Summary(NamedTuple):
    """What the demo says at its end, and whether its numbers add up."""

    lines: list[str]
    adds_up: bool


@click.command()
@click.option("--events", "count", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Other seed, other semester.")
@click.option(
    "--rate",
    type=click.IntRange(1),
    help="Events a second.  [default: all at once, but for the last 2,000: 20 a second]",
)
@click.option("--exit", "leave", is_flag=True, help="Stop after the last event, with a summary.")
def demo(count: int, seed: int, rate: int | None, *, leave: bool) -> int:
    """Play a simulated semester through the whole flow: alerts here, and pages in a browser.

    Most of it comes at once, so that there is something to look at; its last weeks come live. Uses
    KAFKA_BOOTSTRAP_SERVERS if set, else an embedded Kafka of its own, with fresh data each time.
    Ctrl-C stops everything it started.

    Exit codes: 0 done, 1 the summary does not add up, 69 Kafka unavailable, 78 configuration,
    130 stopped by Ctrl-C.
    """
    with _interruptible(), ExitStack() as started:
        chosen = load()
        if "rules" not in chosen.model_fields_set:
            chosen = chosen.model_copy(update={"rules": shipped(RULES)})
        settings = _with_kafka(chosen, started)
        _make_topics(settings)
        log = settings.data_dir / "demo-worker.log"
        worker = started.enter_context(WorkerProcess(settings, log))
        click.echo(f"worker ready; pages at {worker.url}/")
        try:
            return asyncio.run(_play(settings, worker, count, seed, rate, leave=leave))
        except KeyboardInterrupt:
            click.echo("stopping")
            return INTERRUPTED


def _with_kafka(settings: Settings, started: ExitStack) -> Settings:
    """Return settings that name a Kafka which answers: yours, or one that lives with the demo."""
    if settings.kafka_bootstrap_servers:
        click.echo(f"using Kafka at {settings.kafka_bootstrap_servers}")
        return settings
    home = settings.data_dir / "demo"
    if broker.status(home).state != "stopped":
        raise BrokerError("another demo is running", "wait for it, or stop it with Ctrl-C")
    shutil.rmtree(home, ignore_errors=True)  # yesterday's semester would make today's late
    jars = broker.jar_directory(settings.data_dir)
    with broker_progress() as said:
        running = started.enter_context(broker.running(home, 0, said, jar_dir=jars))
    click.echo(f"Apache Kafka {broker.VERSION} at {running.bootstrap_servers}, data in {home}")
    return settings.model_copy(update={"kafka_bootstrap_servers": running.bootstrap_servers})


def _make_topics(settings: Settings) -> None:
    """All topics are there; refuse to mix a simulated semester into somebody's real events."""
    kafka = admin.bootstrap(settings)
    plan = admin.make_plan(settings, create_external=True)
    raw = settings.topic(settings.raw_topic)
    if admin.record_count(kafka, raw):
        raise GradewatchError(
            f"{raw} at {kafka} already holds records; the demo would play made-up grades into it",
            "name a namespace of the demo's own: GRADEWATCH_NAMESPACE=demo-1",
        )
    admin.carry_out(kafka, plan)
    click.echo(f"topics applied: {len(plan.changes)} changes")


async def _play(
    settings: Settings,
    worker: WorkerProcess,
    count: int,
    seed: int,
    rate: int | None,
    *,
    leave: bool,
) -> int:
    """Play the semester, show what comes of it, and return the exit code."""
    kafka, raw = admin.bootstrap(settings), settings.topic(settings.raw_topic)
    console, shown = Console(highlight=False, soft_wrap=True), Counter[str]()
    alerts = asyncio.create_task(
        _show_alerts(kafka, settings.topic("grade-alerts"), console, shown)
    )
    try:
        started = time.monotonic()
        records = semester(seed, count, datetime.fromtimestamp(time.time(), UTC))
        with _bars(console) as bars:
            playing, scoring = bars.add_task("played", total=count), bars.add_task("scored")
            at_once = 0 if rate is not None else count if leave else max(0, count - LIVE)

            def progress(before: int) -> Callable[[int], None]:
                return lambda done: bars.update(playing, completed=before + done)

            first = islice(records, at_once)
            await play(first, kafka, raw, None, progress(0))
            if at_once and not leave:
                console.print(f"look at it: {worker.url}/; the rest of the semester comes live")
            rest = play(records, kafka, raw, rate or LIVE_RATE, progress(at_once))
            player = asyncio.create_task(_sum(at_once, rest))
            numbers = await _until_worked(worker, player, bars, scoring)
            seconds = time.monotonic() - started
            await _until_shown(shown, numbers)
        told = _summary(settings, count, numbers, shown, seconds)
        console.print("\n".join(told.lines))
        if leave:
            return 0 if told.adds_up else 1
        console.print(f"\nthe worker goes on; its pages are at {worker.url}/ until Ctrl-C")
        await asyncio.Event().wait()
        return 0
    finally:
        alerts.cancel()


async def _sum(before: int, played: Awaitable[int]) -> int:
    return before + await played


async def _show_alerts(kafka: Kafka, topic: str, console: Console, shown: Counter[str]) -> None:
    """Print alerts as they appear, and count them by kind."""
    async with reader(kafka, topic) as consumer:
        while True:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    alert = json.loads(record.value)
                    console.print(line(alert), markup=False)
                    shown[alert["kind"]] += 1


async def _until_worked(
    worker: WorkerProcess, player: asyncio.Task[int], bars: Progress, scoring: TaskID
) -> Numbers:
    """Return the worker's numbers once every played event has a fate in both agents.

    Raises:
        GradewatchError: Nothing moved for ``QUIET_SECONDS``, or the worker ended.
    """
    before, since = -1, time.monotonic()
    while True:
        worker.require_alive()
        numbers = await asyncio.to_thread(worker.numbers)
        bars.update(scoring, total=numbers.passed, completed=numbers.scored)
        if (
            player.done()
            and numbers.of("intake") >= await player
            and numbers.scored >= numbers.passed
        ):
            return numbers
        worked = numbers.of("intake") + numbers.of("scoring")
        if worked != before:
            before, since = worked, time.monotonic()
        elif time.monotonic() - since > QUIET_SECONDS:
            raise GradewatchError(
                f"no record was worked on for {QUIET_SECONDS:.0f} s", f"look at {worker.log}"
            )
        await asyncio.sleep(0.1)


async def _until_shown(shown: Counter[str], numbers: Numbers) -> None:
    """Wait a moment for the last alerts to be read; the summary tells if any are missing."""
    deadline = time.monotonic() + SHOWN_SECONDS
    while shown.total() < numbers.alerts.total():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(0.05)


def _summary(
    settings: Settings, played: int, numbers: Numbers, shown: Counter[str], seconds: float
) -> Summary:
    """Return what became of every record, and whether it adds up."""
    checks = {
        f"events played {played} = records intake worked on {numbers.of('intake')}": (
            played == numbers.of("intake")
        ),
        f"events passed {numbers.passed} = events scoring worked on {numbers.scored}": (
            numbers.passed == numbers.scored
        ),
        f"alerts written {numbers.alerts.total()} = alerts shown {shown.total()}": (
            numbers.alerts == shown
        ),
    }
    topics = [settings.topic(name) for name in (settings.raw_topic, "grade-events", "grade-alerts")]
    lines = [
        "",
        f"topics       {' → '.join(topics)}",
        f"records      {_listed(numbers.fates, 'intake')}",
        f"             {_listed(numbers.fates, 'scoring')}",
        f"alerts       {_counts(numbers.alerts)}",
        f"refused      {_counts(numbers.refused)}",
        f"throughput   {played / seconds:,.0f} events/s from the first sent to the last scored",
        *(f"{'adds up' if good else 'WRONG':12} {what}" for what, good in checks.items()),
    ]
    return Summary(lines, all(checks.values()))


def _listed(fates: Counter[tuple[str, str]], agent: str) -> str:
    own = Counter({fate: number for (who, fate), number in fates.items() if who == agent})
    return f"{agent}: {_counts(own)}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counter.most_common() if number) or "-"


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    """Show progress below the alerts, on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = console.is_terminal
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not shown) as bars:
        yield bars


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make ``SIGTERM`` end the demo as Ctrl-C does: everything it started is stopped."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
