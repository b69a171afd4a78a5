"""OAuth 2.0 tokens for Kafka (KIP-255, KIP-768): from a token endpoint, or from a file.

``https://…`` is asked for a token by the client-credentials grant (RFC 6749, 4.4);
``file:///…`` holds one that something else keeps fresh (a Kubernetes service account token), as
Kafka's own client has it. A token is shown as it is: only brokers look into it.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import aiokafka.abc
import kafka.errors
import kafka.net.sasl.oauth
from aiokafka.errors import KafkaConnectionError

from streams.errors import BrokerError, ConfigurationError
from streams.security.secret_files import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable

_SECRET: Final = "GRADEWATCH_KAFKA_OAUTH_CLIENT_SECRET_FILE"  # noqa: S105 - its name
_URL: Final = "GRADEWATCH_KAFKA_OAUTH_TOKEN_URL"

TIMEOUT_SECONDS: Final = 10.0
"""How long a token endpoint may take."""

FILE_SECONDS: Final = 60.0
"""How long a token from a file is used before the file is read again."""

FRESH: Final = 0.8
"""Part of a token's life after which another is fetched."""


class Token(NamedTuple):
    """A token.

    Attributes:
        text: What brokers are shown.
        expires: Seconds since 1970.
        renew: When to fetch another, by `time.monotonic`: this machine's clock may be set.
    """

    text: str
    expires: float
    renew: float


@dataclass(frozen=True)
class Tokens:
    """Where tokens come from; all clients of a process share them.

    Attributes:
        url: ``https://…`` or ``file:///…``.
        client_id: Who asks; only of an endpoint.
        client_secret_file: Its secret, read anew for each token.
        scope: What is asked for; None: the endpoint's default.
        ca_file: PEM; who signs the endpoint's certificate, besides whom the system trusts.
    """

    url: str
    client_id: str | None = None
    client_secret_file: Path | None = None
    scope: str | None = None
    ca_file: Path | None = None
    _held: list[Token] = field(default_factory=list, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def file(self) -> Path | None:
        """The file that tokens come from; None: they come from an endpoint."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    def require_readable(self) -> None:
        """What a token needs is there.

        Raises:
            ConfigurationError: It is not.
        """
        if self.file is not None:
            read_secret(_URL, self.file, "have it written before the worker starts")
        elif self.client_secret_file is not None:
            read_secret(_SECRET, self.client_secret_file)

    def token(self) -> Token:
        """Return a token that lives on for a while; a new one where that is needed. Blocks.

        Raises:
            BrokerError: The endpoint does not answer, or refuses.
            ConfigurationError: A file that is needed is missing or bad.
        """
        with self._lock:
            if not self._held or time.monotonic() >= self._held[0].renew:
                self._held[:] = [self._fetched()]
            return self._held[0]

    def librdkafka(self, _: str) -> tuple[str, float]:
        """Return a token and when it expires, as librdkafka asks for it.

        Raises:
            BrokerError, ConfigurationError: As `token`; librdkafka tries again.
        """
        token = self.token()
        return token.text, token.expires

    def _fetched(self) -> Token:
        now, began = time.time(), time.monotonic()
        if self.file is not None:
            text = read_secret(_URL, self.file, "have it written before the worker starts")
            return Token(text, now + FILE_SECONDS, began + FRESH * FILE_SECONDS)
        answer = self._asked()
        token, seconds = answer.get("access_token"), answer.get("expires_in") or FILE_SECONDS
        if not isinstance(token, str) or not isinstance(seconds, int | float):
            raise self._refused("its answer holds no access_token")
        return Token(token, now + seconds, began + FRESH * seconds)

    def _asked(self) -> dict[str, object]:
        # Imported when it is needed: a tenth of a second that most commands do without.
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415
        from authlib.integrations.httpx_client import OAuth2Client  # noqa: PLC0415
        from httpx2 import HTTPError  # noqa: PLC0415

        assert self.client_secret_file is not None  # noqa: S101 - settings are checked
        secret = read_secret(_SECRET, self.client_secret_file)
        trust = ssl.create_default_context()
        if self.ca_file is not None:
            trust.load_verify_locations(self.ca_file)
        try:
            with OAuth2Client(
                self.client_id, secret, scope=self.scope, verify=trust, timeout=TIMEOUT_SECONDS
            ) as client:
                return dict(client.fetch_token(self.url, grant_type="client_credentials"))
        except (HTTPError, OAuthError, ValueError) as error:
            said = " ".join(str(error).split())[:200]  # another server's words
            raise self._refused(f"{type(error).__name__} {said}") from None

    def _refused(self, why: str) -> BrokerError:
        return BrokerError(
            f"no token for Kafka from {self.url}: {why}",
            f"check {_URL}, GRADEWATCH_KAFKA_OAUTH_CLIENT_ID and {_SECRET}",
        )


class Aiokafka(aiokafka.abc.AbstractTokenProvider):  # type: ignore[misc]
    """Tokens as aiokafka asks for them."""

    def __init__(self, source: Tokens) -> None:
        """Remember where they come from."""
        self._source = source

    async def token(self) -> str:
        """Return a token.

        Raises:
            KafkaConnectionError: There is none now: the client tries again, as it does when a
                broker is away.
        """
        return await asyncio.to_thread(_text, self._source, KafkaConnectionError)


class KafkaPython(kafka.net.sasl.oauth.AbstractTokenProvider):  # type: ignore[misc]
    """Tokens as kafka-python asks for them."""

    def __init__(self, source: Tokens) -> None:
        """Remember where they come from."""
        super().__init__()
        self._source = source

    def token(self) -> str:
        """Return a token.

        Raises:
            SaslAuthenticationFailedError: There is none now.
        """
        return _text(self._source, kafka.errors.SaslAuthenticationFailedError)


def _text(source: Tokens, failure: Callable[[str], Exception]) -> str:
    try:
        return source.token().text
    except (BrokerError, ConfigurationError) as error:
        raise failure(str(error).partition("\n")[0]) from None
