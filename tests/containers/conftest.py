"""Images to run; without a Docker engine every test here is skipped, and says why."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.containers import standins
from tests.containers.engine import compose_commands, why_no_engine


class Images(NamedTuple):
    """Names of images that the engine has."""

    ours: str
    kafka: str


@pytest.fixture(scope="session")
def images() -> Images:
    """Our image, built from the repository as it is, and Kafka's."""
    why = why_no_engine()
    if why:
        pytest.skip(why)
    return Images(standins.ours(print), standins.kafka(print))


@pytest.fixture
def compose(images: Images) -> Images:
    """The images, where there is a compose command too."""
    if not compose_commands():
        pytest.skip("neither docker compose nor docker-compose is installed")
    return images
