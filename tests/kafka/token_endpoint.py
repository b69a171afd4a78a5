"""An OAuth 2.0 token endpoint on this machine: client credentials in, signed tokens (JWT) out."""

from __future__ import annotations

import base64
import json
import math
import ssl
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import trustme

AUDIENCE, ISSUER = "kafka", "https://login.test"


class TokenEndpoint:
    """Gives tokens to whoever knows a secret.

    Attributes:
        url: Where; by https.
        secrets: Client id → its secret.
        seconds: How long the tokens live that it gives from now on.
        given: How many it gave.
    """

    def __init__(self, certificate: trustme.LeafCert) -> None:
        """Be there; the certificate must be for 127.0.0.1."""
        self.secrets: dict[str, str] = {}
        self.seconds = 3600.0
        self.given = 0
        self._key = RSAKey.generate_key(2048, {"kid": "tests"}, private=True)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """It is gone."""
        self._server.shutdown()
        self._server.server_close()

    def write_keys(self, file: Path) -> None:
        """The public key is in a file, as brokers read it (JWKS)."""
        file.write_text(json.dumps(KeySet([self._key]).as_dict(private=False)))

    def token(self, client_id: str, seconds: float) -> str:
        """Return a token that lives that long; negative: that ended so long ago."""
        now = time.time()
        claims = {
            "sub": client_id, "aud": AUDIENCE, "iss": ISSUER, "scope": "kafka",
            "iat": math.floor(min(now, now + seconds)) - 1, "exp": math.ceil(now + seconds),
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": "tests"}, claims, self._key)

    def answer(self, authorization: str) -> tuple[HTTPStatus, Mapping[str, object]]:
        """Return what a client is told that shows its id and secret (HTTP Basic)."""
        shown = base64.b64decode(authorization.removeprefix("Basic ") or b"Og==").decode()
        client_id, _, secret = (unquote(part) for part in shown.partition(":"))
        if self.secrets.get(client_id) != secret:
            return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
        with self._lock:
            self.given += 1
        token = self.token(client_id, self.seconds)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.seconds)}
        return HTTPStatus.OK, told

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, told = endpoint.answer(self.headers.get("Authorization", ""))
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
