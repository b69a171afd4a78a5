"""Who asks: told by the token in a header, or by a session that began with one.

A session is a signed cookie and nothing is kept of it: every worker knows it, and it ends with the
token that it began with.
"""

from __future__ import annotations

import hmac
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from mode import Service

from streams.access import people
from streams.access.roles import ANYBODY_HERE, Person, Role
from streams.access.tokens import read_token
from streams.core.keys import Use, derive
from streams.errors import ConfigurationError
from streams.security import is_loopback
from streams.watched import WatchedFile

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

COOKIE: Final = "__Host-gradewatch"
"""Browsers keep such a name from other hosts and from plain HTTP."""

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks at the access file: so long a revoked token may still be used."""

SERVICE: Final = Person("service", Role.SERVICE)
"""Who has the token of GRADEWATCH_WEB_TOKEN_FILE."""


class Denied(Exception):  # noqa: N818 - what happened, not what went wrong
    """Nobody is let in.

    Attributes:
        code: One word for programs.
        message: One sentence for people; it repeats nothing of the request.
    """

    def __init__(self, message: str) -> None:
        """Say why."""
        super().__init__(message)
        self.code, self.message = "unauthorized", message


class Door(Service):
    """Knows everybody who may come in; while it runs, it reads the access file when that changes.

    Attributes:
        asks: Whether anybody has to say who they are.
        loopback: Whether only this machine can connect.
    """

    def __init__(self, settings: Settings) -> None:
        """Read who there is.

        Args:
            settings: Name the files.

        Raises:
            ConfigurationError: Scores would be open to other machines, the id key is the published
                one, or a file is missing, open to every user, or not what it should be.
        """
        super().__init__()
        self.loopback = is_loopback(settings.web_host)
        token, self._file = settings.web_token_file, settings.access_file
        self.asks = token is not None or self._file is not None
        if not self.asks and not self.loopback:
            raise ConfigurationError(
                f"GRADEWATCH_WEB_HOST {settings.web_host} is open to other machines, and nobody "
                "has to say who they are",
                "set GRADEWATCH_ACCESS_FILE (gradewatch access add) or GRADEWATCH_WEB_TOKEN_FILE, "
                "or leave GRADEWATCH_WEB_HOST at 127.0.0.1",
            )
        self._people: dict[str, Person] = {}
        self._by_name: dict[str, str] = {}
        self._failed = ""
        self._watched: WatchedFile[dict[str, Person]] | None = None
        if self._file is not None:
            read = partial(_read, self._file)
            self._watched = WatchedFile(self._file, read)
            self._take(read())
        self._token = None if token is None else read_token(token)
        self._key = derive(settings.read_id_key(), Use.SESSIONS)
        self._session_seconds = settings.session_hours * 3600
        if self.restricts(settings) and settings.uses_development_key:
            raise ConfigurationError(
                "the id key is the published development key, and access is restricted: anybody "
                "who has read the source could sign in as anybody",
                "make a key for all workers: (umask 077; openssl rand -hex 32 > id-key), and set "
                "GRADEWATCH_ID_KEY_FILE=id-key",
            )

    @staticmethod
    def restricts(settings: Settings) -> bool:
        """Return whether these settings keep anybody out, or let other machines in."""
        files = (settings.access_file, settings.web_token_file)
        return any(file is not None for file in files) or not is_loopback(settings.web_host)

    def person(self, authorization: str | None, cookie: str | None, now: float) -> Person:
        """Return who asks. A token counts for more than a session.

        Args:
            authorization: The header.
            cookie: The value of the cookie `COOKIE`.
            now: Seconds since 1970.

        Raises:
            Denied: Nobody knows, or no longer.
        """
        if not self.asks:
            return ANYBODY_HERE
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Denied("this needs a token: Authorization: Bearer TOKEN")
            return self._bearer(token.strip())[0]
        if cookie:
            return self._of_session(cookie, now)
        raise Denied("this needs a token: Authorization: Bearer TOKEN")

    def named(self, name: str, role: str) -> Person:
        """Return the person of a name, on whose behalf another worker asks.

        Args:
            name: As the access file calls them; "service", "local".
            role: As the other worker knows it.

        Raises:
            Denied: Nobody here has this name and this role.
        """
        known = [] if self.asks else [ANYBODY_HERE]
        if self._token is not None:
            known.append(SERVICE)
        if name in self._by_name:
            known.append(self._people[self._by_name[name]])
        for person in known:
            if (person.name, person.role.value) == (name, role):
                return person
        raise Denied("nobody is known here by this name and role, or no longer")

    def sign_in(self, token: str, now: float) -> str:
        """Return the cookie of a session that begins now.

        Args:
            token: As `gradewatch access add` printed it.
            now: Seconds since 1970.

        Raises:
            Denied: Nobody has it.
        """
        person, secret = self._bearer(token)
        told = f"{person.name}~{int(now) + self._session_seconds}"
        return f"{told}~{self._signed(told, secret)}"

    def warnings(self) -> list[str]:
        """Return that the access file as it is now is not in force, and why."""
        if not self._failed:
            return []
        return [f"the access file as it is now is not in force: {self._failed}"]

    def _bearer(self, token: str) -> tuple[Person, str]:
        """Return who has a token, and what signs their sessions."""
        known = self._token
        shown = token.encode("utf-8", "surrogateescape")
        # In constant time: how much of it is right must not be told by how long it takes. The
        # others are looked up by their hash: whoever guesses cannot choose how it begins.
        if known is not None and hmac.compare_digest(shown, known.encode()):
            return SERVICE, people.hashed(known)
        hashed = people.hashed(token)
        person = self._people.get(hashed)
        if person is None:
            raise Denied("this token is not known here, or no longer")
        return person, hashed

    def _of_session(self, cookie: str, now: float) -> Person:
        told, _, mac = cookie.rpartition("~")
        name, _, expiry = told.partition("~")
        secret = self._by_name.get(name)
        if secret is None and name == SERVICE.name and self._token is not None:
            secret = people.hashed(self._token)
        # Signed first: what nobody signed is not looked at, and not told apart.
        good = hmac.compare_digest(
            mac.encode("utf-8", "surrogateescape"), self._signed(told, secret or "").encode()
        )
        if secret is None or not good or int(expiry) < now:
            raise Denied("the session is over: sign in again")
        return self._people.get(secret, SERVICE)

    def _signed(self, told: str, secret: str) -> str:
        text = f"session~{told}~{secret}".encode("utf-8", "surrogateescape")
        return blake2b(text, key=self._key, digest_size=24).hexdigest()

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Take over the access file if it has changed; a wrong one changes nobody's access."""
        if self._watched is None:
            return
        try:
            found = await self._watched.changed()
        except ConfigurationError as error:
            self._failed = str(error.args[0])
            return
        if found is not None:
            self._take(found)
            self._failed = ""

    def _take(self, found: dict[str, Person]) -> None:
        self._people = found
        self._by_name = {person.name: hashed for hashed, person in found.items()}


def _read(file: Path) -> dict[str, Person]:
    return people.load(file).by_token()
