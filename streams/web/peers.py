"""Any worker answers for any student: it asks the one who holds the rows, or all for a course.

One hop: a worker that is asked by another answers from its own rows alone.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from streams.core.events import student_key
from streams.core.keys import Use, derive
from streams.web.hops import HEADER, Hops, what
from streams.web.parts import MOST
from streams.web.problem import RETRY_SECONDS, Problem
from streams.web.views import only, spellings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.web.asked import Asked
    from streams.web.problem import Answer
    from streams.worker import Worker

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

TIMEOUT_SECONDS: Final = 3.0
"""How long another worker may take to answer."""


class Unreachable(Problem):
    """Another worker holds it, and does not answer."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "worker_unreachable",
            "the worker that may hold this does not answer, or restores its rows",
            {"Retry-After": str(RETRY_SECONDS)},
        )


class Peers:
    """The workers of the group, as one of them sees them.

    Attributes:
        hops: Signs our requests, and checks those of others.
    """

    def __init__(self, worker: Worker) -> None:
        """Remember who asks."""
        self._worker = worker
        settings = worker.settings
        key = derive(settings.read_id_key(), Use.PEERS)
        self.hops = Hops(key, settings.worker_id, worker.url)

    def warnings(self) -> list[str]:
        """Return that there are members of the group that are asked nothing, and why."""
        count = self._worker.strangers()
        if not count:
            return []
        return [f"{count} members of the group do not prove the id key, and are asked nothing"]

    def everybody(self) -> list[str]:
        """Return the URLs of all workers that hold rows, and our own."""
        return sorted({self._worker.url, *self._worker.holders().values()})

    def holders(self, asked: Asked) -> list[str]:
        """Return the URLs of the workers that may hold what a request is about.

        Args:
            asked: For a student of a tenant that is said, that student's worker; else all.
        """
        if asked.is_hop:
            return [self._worker.url]
        if not _one_student(asked):
            return self.everybody()
        partitions = self._worker.holders()
        urls = {partitions.get(place) for place in self.places(asked)}
        if None in urls:
            raise Unreachable
        return sorted(url for url in urls if url)

    def places(self, asked: Asked) -> set[int]:
        """Return the partitions that may hold what a request is about, whoever has them."""
        tenant = asked.tenant
        if tenant is None or not _one_student(asked):
            return set(range(self._worker.partitions))
        keys = (student_key(tenant, spelled) for spelled in spellings(asked.path["student_id"]))
        return {self._worker.partition_of(key) for key in keys}

    async def ask(
        self, urls: Iterable[str], asked: Asked, part: Mapping[str, str] = NOTHING
    ) -> list[Answer | Problem]:
        """Return what each worker answers; a `Problem` where it has nothing, or does not answer."""
        path, query = (
            asked.request.path,
            dict(part) | ({"tenant": asked.tenant} if asked.tenant else {}),
        )
        if not path.startswith("/api/"):  # a page is made of the answer that has its path
            path = f"/api/v1{path}"
        return list(await asyncio.gather(*(self.get(url, path, query, asked) for url in urls)))

    async def get(
        self, url: str, path: str, query: Mapping[str, str], asked: Asked
    ) -> Answer | Problem:
        """Return what one worker answers.

        Args:
            url: Base URL of the worker.
            path: API path.
            query: Query parameters.
            asked: The request on whose behalf it is asked.
        """
        return await self._request("GET", url, path, asked, query=query)

    async def post(
        self, url: str, path: str, body: Mapping[str, Any], asked: Asked
    ) -> Answer | Problem:
        """Return what one worker answers.

        Args:
            url: Base URL of the worker.
            path: API path.
            body: JSON object to send.
            asked: The request on whose behalf it is asked.
        """
        return await self._request("POST", url, path, asked, body=json.dumps(body).encode())

    async def _request(
        self,
        method: str,
        url: str,
        path: str,
        asked: Asked,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer | Problem:
        signed = what(method, path, (query or {}).items(), body)
        headers = {HEADER: self.hops.signed(asked.person, url, signed)}
        if body:
            headers["Content-Type"] = "application/json"
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        client = self._worker.app.http_client
        try:
            async with client.request(
                method, url + path, params=query, data=body or None, headers=headers,
                timeout=timeout, allow_redirects=False,
            ) as response:  # fmt: skip
                told = json.loads(await response.read())
                if response.status == HTTPStatus.OK:
                    return dict(told)
                return _problem(response.status, told)
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return Unreachable()


def _one_student(asked: Asked) -> bool:
    return asked.tenant is not None and "student_id" in asked.path


def _problem(status: int, body: Mapping[str, Any]) -> Problem:
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
        error = body["error"]
        return Problem(status, str(error["code"]), str(error["message"]))
    return Unreachable()


def one_of(answers: Iterable[Answer | Problem], student_id: str) -> Answer:
    """Return the one answer of several workers.

    Args:
        answers: Of each that was asked.
        student_id: As the request spells it, which wins where both spellings are there.

    Raises:
        Problem: None has it, several tenants have it, or who may have it does not answer.
    """
    found = _found(answers)
    only(answer["tenant"] for answer in found)
    order = spellings(student_id)
    return min(found, key=lambda answer: order.index(answer["student_id"]))


def course_of(answers: Iterable[Answer | Problem], limit: int = MOST) -> Answer:
    """Return a course with the students of all workers, ``partial`` where one did not answer.

    Args:
        answers: Of each that was asked: the first ``limit`` of its students.
        limit: Number of students, at most.

    Raises:
        Problem: None has it, several tenants have it, or all who may have it do not answer.
    """
    answers = list(answers)
    found = _found(answers)
    tenant = only(answer["tenant"] for answer in found)
    course = min((answer["course_id"] for answer in found), key=len)
    students = [
        row for answer in found if answer["course_id"] == course for row in answer["students"]
    ]
    students.sort(key=lambda row: int(row["student_id"]))
    more = len(students) > limit or any("next_cursor" in answer for answer in found)
    del students[limit:]
    whole: Answer = {"tenant": tenant, "course_id": course, "students": students}
    if more and students:
        whole["next_cursor"] = students[-1]["student_id"]
    missing = any(
        isinstance(answer, Unreachable) or (isinstance(answer, dict) and "partial" in answer)
        for answer in answers
    )
    unreadable = sum(answer.get("unreadable", 0) for answer in found)
    if unreadable:
        whole["unreadable"] = unreadable
    return whole | {"partial": True} if missing else whole


def _found(answers: Iterable[Answer | Problem]) -> list[Answer]:
    """Return what is there; raise the gravest problem where nothing is."""
    problems = [answer for answer in answers if isinstance(answer, Problem)]
    found = [answer for answer in answers if not isinstance(answer, Problem)]
    asked_wrongly = [one for one in problems if one.status == HTTPStatus.BAD_REQUEST]
    if asked_wrongly:
        raise asked_wrongly[0]
    if not found:
        raise max(problems, key=lambda one: one.status)
    return found
