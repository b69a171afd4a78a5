"""What can be looked at without Kafka: settings, files, packages, the disk."""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement

from streams import admin
from streams.access.doors import Door
from streams.doctor.finding import Check, fail, failure, warn
from streams.errors import ConfigurationError
from streams.reload import read_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient

FREE_BYTES: Final = 1 << 30
"""What the embedded broker's disk has free, at least: its jars and a day's records."""


def _secrets(patient: Patient) -> Look:
    """Look at every file with a secret, certificate or key that a worker would read."""
    settings = patient.settings
    ways: list[Callable[[], object]] = [
        settings.security.require_readable,
        lambda: Door(settings),
        settings.read_id_key,
    ]
    for read in ways:
        try:
            read()
        except ConfigurationError as error:
            yield failure(error)
    names = sorted(name for name in settings.model_fields_set if name.endswith("_file"))
    return f"{len(names)} files named by settings can be read, none is open to every user"


def _rules(patient: Patient) -> Look:
    """Look at the rules file."""
    try:
        found = read_rules(patient.settings.rules)
    except ConfigurationError as error:
        yield failure(error)
        return ""
    if not found.rules:
        yield warn(f"{patient.settings.rules} has no rule: nothing will alert", "write rules")
    return f"{patient.settings.rules}: {len(found.rules)} rules, hash {found.hash}"


def _topics_file(patient: Patient) -> Look:
    """Look at topics.yaml."""
    settings = patient.settings
    try:
        count = len(admin.read_topics(settings).specs)
    except ConfigurationError as error:
        yield failure(error)
        return ""
    return f"{settings.topics}: {count} topics, profile {settings.topics_profile}"


def _id_key(patient: Patient) -> Look:
    """Look whether the id key is the published one."""
    if not patient.settings.uses_development_key:
        return "the id key is one of yours"
    if Door.restricts(patient.settings):
        return "the published development key, which is refused: see the check of secret files"
    if patient.settings.kafka_bootstrap_servers is None:
        return "the published development key, which will do for the embedded broker"
    yield warn(
        "the id key is the published development key: anybody can compute alert ids",
        "set GRADEWATCH_ID_KEY_FILE before anybody keeps alerts: other ids follow from another key",
    )
    return ""


def _packages(_: Patient) -> Look:
    """Look at the installed packages that we override the inside of."""
    pinned = [
        requirement
        for requirement in map(Requirement, metadata.requires("gradewatch") or ())
        if any(each.operator == "==" for each in requirement.specifier)
    ]
    for requirement in pinned:
        installed = metadata.version(requirement.name)
        if installed not in requirement.specifier:
            yield fail(
                f"{requirement.name} {installed} is installed; this version of gradewatch was made "
                f"for {requirement.specifier} and relies on its inside",
                "install from requirements.lock",
            )
    return ", ".join(f"{each.name} {metadata.version(each.name)}" for each in pinned)


def _state_directory(patient: Patient) -> Look:
    """Look at where the embedded broker keeps its data; a worker keeps nothing on disk."""
    if patient.settings.kafka_bootstrap_servers is not None:
        return "not needed: workers keep their rows in memory and in Kafka"
        yield  # a generator in any case
    directory = patient.settings.data_dir
    there = next(each for each in (directory, *directory.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        yield fail(f"{there} cannot be written to", "correct GRADEWATCH_DATA_DIR, or its owner")
        return ""
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES:
        yield warn(f"{directory}: {free >> 20} MiB free", "make room, or move GRADEWATCH_DATA_DIR")
    return f"{directory}: {free >> 20} MiB free"


CHECKS: Final = (
    Check("secret files", _secrets, asks_kafka=False),
    Check("rules", _rules, asks_kafka=False),
    Check("topics file", _topics_file, asks_kafka=False),
    Check("alert id key", _id_key, asks_kafka=False),
    Check("packages", _packages, asks_kafka=False),
    Check("state directory", _state_directory, asks_kafka=False),
)
