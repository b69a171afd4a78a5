"""Files that people write are read only if they are regular and of a sensible size."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from streams import admin, files, watched
from streams.access import people
from streams.access.doors import Door
from streams.access.people import Assignment, Named, People, Relation
from streams.access.roles import Role
from streams.errors import ConfigurationError
from streams.reload import read_rules
from streams.security import read_secret
from streams.settings import load
from streams.watched import WatchedFile
from tests.access.files import ID_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READERS: dict[str, Callable[[Path], object]] = {
    "rules": read_rules,
    "access": people.load,
    "topics": lambda file: admin.read_topics(load(topics=file)),
    "secret": lambda file: read_secret("GRADEWATCH_WEB_TOKEN_FILE", file),
}


def a_fifo(file: Path) -> None:
    os.mkfifo(file, 0o600)


def a_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def a_directory(file: Path) -> None:
    file.mkdir(0o700)


def a_huge_file(file: Path) -> None:
    file.touch(0o600)
    os.truncate(file, 1 << 33)  # sparse: it takes no room


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("make", [a_fifo, a_device, a_directory, a_huge_file])
def test_what_is_no_file_of_ours_is_refused_at_once(
    tmp_path: Path, reader: str, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "file"
    make(file)
    refused = list[str]()

    def read() -> None:
        try:
            READERS[reader](file)
        except ConfigurationError as error:
            refused.append(str(error))

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(20)

    assert refused, f"{make.__name__} was read, or stops its reader"
    assert str(file) in refused[0]
    assert "no regular file" in refused[0] or "more than" in refused[0] or "open to" in refused[0]


def test_a_file_of_just_the_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")

    assert files.read(file, 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        files.read(file, 4)


def test_a_changed_file_is_read_once_beside_the_event_loop(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    readers = list[int]()

    def read() -> str:
        readers.append(threading.get_ident())
        return file.read_text()

    looked = WatchedFile(file, read)
    assert asyncio.run(looked.changed()) is None
    file.write_text("22")
    assert asyncio.run(looked.changed()) == "22"
    assert asyncio.run(looked.changed()) is None
    assert asyncio.run(looked.changed(always=True)) == "22"
    assert threading.get_ident() not in readers


def test_a_file_server_that_hangs_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "READ_SECONDS", 0.05)
    over = threading.Event()
    looked = WatchedFile(tmp_path / "file", over.wait)
    try:
        with pytest.raises(ConfigurationError, match="not read within"):
            asyncio.run(looked.changed(always=True))
    finally:
        over.set()


def a_university(folder: Path) -> Path:
    """Write an access file of 2,000 advisors with 30,000 students."""
    advisors = tuple(
        Named(name=f"adv{n}", role=Role.ADVISOR, token_sha256=people.hashed(f"token of {n}"))
        for n in range(2_000)
    )
    assigned = tuple(
        Assignment(name=f"adv{n % 2_000}", relation=Relation.ADVISES, tenant="t", id=str(n + 1))
        for n in range(30_000)
    )
    file = folder / "access.json"
    people.save(file, People.model_construct(people=advisors, assignments=assigned))
    return file


def test_the_access_file_of_a_university_is_read_in_linear_time(tmp_path: Path) -> None:
    """0.25 s of one core in 2026; 22 s where each person looks through all assignments."""
    file = a_university(tmp_path)
    began = time.process_time()
    door = Door(load(access_file=file, id_key=ID_KEY))
    assert time.process_time() - began < 4

    person = door.person("Bearer token of 7", None, time.time())
    assert person.students == frozenset(str(number + 1) for number in range(7, 30_000, 2_000))
