"""What asks about the worker itself: probes, metrics, who I am, and what may be asked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.access.roles import RIGHTS, Person, Role
from streams.web.json import json
from streams.web.openapi import document

if TYPE_CHECKING:
    from streams.web.asked import Asked
    from streams.web.problem import Answer
    from streams.worker import Worker


class Probes:
    """What one worker says of itself."""

    def __init__(self, worker: Worker) -> None:
        """Remember which."""
        self._worker = worker

    async def live(self, _: Asked) -> Answer:
        """The event loop answers."""
        return {"live": True}

    async def ready(self, _: Asked) -> web.Response:
        """All that is ours is restored and worked on, or why it is not."""
        reasons = self._worker.not_ready()
        # What is wrong is for anybody; the details, which name people and paths, for operators.
        warnings = [warning.partition(": ")[0] for warning in self._worker.warnings()]
        also = {"warnings": warnings} if warnings else {}
        if not reasons:
            return json({"ready": True} | also)
        told: dict[str, Any] = {"ready": False, "reasons": reasons} | also
        restoring = self._worker.restoring()
        if restoring:
            progress = self._worker.recovery.changelog.progress
            told["restoring"] = {
                "partitions": sorted(restoring),
                "records": progress.done,
                "records_total": progress.total,
                "records_per_second": round(progress.rate),
                "remaining_seconds": progress.remaining_seconds,
            }
        return json(told, HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(self, _: Asked) -> web.Response:
        """The numbers, in Prometheus's text format."""
        self._worker.refresh()
        body = generate_latest(self._worker.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def me(self, asked: Asked) -> Answer:
        """Who asks, and what they may."""
        asked.query(())
        return me(asked.person)

    async def openapi(self, asked: Asked) -> Answer:
        """What may be asked, as an OpenAPI document."""
        asked.query(())
        return document()


def me(person: Person) -> Answer:
    """Return who somebody is, as answers and pages say it."""
    told: Answer = {
        "name": person.name,
        "role": person.role.value,
        "rights": sorted(right.value for right in RIGHTS[person.role]),
    }
    if person.tenant is not None:
        told["tenant"] = person.tenant
    if person.role is Role.STUDENT and person.students:
        told["student_id"] = min(person.students, key=len)
    return told
