"""The views on Faust's own web server: our routes, one gate, and nothing of Faust's pages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from faust.web.base import BlueprintManager

from streams.access.audit import Audit
from streams.access.doors import Door
from streams.web.alerts import AlertViews
from streams.web.asked import BODY_BYTES
from streams.web.connections import Runner
from streams.web.gate import HEADERS, Gate
from streams.web.html import Answers, Pages, show
from streams.web.operations import Operations
from streams.web.peers import Peers
from streams.web.probes import Probes
from streams.web.routes import ROUTES, Answering
from streams.web.rules import Sets
from streams.web.scores import Scores
from streams.web.stream import Stream
from streams.web.throughput import Throughput

if TYPE_CHECKING:
    from aiohttp import web
    from faust.web.drivers.aiohttp import Web

    from streams.worker import Worker


def install(worker: Worker) -> Door:
    """The worker's web server answers our routes and none of Faust's.

    Args:
        worker: Not started yet.

    Returns:
        What it asks of requests.

    Raises:
        ConfigurationError: Scores would be open to others, or nobody could be let in; see `Door`.
    """
    door = Door(worker.settings)
    server = cast("Web", worker.app.web)
    server.blueprints = BlueprintManager()  # Faust has an index at "/", whatever the settings
    # It logs malformed requests with what they held: ids, perhaps the token.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    mount(server.web_app, worker, door)
    return door


def mount(app: web.Application, worker: Worker, door: Door) -> None:
    """An aiohttp application answers our routes.

    Args:
        app: Not started yet.
        worker: Whose rows, alerts and numbers.
        door: Who is let in.
    """
    settings, peers = worker.settings, Peers(worker)
    throughput = Throughput(worker.metrics)
    topic = settings.topic("grade-access-audit")
    audit = Audit(worker.app.kafka, settings.group, topic, worker.metrics)
    worker.app.besides += [throughput, audit, door]
    worker.told_by += [door.warnings, audit.warnings, peers.warnings]
    gate = Gate(worker, door, audit, peers, show)
    scores, sets = Scores(worker, peers), Sets(worker)
    alerts, operations = AlertViews(worker, scores, sets), Operations(worker, peers, throughput)
    answering = Answering(
        Probes(worker), scores, alerts, Stream(worker, scores, gate.still), operations, sets,
        Pages(settings, door, Answers(scores, alerts, operations, sets)),
    )  # fmt: skip
    cast("Web", worker.app.web)._runner = Runner(app, HEADERS)  # noqa: SLF001 - Faust has no hook
    app._client_max_size = BODY_BYTES  # noqa: SLF001 - Faust makes the application
    app.middlewares.append(gate.around())
    app.on_response_prepare.append(gate.prepare)
    for route in ROUTES:
        handler = gate.handler(route, route.handler(answering))
        app.router.add_route(route.method, route.path, handler)
        if route.method == "GET" and route.answer != "stream.listen":  # it has no end to wait for
            app.router.add_route("HEAD", route.path, handler)
