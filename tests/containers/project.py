"""docker-compose.yml brought up under a name of its own, harmed, looked into, and gone again."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from streams.broker import ports
from streams.settings import environment, load
from tests.containers.engine import DockerError, compose_commands, docker, run
from tests.containers.standins import ROOT
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.containers.conftest import Images

FILE = ROOT / "docker-compose.yml"
CLUSTER = ROOT / "deploy" / "cluster.env"
READY_SECONDS = 180
GROUP = 10001


class Answer(NamedTuple):
    """What a web view answered."""

    status: int
    content: Any


def token_file(
    images: Images, tmp_path: Path, token: str, mode: int = 0o640, name: str = "web-token"
) -> Path:
    """Return a file with a token or key, of the group that the image runs as."""
    file = tmp_path / name
    file.write_text(f"{token}\n")
    file.chmod(mode)
    change = f"import os; os.chown('/at/{file.name}', -1, {GROUP})"
    python = ("--entrypoint", "python3", images.ours, "-c", change)
    docker(
        "run", "--rm", "--user", "0", "--network", "none", "--volume", f"{tmp_path}:/at", *python
    )
    return file


class Project:
    """Everything of the file that some profiles name, for as long as a ``with`` block."""

    def __init__(
        self,
        images: Images,
        tmp_path: Path,
        *options: str,
        brokers: int = 1,
        told: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        """Choose name, ports, token and id key; ``with`` brings it up.

        Args:
            images: What to run.
            tmp_path: For the token file.
            *options: Of the compose command itself, such as ``--profile``.
            brokers: How many of them the options start.
            told: Variables of the file.
            command: What reads the file; none: Docker's plugin, else the classic command.
        """
        self.name = f"gradewatch-test-{secrets.token_hex(4)}"
        self._tmp_path = tmp_path
        self.token, self.id_key = secrets.token_hex(32), secrets.token_hex(32)
        self._command = [
            *(command or compose_commands()[0]),
            *("--project-name", self.name, "--file", str(FILE), *options),
        ]  # fmt: skip
        names = [
            *(f"KAFKA_{number}_PORT" for number in (1, 2, 3)),
            "WORKER_1_PORT",
            "WORKER_2_PORT",
        ]
        self._ports = {name: ports.choose(0) for name in names}
        self.servers = ",".join(
            f"127.0.0.1:{self._ports[f'KAFKA_{number}_PORT']}" for number in range(1, brokers + 1)
        )
        self._told = environment(load()) | {
            "GRADEWATCH_IMAGE": images.ours,
            "GRADEWATCH_KAFKA_IMAGE": images.kafka,
            "GRADEWATCH_WEB_TOKEN_FILE": str(token_file(images, tmp_path, self.token)),
            "GRADEWATCH_ID_KEY_FILE": str(
                token_file(images, tmp_path, self.id_key, name="id-key")
            ),
            **{name: str(port) for name, port in self._ports.items()},
        } | dict(told or {})  # fmt: skip

    def __enter__(self) -> Self:
        """Bring it up; the topics are there, and the workers have started."""
        try:
            self.compose("up", "--detach")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it is left: no container, no network, no volume."""
        if any(_):
            print(self.compose("logs", "--tail", "40"))  # noqa: T201 - shown where a test fails
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        ours = ("--filter", f"label=com.docker.compose.project={self.name}", "--quiet")
        assert docker("ps", "--all", *ours) == ""
        assert docker("network", "ls", *ours) == ""
        assert docker("volume", "ls", *ours) == ""

    def compose(self, *words: str) -> str:
        """Return what a compose command said."""
        done = run(*self._command, *words, environment=self._told)
        return done.stdout + done.stderr

    def gradewatch(self, service: str, *words: str) -> str:
        """Return what a command said that runs in a service's container."""
        command = [*self._command, "exec", "-T", service, "gradewatch", *words]
        return run(*command, environment=self._told).stdout

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        words = ("ps", "--all", "--quiet", service)
        return run(*self._command, *words, environment=self._told).stdout.strip()

    def state(self, service: str) -> dict[str, Any]:
        """Return the state of a service's container as Docker has it."""
        found = json.loads(
            docker("inspect", "--format", "{{json .State}}", self.container(service))
        )
        assert isinstance(found, dict)
        return found

    def kill(self, service: str) -> None:
        """It is gone as if its machine were: SIGKILL, and Docker does not start it again."""
        docker("kill", self.container(service))

    def start(self, service: str) -> None:
        """A container that was killed runs again."""
        docker("start", self.container(service))

    def flow(self, tmp_path: Path, **told: Any) -> Flow:  # noqa: ANN401 - a field's own type
        """Return what reads and recomputes its topics, from outside."""
        return Flow(self.servers, "", tmp_path, id_key=self.id_key, **told)

    def get(self, service: str, path: str, token: str | None = None) -> Answer | None:
        """Return what a worker's web view answers on this machine; None where nothing does."""
        port = self._ports[service.upper().replace("-", "_") + "_PORT"]
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - ours
                return Answer(answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, json.loads(refused.read()))
        except OSError:
            return None

    def await_ready(self, *services: str) -> None:
        """Return once workers say that they are ready."""
        for service in services:
            until(lambda name=service: self._is_ready(name), READY_SECONDS)  # type: ignore[misc]

    def _is_ready(self, service: str) -> bool:
        with suppress(DockerError):
            answer = self.get(service, "/readyz")
            return answer is not None and answer.status == 200
        return False
