"""The workers that run: whether they are of one mind, and closed to whom they must be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from streams.access.tokens import read_token
from streams.doctor.finding import Check, fail, warn
from streams.errors import ConfigurationError
from streams.reload import read_rules
from streams.security import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.doctor.finding import Look, Problem
    from streams.doctor.patient import Patient
    from streams.group import Member

ANSWER_SECONDS: Final = 3.0
"""How long a worker may take to answer."""

DATA: Final = "/api/v1/courses/0"
"""A view of data; there is no such course."""

FAUSTS: Final = ("/table/", "/router/", "/graph/", "/stats/")
"""Faust's own pages: they would serve tables to anyone."""


class _Told(NamedTuple):
    """What a worker says of itself in ``gradewatch_info``."""

    worker: str
    version: str
    rules: str
    id_key: str
    held: dict[str, float]


def _alike(patient: Patient) -> Look:
    """Look whether all workers answer, with one version, one set of rules and one key."""
    state, members = patient.group
    if not members:
        return f"group {patient.settings.group}: {state}, no worker runs"
    told: list[_Told] = []
    for member in members:
        if not member.proven:
            yield fail(
                f"member {member.worker} at {member.url} does not prove the id key of this machine",
                "give all workers, and this machine, one id key (GRADEWATCH_ID_KEY_FILE); if it is "
                "no worker of yours, take READ on the group from its principal",
            )
        try:
            told.append(_told(patient, member))
        except (httpx2.HTTPError, ConfigurationError, LookupError, ValueError) as error:
            yield warn(
                f"worker {member.worker} at {member.url} does not say what it is: {error}",
                "look at its log; or this machine cannot reach it",
            )
    for what, remedy in (
        ("version", "finish the upgrade: restart the others"),
        ("rules", "give all workers one rules file, and restart those that differ"),
        (
            "id_key",
            "give all workers one id key (GRADEWATCH_ID_KEY_FILE): alerts would have different ids",
        ),
    ):
        found = {each.worker: getattr(each, what) for each in told}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{worker} {value}" for worker, value in found.items())
            yield (warn if what == "version" else fail)(
                f"workers differ in {what.replace('_', ' ')}: {listed}", remedy
            )
    yield from _held(patient, told)
    yield from _as_the_file(patient, told)
    return f"{len(told)} workers of one version, rules and key; group {state}"


def _held(patient: Patient, told: list[_Told]) -> Iterator[Problem]:
    """Yield which partitions of the raw topic hold every clock."""
    topic, held = patient.settings.topic(patient.settings.raw_topic), dict[str, float]()
    for each in told:
        for number, seconds in each.held.items():
            held[number] = max(seconds, held.get(number, 0.0))
    for number, seconds in sorted(held.items()):
        yield warn(
            f"{topic}[{number}] has not said for {seconds / 60:.0f} min how far it has come: no "
            "clock moves, and no alert settles",
            "see that a worker has it, and that its lag falls: gradewatch workers list",
        )


def _as_the_file(patient: Patient, told: list[_Told]) -> Iterator[Problem]:
    """Yield that the workers have other rules than the file here."""
    try:
        ours = read_rules(patient.settings.rules).hash
    except ConfigurationError:
        return  # the check of the rules says so
    if told and ours not in {each.rules for each in told}:
        yield warn(
            f"no worker has the rules of {patient.settings.rules} (hash {ours})",
            "restart the workers, or look with their GRADEWATCH_RULES",
        )


def _told(patient: Patient, member: Member) -> _Told:
    file = patient.settings.web_token_file
    headers = dict[str, str]()
    if file is not None and member.proven:  # a token is nothing to show to strangers
        headers["Authorization"] = f"Bearer {read_token(file)}"
    answer = httpx2.get(
        member.url.rstrip("/") + "/metrics",
        headers=headers,
        timeout=ANSWER_SECONDS,
        trust_env=False,
    )
    answer.raise_for_status()
    info, held = dict[str, str](), dict[str, float]()
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name == "gradewatch_info":
                info = dict(sample.labels)
            elif sample.name == "gradewatch_clock_held_seconds":
                held[sample.labels["partition"]] = sample.value
    if not info:
        raise LookupError("no gradewatch_info among its metrics: an older version")
    return _Told(member.worker, info["version"], info["rules"], info["id_key"], held)


def _closed(patient: Patient) -> Look:
    """Look at what the workers' web views give to somebody without the token."""
    _, members = patient.group
    settings = patient.settings
    token = settings.web_token_file is not None or settings.access_file is not None
    for member in members:
        beyond = not is_loopback(urlsplit(member.url).hostname or "")
        asked = (DATA, "/metrics") if token or beyond else ()
        for path in (*asked, *FAUSTS):
            try:
                status = httpx2.get(
                    member.url.rstrip("/") + path, timeout=ANSWER_SECONDS, trust_env=False
                ).status_code
            except httpx2.HTTPError:
                continue  # the check of the workers says so
            # A page that nobody may see before they have signed in leads to where they do.
            closed = {303, 401, 404, 421} if path in FAUSTS else {401}
            if status not in closed:
                yield fail(
                    f"worker {member.worker}: {member.url}{path} answers {status} to anyone",
                    "set GRADEWATCH_ACCESS_FILE; see who stands in front of it",
                )
        if beyond and urlsplit(member.url).scheme == "http":
            yield warn(
                f"worker {member.worker}: {member.url}: scores and the token travel in the clear",
                "put a TLS proxy before it (GRADEWATCH_CANONICAL_URL), or keep to a safe network",
            )
    who = "needs the token" if token else "any user of this machine can read scores"
    return f"{len(members)} workers looked at; {who}"


def _ready(patient: Patient) -> Look:
    """Look whether every worker says that it is ready, and whether each has a name of its own."""
    _, members = patient.group
    for name, many in Counter(member.worker for member in members).items():
        if many > 1:
            yield fail(
                f"{many} workers have the GRADEWATCH_WORKER_ID {name}",
                "give each its own, and start them again; one that crashed is gone after 10 s",
            )
    for member in members:
        try:
            told = httpx2.get(
                member.url.rstrip("/") + "/readyz", timeout=ANSWER_SECONDS, trust_env=False
            ).json()
            reasons, warnings = told.get("reasons", ()), told.get("warnings", ())
        except (httpx2.HTTPError, ValueError, AttributeError):
            continue  # the check of the workers says so
        for reason in reasons:
            yield fail(f"worker {member.worker} is not ready: {reason}", "look at its log")
        for warning in warnings:
            yield warn(f"worker {member.worker}: {warning}", "look at its log")
    return f"{len(members)} workers are ready"


CHECKS: Final = (
    Check("workers", _alike),
    Check("readiness", _ready),
    Check("web exposure", _closed),
)
