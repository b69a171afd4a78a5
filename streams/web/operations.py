"""How the flow does, over HTTP: all workers together. No scores, and nobody's ids."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from streams.core.clock import ITEM, OWNER, decode_state
from streams.core.feeds import WATCHING
from streams.engine.blocking import Failed, Hung, beside
from streams.web import refusals
from streams.web.peers import Unreachable
from streams.web.problem import Problem, bad_parameter

if TYPE_CHECKING:
    from prometheus_client import Counter as Counted

    from streams.web.asked import Asked
    from streams.web.peers import Peers
    from streams.web.problem import Answer
    from streams.web.throughput import Throughput
    from streams.worker import Worker

LISTED: Final = 50
"""Refused records that are shown, where nobody says how many."""

PATH: Final = "/api/v1/status"


class Operations:
    """What whoever runs the flow looks at."""

    def __init__(self, worker: Worker, others: Peers, throughput: Throughput) -> None:
        """Remember whose numbers, and whom else to ask."""
        self._worker, self._peers, self._throughput = worker, others, throughput

    async def status(self, asked: Asked) -> Answer:
        """Lag, fates, workers and the last event of each tenant."""
        asked.query(())
        own = self._own(asked)
        if asked.is_hop:
            return own
        others = [url for url in self._peers.everybody() if url != self._worker.url]
        told = await asyncio.gather(*(self._peers.get(url, PATH, {}, asked) for url in others))
        return merged(
            [own, *(each for each in told if not isinstance(each, Problem))],
            silent=sum(isinstance(each, Unreachable) for each in told),
        )

    async def refused(self, asked: Asked) -> Answer:
        """The newest refused records: reasons and where they stand, never what was in them."""
        limit = asked.query({"limit"}).get("limit") or str(LISTED)
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= refusals.LOOKED_AT):
            raise bad_parameter("limit", f"a number from 1 to {refusals.LOOKED_AT}")
        worker = self._worker
        topic = worker.settings.topic("grade-events-refused")
        read = partial(refusals.newest, worker.app.kafka, worker.settings.group, topic)
        try:
            found = await beside(read, refusals.READ_SECONDS + 2)
        except (Failed, Hung):
            raise Problem(
                503, "kafka_unavailable", "Kafka does not answer", {"Retry-After": "5"}
            ) from None
        counts = Counter(each["reason"] for each in found)
        return {"refused": found[: int(limit)], "counts": dict(counts.most_common())}

    def _own(self, asked: Asked) -> Answer:
        worker, metrics = self._worker, self._worker.metrics
        reasons, restoring = worker.not_ready(), sorted(worker.restoring())
        serving = sorted(worker.table.data.serving - set(restoring))
        heard = self._heard()
        whose = asked.person.tenant
        return {
            "workers": [
                {
                    "worker": worker.settings.worker_id,
                    "ready": not reasons,
                    "reasons": reasons,
                    "partitions": serving,
                    "restoring": restoring,
                }
            ],
            "lag": [
                {"topic": at.topic, "partition": at.partition, "records": records}
                for at, records in sorted(worker.lags().items())
            ],
            "throughput": self._throughput.rates(),
            "fates": _by_two(metrics.records),
            "refused": _by_last(metrics.refused),
            "rules_hash": worker.reload.rules.hash,
            "tenants": [
                {"tenant": tenant, "last_event": at}
                for tenant, at in sorted(heard.items())
                if whose in {None, tenant}
            ],
            "alerts": {
                "listed": len(worker.alerts),
                "caught_up": worker.follower.caught_up,
            },
            "warnings": worker.warnings(),
        }

    def _heard(self) -> dict[str, str]:
        """Return when each tenant was heard of last, where we have the partition that knows."""
        data = self._worker.table.data
        held = data.row(WATCHING, OWNER, ITEM) if WATCHING in data.serving else None
        return {} if held is None else dict(decode_state(held).heard)


def merged(told: list[Answer], silent: int = 0) -> Answer:
    """Return what several workers say as one answer.

    Args:
        told: Of each; at least one.
        silent: How many do not answer: it is a warning.
    """
    fates = dict[str, Counter[str]]()
    refused, throughput = Counter[str](), Counter[str]()
    lag, tenants = dict[tuple[str, int], int](), dict[str, Any]()
    warnings = list[str]()
    for each in told:
        for agent, counts in each["fates"].items():
            fates.setdefault(agent, Counter()).update(counts)
        refused.update(each["refused"])
        for agent, rate in each["throughput"].items():
            throughput[agent] += rate
        for one in each["lag"]:
            place = one["topic"], one["partition"]
            lag[place] = max(lag.get(place, 0), one["records"])
        for one in each["tenants"]:
            known = tenants.get(one["tenant"])
            tenants[one["tenant"]] = max(known or one["last_event"], one["last_event"])
        warnings += [each_one for each_one in each["warnings"] if each_one not in warnings]
    if silent:
        warnings.append(f"workers that do not answer: {silent}")
    return told[0] | {
        "workers": sorted(
            (one for each in told for one in each["workers"]), key=lambda one: str(one["worker"])
        ),
        "lag": [
            {"topic": topic, "partition": number, "records": records}
            for (topic, number), records in sorted(lag.items())
        ],
        "throughput": {agent: round(rate, 1) for agent, rate in throughput.items()},
        "fates": {agent: dict(counts.most_common()) for agent, counts in sorted(fates.items())},
        "refused": dict(refused.most_common()),
        "tenants": [{"tenant": name, "last_event": at} for name, at in sorted(tenants.items())],
        "warnings": warnings,
    }


def _by_two(counter: Counted) -> dict[str, dict[str, int]]:
    """Return a counter of two labels as label → label → count."""
    found = dict[str, dict[str, int]]()
    for sample in _samples(counter):
        first, second = sample.labels.values()
        found.setdefault(first, {})[second] = int(sample.value)
    return found


def _by_last(counter: Counted) -> dict[str, int]:
    """Return a counter by its last label."""
    found = Counter[str]()
    for sample in _samples(counter):
        found[list(sample.labels.values())[-1]] += int(sample.value)
    return dict(found.most_common())


def _samples(counter: Counted) -> list[Any]:
    return [
        sample
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    ]
