"""Every knob: its name, unit, default and meaning. The only module that reads the environment."""

from __future__ import annotations

import json
import os
import re
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsError

from streams.core.keys import Use, derive
from streams.errors import ConfigurationError
from streams.kafka_settings import KafkaSettings, environment_name
from streams.security import read_secret

DEVELOPMENT_ID_KEY = "gradewatch-development-key-not-secret"
"""Published, so that a first run needs no set-up; a worker warns while it is in use."""

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Return where a file that ships with the package lies.

    Args:
        name: ``topics.yaml`` or ``rules.yaml``.

    Returns:
        The one beside the package (a checkout), else the copy inside it (an installed wheel).
    """
    beside = _PACKAGE.parent / name
    return beside if beside.exists() else _PACKAGE / name


class Guarantee(StrEnum):
    """What a crash may do to what readers see; Kafka Streams' words."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"


class Settings(KafkaSettings):
    """What a process was told, checked. Field names are the environment's, without the prefix."""

    namespace: str = Field(
        "", description="prefix of our topics, consumer group and ids; unset: none"
    )
    raw_topic: str = Field(
        "canvas-live-events",
        description="the topic your Canvas live events arrive on; never changed",
    )
    topics: Path = Field(shipped("topics.yaml"), description="the file that describes every topic")
    topics_profile: str = Field(
        "one-broker", description="which profile of the topics file: one-broker or three-brokers"
    )
    rules: Path = Field(shipped("rules.yaml"), description="the file that says what alerts")
    id_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_ID_KEY),
        description="secret that all workers share, 16 to 64 bytes; keys alert ids, sessions, the "
        "audit and requests between workers; keep it for as long as the alerts",
    )
    id_key_file: Path | None = Field(None, description="file with that secret, instead")
    tenants: dict[str, str] = Field(
        default_factory=dict,
        description="JSON object: root_account_id to tenant, for events without root_account_uuid",
    )
    default_tenant: str = Field(
        "default", description="tenant of events that carry no root account at all"
    )
    guarantee: Guarantee = Field(
        Guarantee.EXACTLY_ONCE,
        description="exactly_once: one Kafka transaction for outputs, rows and offsets; "
        "at_least_once: no transactions, a crash may repeat alerts",
    )
    worker_id: str = Field(
        "worker-1",
        description="names a worker: its place in the group, its transactional ids, its log lines",
    )
    web_host: str = Field("127.0.0.1", description="address the web views bind to")
    web_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        6066, description="TCP port of the web views; 0: any free one"
    )
    web_token_file: Path | None = Field(
        None,
        description="file with the token that lets a program read everything; this or an access "
        "file is needed beyond loopback",
    )
    access_file: Path | None = Field(
        None, description="file of who may see what: gradewatch access add"
    )
    session_hours: Annotated[int, Field(ge=1, le=168)] = Field(
        12, description="hours after which whoever signed in to the pages signs in again"
    )
    web_rate: Annotated[int, Field(ge=1, le=100_000)] = Field(
        50, description="requests a second that one person or program may make, in the long run"
    )
    trusted_proxies: str = Field(
        "",
        description="addresses and networks of the proxies before the web views, comma separated: "
        "their X-Forwarded-For says who asks; unset: nobody's is believed",
    )
    canvas_url: str | None = Field(
        None, description="where your Canvas is, https://...: ids on pages then link there"
    )
    canonical_url: str | None = Field(
        None, description="URL other workers reach this one at; unset: http://<web-host>:<web-port>"
    )
    data_dir: Path = Field(
        Path("~/.local/share/gradewatch"),
        description="where the embedded broker keeps its jars and data",
    )
    kafka_image: str = Field(
        "apache/kafka:4.3.1",
        description="container image of Apache Kafka, of docker-compose.yml and of tests with "
        "--broker=container",
    )
    batch_records: Annotated[int, Field(ge=1, le=200_000)] = Field(
        20_000, description="records one poll may bring, at most"
    )
    batch_bytes: Annotated[int, Field(ge=1024, le=256 << 20)] = Field(
        8 << 20, description="bytes one fetch of a partition may bring, at most"
    )
    batch_ms: Annotated[int, Field(ge=1, le=5_000)] = Field(
        100,
        description="milliseconds of work after which a backlog's batch is committed",
    )
    standby_replicas: Annotated[int, Field(ge=0, le=8)] = Field(
        0, description="workers that keep a copy of each partition's rows, to take over at once"
    )

    @field_validator("namespace")
    @classmethod
    def _namespace(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", value):
            raise ValueError("must be lower-case letters, digits and hyphens, 64 at most")
        return value

    @field_validator("raw_topic")
    @classmethod
    def _raw_topic(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", value):
            raise ValueError("must be a Kafka topic name: letters, digits, '.', '_' and '-'")
        return value

    @field_validator("canvas_url")
    @classmethod
    def _canvas_url(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[^\s?#]*)?", value):
            raise ValueError("must be the address of a site: https://canvas.example.edu")
        return value or None

    @field_validator("trusted_proxies")
    @classmethod
    def _trusted_proxies(cls, value: str) -> str:
        try:
            _networks(value)
        except ValueError:
            raise ValueError("must be addresses or networks: 10.0.0.5, 10.1.0.0/16") from None
        return value

    @field_validator("id_key")
    @classmethod
    def _id_key(cls, value: SecretStr) -> SecretStr:
        if not fits_as_id_key(value.get_secret_value()):
            raise ValueError("must be 16 to 64 bytes long")
        return value

    @field_validator(
        "data_dir", "topics", "rules", "id_key_file", "web_token_file", "access_file",
        "kafka_ca_file", "kafka_cert_file", "kafka_key_file", "kafka_key_password_file",
        "kafka_password_file", "kafka_oauth_client_secret_file",
    )  # fmt: skip
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else value

    def topic(self, name: str) -> str:
        """Return a topic's name in this namespace: ``grade-alerts`` → ``<namespace>-grade-alerts``.

        Example:
            >>> Settings(namespace="t1").topic("grade-alerts")
            't1-grade-alerts'
        """
        return f"{self.namespace}-{name}" if self.namespace else name

    @property
    def group(self) -> str:
        """The consumer group of the workers, and the prefix of their transactional ids."""
        return self.topic("gradewatch")

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks whose X-Forwarded-For is believed."""
        return _networks(self.trusted_proxies)

    @property
    def exactly_once(self) -> bool:
        """Whether outputs, rows and offsets are one Kafka transaction."""
        return self.guarantee is Guarantee.EXACTLY_ONCE

    @property
    def id_key_mark(self) -> str:
        """Four hex digits by which workers with different keys can be told apart.

        So few that they say next to nothing of the key.
        """
        return derive(self.read_id_key(), Use.MARK)[:2].hex()

    def read_id_key(self) -> bytes:
        """Return the secret that all workers share, 16 to 64 bytes.

        Raises:
            ConfigurationError: The file with it cannot be read, is open to every user, or holds no
                such key.
        """
        if self.id_key_file is None:
            return self.id_key.get_secret_value().encode()
        make = "make one: umask 077; openssl rand -hex 32 > FILE"
        key = read_secret(environment_name("id_key_file"), self.id_key_file, make)
        if not fits_as_id_key(key):
            raise ConfigurationError(
                f"{environment_name('id_key_file')} {self.id_key_file} holds "
                f"{len(key.encode())} bytes, not 16 to 64",
                make,
            )
        return key.encode()

    @property
    def uses_development_key(self) -> bool:
        """Whether the id key is the published one."""
        return self.id_key_file is None and self.id_key.get_secret_value() == DEVELOPMENT_ID_KEY


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def fits_as_id_key(key: str) -> bool:
    """Tell whether a text is as long as a key of alert ids must be."""
    return 16 <= len(key.encode()) <= 64


def load(**overrides: Any) -> Settings:  # noqa: ANN401 - a field's own type checks each
    """Return the settings of this process: arguments first, then the environment, then defaults.

    Args:
        **overrides: Field values that a command line gave; None means not given.

    Returns:
        The checked settings.

    Raises:
        ConfigurationError: A value is bad; every bad one is named with its environment variable.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except SettingsError as error:  # a field that is JSON, and is not
        field = str(error).partition('"')[2].partition('"')[0]
        raise ConfigurationError(
            f"bad setting: {environment_name(field)}: not a JSON object",
            'write it as {"21070000000000001": "name-of-the-tenant"}',
        ) from None
    except ValidationError as error:
        lines = [
            ": ".join(
                [environment_name(str(name)) for name in item["loc"][:1]]  # of several: none
                + [item["msg"].removeprefix("Value error, ")]
            )
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError(
            "bad setting: " + "; ".join(lines),
            "docs/settings.md lists every setting with its meaning",
        ) from None


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a process that shall have these settings.

    Ours, with every setting that was given its value; secrets among them, so only for a child.
    """
    values = {name: getattr(settings, name) for name in settings.model_fields_set | {"web_port"}}
    given = {
        environment_name(name): value.get_secret_value()
        if isinstance(value, SecretStr)
        else json.dumps(value)
        if isinstance(value, dict)
        else str(value)
        for name, value in values.items()
        if value is not None
    }
    return {**os.environ, **given}  # noqa: TID251 - the one module that reads it
