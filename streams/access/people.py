"""The access file: who there is, by which token, and whom each may see. It holds no token itself.

A token is 256 random bits: nobody guesses what has a given SHA-256, so no slow hash is needed, as
it is for passwords, and each request is answered without one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from streams import files
from streams.access.roles import Person, Role
from streams.core import ids
from streams.core.events import TENANT_LENGTH
from streams.errors import ConfigurationError, NotFoundError
from streams.security.secret_files import require_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SETTING: Final = "GRADEWATCH_ACCESS_FILE"
MAKE: Final = "make it: gradewatch access add NAME --role ROLE"

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What people and programs may be called."""

TOKEN_BYTES: Final = 32

MOST_BYTES: Final = 64 << 20
"""Size of the largest access file that is read."""

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Tenant = Annotated[str, Field(min_length=1, max_length=TENANT_LENGTH)]


class Relation(StrEnum):
    """What somebody is to a student or a course."""

    ADVISES = "advises"  # an advisor a student
    TEACHES = "teaches"  # an instructor a course


FITTING: Final = {Relation.ADVISES: Role.ADVISOR, Relation.TEACHES: Role.INSTRUCTOR}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(_Strict):
    """One person or program, and what their token hashes to."""

    name: Name
    role: Role
    tenant: Tenant | None = None
    student_id: str | None = None
    token_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    made_at: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Named:
        if self.role is Role.LOCAL:
            raise ValueError("nobody can be given the role local")
        if self.role is not Role.STUDENT:
            if self.student_id is not None:
                raise ValueError("only a student has a student_id")
        elif self.student_id is None or self.tenant is None:
            raise ValueError("a student has a tenant and a student_id")
        return self

    @field_validator("student_id")
    @classmethod
    def _id(cls, value: str | None) -> str | None:
        return None if value is None else number(value)


class Assignment(_Strict):
    """That somebody advises a student, or teaches a course."""

    name: Name
    relation: Relation
    tenant: Tenant
    id: str

    @field_validator("id")
    @classmethod
    def _id(cls, value: str) -> str:
        return number(value)


class People(_Strict):
    """The access file."""

    version: Literal[1] = 1
    people: tuple[Named, ...] = ()
    assignments: tuple[Assignment, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> People:
        seen = set[str]()
        for person in self.people:
            if person.name in seen:
                raise ValueError(f"{person.name} is there twice")
            seen.add(person.name)
        return self

    def one(self, name: str) -> Named:
        """Return whom a name names.

        Raises:
            NotFoundError: Nobody.
        """
        for each in self.people:
            if each.name == name:
                return each
        raise NotFoundError(f"nobody is called {name}", "gradewatch access list names everybody")

    def by_token(self) -> dict[str, Person]:
        """Return everybody by the SHA-256 of their token, with whom they may see.

        An advisor to whom nobody is assigned sees nobody, an instructor without courses nothing.
        Of one without a tenant the first assignment says which is theirs: the same number is
        another student's elsewhere.
        """
        assigned = defaultdict[str, list[Assignment]](list)
        for assignment in self.assignments:
            assigned[assignment.name].append(assignment)
        return {named.token_sha256: _person(named, assigned[named.name]) for named in self.people}


def _person(named: Named, assignments: Sequence[Assignment]) -> Person:
    """Return a person of the access file with the students or courses they may see.

    Args:
        named: The person's entry in the file.
        assignments: All assignments that name this person, in the order of the file.
    """
    tenant = named.tenant
    if tenant is None and named.role in FITTING.values() and assignments:
        tenant = assignments[0].tenant
    # An id may be written local or global; rows keep either: both spellings are theirs.
    assigned = frozenset(
        spelled
        for assignment in assignments
        if assignment.tenant == tenant
        for spelled in ids.spellings(assignment.id)
    )
    students = courses = None
    if named.role is Role.ADVISOR:
        students = assigned
    elif named.role is Role.INSTRUCTOR:
        courses = assigned
    elif named.role is Role.STUDENT:
        students = frozenset(ids.spellings(named.student_id or ""))
    return Person(named.name, named.role, tenant, students, courses)


def number(value: str) -> str:
    """Return an id as it was given, without blanks.

    Raises:
        ValueError: It is none.

    Example:
        >>> number(" 48")
        '48'
    """
    stripped = value.strip()
    try:
        ids.number(stripped)
    except ValueError:
        raise ValueError("an id is a number from 1 to 2^63 - 1") from None
    return stripped


def hashed(token: str) -> str:
    """Return what the access file holds of a token."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def new_token() -> str:
    """Return a token that nobody had before."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def load(file: Path) -> People:
    """Return what an access file says.

    Args:
        file: Only its owner and group may have access to it.

    Raises:
        ConfigurationError: It is missing, no regular file, open to every user, or no access file;
            each problem is named by its place, and nothing that it holds is repeated.
    """
    require_private(SETTING, file, MAKE)
    try:
        return People.model_validate_json(files.read(file, MOST_BYTES))
    except OSError as error:
        raise ConfigurationError(
            f"{SETTING} {file} cannot be read: {error.strerror}", MAKE
        ) from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        told = "; ".join(
            ": ".join(
                [".".join(map(str, one["loc"])) or "file", one["msg"].removeprefix("Value error, ")]
            )
            for one in found[:5]
        )
        raise ConfigurationError(
            f"{SETTING} {file} is no access file: {told}",
            "correct it, or make it anew: gradewatch access add",
        ) from None


def save(file: Path, people: People) -> None:
    """The file holds these people, for its owner alone; at no time is it half written.

    Raises:
        ConfigurationError: It cannot be written.
    """
    text = people.model_dump_json(indent=1, exclude_none=True) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = file.stat().st_mode & 0o770 if file.exists() else 0o600
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
        ) as part:
            os.fchmod(part.fileno(), mode)
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
        Path(part.name).replace(file)
    except OSError as error:
        raise ConfigurationError(
            f"{SETTING} {file} cannot be written: {error.strerror}", "choose another place for it"
        ) from None


@contextmanager
def editing(file: Path) -> Iterator[list[People]]:
    """Lend what a file says, in a list of one; what stands there at the end is kept.

    Two who edit at once follow one another. A file that is not there says nothing yet.

    Raises:
        ConfigurationError: It is no access file, or cannot be written.
    """
    lock = file.with_name(f".{file.name}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        held = lock.open("w")
    except OSError as error:
        raise ConfigurationError(
            f"{SETTING} {file} cannot be written: {error.strerror}", "choose another place for it"
        ) from None
    with held:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = load(file) if file.exists() else People()
        now = [before]
        yield now
        if now[0] is not before:
            save(file, now[0])
