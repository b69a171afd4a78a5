"""A broker that asks everybody who they are, and lets nobody do what no ACL allows.

The embedded Kafka with listeners of its own: SASL_SSL (SCRAM-SHA-512, PLAIN and OAUTHBEARER), SSL
with client certificates (mTLS), and SSL with a certificate of another host. The plain listener that
the embedded broker is found by stays: whoever comes there is nobody, and may do nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import trustme
from cryptography.hazmat.primitives import serialization
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams import acls, admin
from streams.broker import config, ports
from streams.connection import client
from streams.settings import Settings, load
from tests.kafka.conftest import OwnKafka
from tests.kafka.running import until
from tests.kafka.token_endpoint import AUDIENCE, ISSUER, TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.core.acls import Acl
    from streams.security import Kafka

ADMIN: Final = "admin"
PASSWORD: Final = "pass-word-of-"  # noqa: S105 - of the tests
"""What the password of each user starts with; it ends with the user's name."""

_SECURITY: Final = "org.apache.kafka.common.security"
_LISTENERS: Final = ("SASL", "MTLS", "ELSEWHERE")


class SecuredKafka(OwnKafka):
    """A broker with an authorizer.

    Attributes:
        endpoint: Where its clients' tokens come from.
        directory: Certificates, keys, passwords.
    """

    def __init__(self, data_dir: Path, jar_dir: Path) -> None:
        """Make certificates, and choose ports."""
        super().__init__(data_dir / "data", jar_dir)
        self.directory = data_dir / "security"
        self.directory.mkdir(parents=True)
        self._ca = trustme.CA()
        self.ca_file = self._write("ca.pem", self._ca.cert_pem.bytes())
        self._write("stranger.pem", trustme.CA().cert_pem.bytes())
        self._ports = {name: ports.choose(0) for name in _LISTENERS}
        self.endpoint = TokenEndpoint(self._ca.issue_cert("127.0.0.1"))
        self.endpoint.write_keys(self.directory / "jwks.json")
        self._keystore("broker", self._ca.issue_cert("127.0.0.1", common_name="broker"))
        self._keystore("elsewhere", self._ca.issue_cert("elsewhere.test", common_name="elsewhere"))

    def start(self) -> None:
        """All its listeners answer, and ``admin`` has a password."""
        with self._secured():
            super().start()
        with client(admin.bootstrap(load(**self.mtls(ADMIN)))) as asked:
            _add_scram_user(asked, ADMIN)
        until(lambda: self._knows(ADMIN))

    def stop(self) -> None:
        """It ended, and the token endpoint with it."""
        super().stop()
        self.endpoint.close()

    @property
    def admin(self) -> Kafka:
        """The Kafka of who may do everything."""
        return self.as_(ADMIN)

    def as_(self, user: str) -> Kafka:
        """Return the Kafka of a user, by SCRAM-SHA-512."""
        return admin.bootstrap(load(**self.scram(user)))

    def scram(self, user: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the settings by which a user gets in with SCRAM-SHA-512; ``told`` wins."""
        return self._sasl(
            kafka_sasl_mechanism="SCRAM-SHA-512",
            kafka_username=user,
            kafka_password_file=self.secret(f"{user}.password", PASSWORD + user),
            **told,
        )

    def plain(self, user: str) -> dict[str, Any]:
        """Return the settings by which a user gets in with PLAIN; only ``admin`` can."""
        return self.scram(user) | {"kafka_sasl_mechanism": "PLAIN"}

    def oauth(self, user: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the settings by which a user gets in with tokens from the endpoint."""
        self.endpoint.secrets[user] = PASSWORD + user
        return self._sasl(
            kafka_sasl_mechanism="OAUTHBEARER",
            kafka_oauth_token_url=self.endpoint.url,
            kafka_oauth_client_id=user,
            kafka_oauth_client_secret_file=self.secret(f"{user}.password", PASSWORD + user),
            **told,
        )

    def token_file(self, user: str, seconds: float) -> dict[str, Any]:
        """Return the settings by which a user gets in with a token in a file."""
        file = self.secret(f"{user}.token", self.endpoint.token(user, seconds))
        return self._sasl(kafka_sasl_mechanism="OAUTHBEARER", kafka_oauth_token_url=file.as_uri())

    def mtls(self, user: str, listener: str = "MTLS", **told: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the settings by which a user gets in with a certificate."""
        cert, key = (self.directory / f"{user}.{kind}.pem" for kind in ("cert", "key"))
        if not cert.exists():
            issued = self._ca.issue_cert(f"{user}.test", common_name=user)
            self._write(cert.name, issued.cert_chain_pems[0].bytes())
            self._write(key.name, issued.private_key_pem.bytes())
        return {
            "kafka_bootstrap_servers": self.servers(listener),
            "kafka_security_protocol": "SSL",
            "kafka_ca_file": self.ca_file,
            "kafka_cert_file": cert,
            "kafka_key_file": key,
            **told,
        }

    def settings(self, user: str, **told: Any) -> Settings:  # noqa: ANN401
        """Return all settings of a user who gets in with SCRAM-SHA-512."""
        return load(**self.scram(user, **told))

    def servers(self, listener: str) -> str:
        """Return where a listener is: ``SASL``, ``MTLS`` or ``ELSEWHERE``."""
        return f"{config.HOST}:{self._ports[listener]}"

    def secret(self, name: str, text: str) -> Path:
        """Return a file that holds a secret, closed to others."""
        return self._write(name, text.encode())

    def add_user(self, user: str, granted: Iterable[Acl] = ()) -> str:
        """A user gets in by SCRAM-SHA-512, and has some rights; return its principal."""
        with client(self.admin) as asked:
            _add_scram_user(asked, user)
        until(lambda: self._knows(user))
        self.grant(user, granted)
        return f"User:{user}"

    def grant(self, user: str, granted: Iterable[Acl]) -> None:
        """A user has these rights, too."""
        acls.grant(self.admin, f"User:{user}", list(granted))

    def revoke(self, user: str, *gone: Acl) -> None:
        """A user has these rights no more; of none named: none at all."""
        principal = f"User:{user}"
        there = [each.acl for each in acls.observe(self.admin, principal)]
        revoked = set(gone or there)
        with client(self.admin) as asked:
            asked.delete_acls([_filter(principal, each) for each in revoked])
        until(lambda: not revoked & {each.acl for each in acls.observe(self.admin, principal)})

    def _knows(self, user: str) -> bool:
        with client(admin.bootstrap(load(**self.mtls(ADMIN)))) as asked:
            return asked.describe_user_scram_credentials([user])[user]["error"] is None

    def _sasl(self, **told: Any) -> dict[str, Any]:  # noqa: ANN401
        return {
            "kafka_bootstrap_servers": self.servers("SASL"),
            "kafka_security_protocol": "SASL_SSL",
            "kafka_ca_file": self.ca_file,
            **told,
        }

    def _write(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.touch(0o600)
        path.write_bytes(content)
        return path

    def _keystore(self, name: str, issued: trustme.LeafCert) -> None:
        """Write a key and its certificate as Kafka reads them: PKCS#8 and PEM."""
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._write(f"{name}.keystore.pem", pem + issued.cert_chain_pems[0].bytes())

    def _properties(self) -> dict[str, str]:
        here = self.directory
        oauth = "listener.name.sasl.oauthbearer.sasl"
        return {
            "inter.broker.listener.name": "MTLS",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN};User:broker",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(here / "broker.keystore.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca_file),
            "ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            "listener.name.sasl.ssl.client.auth": "none",
            "listener.name.elsewhere.ssl.client.auth": "none",
            "listener.name.elsewhere.ssl.keystore.type": "PEM",
            "listener.name.elsewhere.ssl.keystore.location": str(here / "elsewhere.keystore.pem"),
            "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN,OAUTHBEARER",
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": (
                f"{_SECURITY}.scram.ScramLoginModule required;"
            ),
            "listener.name.sasl.plain.sasl.jaas.config": (
                f'{_SECURITY}.plain.PlainLoginModule required user_{ADMIN}="{PASSWORD}{ADMIN}";'
            ),
            f"{oauth}.jaas.config": f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required;",
            f"{oauth}.server.callback.handler.class": (
                f"{_SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            f"{oauth}.oauthbearer.jwks.endpoint.url": (here / "jwks.json").as_uri(),
            f"{oauth}.oauthbearer.expected.audience": AUDIENCE,
            f"{oauth}.oauthbearer.expected.issuer": ISSUER,
            # A connection lives no longer than the token it was made with (KIP-368).
            "listener.name.sasl.oauthbearer.connections.max.reauth.ms": "3600000",
        }

    @contextmanager
    def _secured(self) -> Iterator[None]:
        write, command = config.write_properties, config.kafka_command

        def with_ours(home: Path, port: int, controller_port: int) -> Path:
            path = write(home, port, controller_port)
            lines = dict(line.split("=", 1) for line in path.read_text().splitlines())
            here = "".join(f",{name}://{self.servers(name)}" for name in _LISTENERS)
            lines["listeners"] += here
            lines["advertised.listeners"] += here
            lines["listener.security.protocol.map"] = (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:SSL,SASL:SASL_SSL,MTLS:SSL,ELSEWHERE:SSL"
            )
            lines |= self._properties()
            path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
            return path

        def with_files(jars: list[Path], home: Path) -> list[str]:
            told = command(jars, home)
            allowed = f"{_SECURITY.replace('common.security', 'sasl')}.oauthbearer.allowed"
            keys = self.directory / "jwks.json"
            return [
                told[0],
                f"-D{allowed}.files={keys}",
                f"-D{allowed}.urls={keys.as_uri()}",
                *told[1:],
            ]

        config.write_properties, config.kafka_command = with_ours, with_files
        try:
            yield
        finally:
            config.write_properties, config.kafka_command = write, command


def _add_scram_user(asked: Any, user: str) -> None:  # noqa: ANN401 - kafka-python has no types
    wanted = UserScramCredentialUpsertion(
        user, ScramMechanism.SCRAM_SHA_512, PASSWORD + user, iterations=4096
    )
    assert asked.alter_user_scram_credentials([wanted]) == {user: None}


def _filter(principal: str, acl: Acl) -> ACLFilter:
    kind = ACLResourcePatternType.PREFIXED if acl.prefixed else ACLResourcePatternType.LITERAL
    what = ResourcePatternFilter(ResourceType[acl.resource.upper()], acl.name, kind)
    operation = ACLOperation[acl.operation]
    return ACLFilter(principal, None, operation, ACLPermissionType.ANY, what)
