"""The manifests are what Kubernetes takes, and what a worker needs; each check is seen failing."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import trustme

from streams.access.doors import Door
from streams.access.roles import Right
from streams.cli.worker import STOP_SECONDS
from streams.core import rules
from streams.errors import ConfigurationError
from streams.kafka_settings import environment_name
from streams.settings import Settings, load, shipped
from streams.web.routes import ROUTES
from tests.registers.manifests import FOLDER, environment, everything, mount, named, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.registers.manifests import Manifest

UID = 10001
WEB_PORT = Settings.model_fields["web_port"].default
VERSIONS = ("1.27", kubernetes_validate.latest_version())
"""Of Kubernetes: the oldest whose schemas know every field, and the newest that is known."""

GOOD = {
    "password": "hunter2",
    "ca.crt": trustme.CA().cert_pem.bytes().decode(),
    "web-token": "0123456789abcdef\n",
    "id-key": "0123456789abcdef",
}


def schemas(manifests: list[Manifest]) -> Iterator[str]:
    for each in manifests:
        for version in VERSIONS if each["kind"] != "Kustomization" else ():
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{each['kind']} {version}: {error.message}"


def names(manifests: list[Manifest]) -> Iterator[str]:
    real = {environment_name(field) for field in Settings.model_fields}
    for pod in pods(manifests):
        told = environment(manifests, pod)
        yield from (f"{name} is no setting" for name in told.keys() - real)
        if pod.spec.get("enableServiceLinks", True):
            yield f"{pod.owner}: Kubernetes makes GRADEWATCH_... of Services' names"


def settings_taken(manifests: list[Manifest], secrets: Mapping[str, str] = GOOD) -> Iterator[str]:
    """Each pod starts with its environment and its files, as far as it gets without Kafka."""
    for pod in pods(manifests):
        with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
            mount(manifests, pod, secrets, Path(root))
            for name, value in environment(manifests, pod).items():
                patch.setenv(name, re.sub("^/", f"{root}/", value))
            try:
                chosen = load()
                chosen.security.require_readable()
                if pod.is_worker:
                    Door(chosen)
                    chosen.read_id_key()
                    rules.load(chosen.rules.read_text(), "rules")
                if not chosen.data_dir.is_dir():
                    yield f"{pod.owner}: nothing is mounted at the data directory"
            except (ConfigurationError, OSError) as error:
                yield f"{pod.owner}: {error}"


def probes(manifests: list[Manifest]) -> Iterator[str]:
    open_to_all = {route.path for route in ROUTES if route.right is Right.PUBLIC}
    for pod in (pod for pod in pods(manifests) if pod.is_worker):
        for kind, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
            probe = pod.container[f"{kind}Probe"]
            asked = probe["httpGet"]["path"]
            if asked not in open_to_all or asked != path:
                yield f"{kind} asks for {asked}"
            if probe["httpGet"]["port"] not in {each["name"] for each in pod.container["ports"]}:
                yield f"{kind} asks at another port"
            patience = probe["periodSeconds"] * probe["failureThreshold"]
            if patience < {"startup": 90, "liveness": 60, "readiness": 6}[kind]:
                yield f"{kind} gives up after {patience} s"
        if pod.spec.get("terminationGracePeriodSeconds", 30) < 1.5 * STOP_SECONDS:
            yield "killed while it stops"


def selectors(manifests: list[Manifest]) -> Iterator[str]:
    worker, other = sorted(pods(manifests), key=lambda pod: not pod.is_worker)
    stateful = named(manifests, "StatefulSet")[worker.owner]["spec"]
    services = named(manifests, "Service")
    policies = named(manifests, "NetworkPolicy")
    own = policies["gradewatch-worker"]["spec"]
    chosen = [
        stateful["selector"],
        *(each["labelSelector"] for each in worker.spec["topologySpreadConstraints"]),
        *(each["spec"]["selector"] for each in named(manifests, "PodDisruptionBudget").values()),
        *({"matchLabels": each["spec"]["selector"]} for each in services.values()),
        own["podSelector"], own["ingress"][0]["from"][0]["podSelector"],
        own["egress"][0]["to"][0]["podSelector"],
    ]  # fmt: skip
    for selector in chosen:
        wanted = selector["matchLabels"].items()
        if not wanted <= worker.labels.items() or wanted <= other.labels.items():
            yield f"{selector} is not the workers alone"
    everyone = policies["gradewatch"]["spec"]["podSelector"]["matchLabels"].items()
    if not everyone <= worker.labels.items() & other.labels.items():
        yield "a policy leaves some pods out"
    for name, policy in policies.items():
        if policy["spec"]["policyTypes"] != ["Ingress", "Egress"]:
            yield f"{name} leaves a direction open"
        for rule in policy["spec"].get("ingress", ()):
            allowed = [peer.get("podSelector", {}).get("matchLabels") for peer in rule["from"]]
            yield from [f"{name} lets anybody in"] * (not all(allowed))
    headless = services[stateful["serviceName"]]["spec"]
    if headless.get("clusterIP") != "None" or not headless.get("publishNotReadyAddresses"):
        yield "workers have no names, or lose them while they restore"


def hardened(manifests: list[Manifest]) -> Iterator[str]:
    container = {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    pod_wide = {
        "runAsNonRoot": True, "runAsUser": UID, "runAsGroup": UID, "fsGroup": UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    for pod in pods(manifests):
        if pod.container["securityContext"] != container or pod.spec["securityContext"] != pod_wide:
            yield f"{pod.owner} may more than it needs"
        if pod.spec.get("automountServiceAccountToken", True):
            yield f"{pod.owner} gets a token of Kubernetes"
        if pod.container["resources"].keys() != {"requests", "limits"}:
            yield f"{pod.owner} has no bounds"


def ports(manifests: list[Manifest]) -> Iterator[str]:
    policies = named(manifests, "NetworkPolicy")
    own, everyone = policies["gradewatch-worker"]["spec"], policies["gradewatch"]["spec"]
    (worker,) = (pod for pod in pods(manifests) if pod.is_worker)
    told = environment(manifests, worker)
    url = urlsplit(told["GRADEWATCH_CANONICAL_URL"])
    service = named(manifests, "StatefulSet")[worker.owner]["spec"]["serviceName"]
    if url.hostname != f"{worker.owner}-0.{service}":
        yield f"nobody is at {url.hostname}"
    served = {(each["name"], each["containerPort"]) for each in worker.container["ports"]}
    asked = [
        (each["targetPort"], each["port"])
        for service in named(manifests, "Service").values()
        for each in service["spec"]["ports"]
    ]
    allowed = [rule["ports"][0]["port"] for rule in own["ingress"] + own["egress"]]
    if {*served, *asked} != {("web", WEB_PORT)} or {url.port, *allowed} != {WEB_PORT}:
        yield "the web port differs"
    out = {each["port"] for rule in everyone["egress"] for each in rule["ports"]}
    servers = told["KAFKA_BOOTSTRAP_SERVERS"]
    yield from (
        f"{one} is not let out"
        for one in servers.split(",")
        if urlsplit(f"//{one}").port not in out
    )


def references(manifests: list[Manifest]) -> Iterator[str]:
    (kustomization,) = (each for each in manifests if each["kind"] == "Kustomization")
    there = {
        *(f"image {each['name']}" for each in kustomization["images"]),
        *(f"configMap {name}" for name in named(manifests, "ConfigMap")),
        *(f"secret {name}" for name in named(manifests, "Secret")),
        *(
            f"secret {name} {key}"
            for name, each in named(manifests, "Secret").items()
            for key in each["stringData"]
        ),
    }
    for pod in pods(manifests):
        needed = [f"image {pod.container['image']}"]
        needed += [f"configMap {each['configMapRef']['name']}" for each in pod.container["envFrom"]]
        for volume in pod.spec["volumes"]:
            if "configMap" in volume:
                needed.append(f"configMap {volume['configMap']['name']}")
            if "secret" in volume:
                secret = volume["secret"]
                items = [f" {each['key']}" for each in secret.get("items", ())] or [""]
                needed += [f"secret {secret['secretName']}{item}" for item in items]
        yield from (f"{pod.owner}: no {each}" for each in needed if each not in there)


CHECKS: list[Callable[[list[Manifest]], Iterator[str]]] = [
    schemas, names, settings_taken, probes, selectors, hardened, ports, references,
]  # fmt: skip

POD = "spec.template.spec"
ONE = f"{POD}.containers.0"
GONE = object()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_manifests_hold(check: Callable[[list[Manifest]], Iterator[str]]) -> None:
    assert list(check(everything())) == []


@pytest.mark.parametrize(
    ("check", "where", "value", "told"),
    [
        (schemas, f"StatefulSet {ONE}.livenessprobe", {}, "livenessprobe"),
        (schemas, "PodDisruptionBudget spec.maxUnavailable", [1], "not valid"),
        (names, "ConfigMap data.GRADEWATCH_RULE", "x", "GRADEWATCH_RULE is no setting"),
        (names, f"Job {POD}.enableServiceLinks", GONE, "Kubernetes makes GRADEWATCH_"),
        (settings_taken, "ConfigMap data.GRADEWATCH_KAFKA_USERNAME", GONE, "USERNAME: needed"),
        (settings_taken, "ConfigMap data.GRADEWATCH_KAFKA_CA_FILE", "/etc/ca", "CA_FILE"),
        (settings_taken, "ConfigMap data.GRADEWATCH_RULES", "/etc/rules", "No such file"),
        (settings_taken, f"Job {POD}.volumes.1.secret.defaultMode", GONE, "open to every user"),
        (settings_taken, f"StatefulSet {POD}.volumes.2.secret.defaultMode", 0o444, "open to every"),
        (settings_taken, f"StatefulSet {ONE}.env.3", GONE, "nobody has to say who they are"),
        (settings_taken, f"Job {ONE}.volumeMounts.0.mountPath", "/data", "nothing is mounted"),
        (probes, f"StatefulSet {ONE}.livenessProbe.httpGet.path", "/readyz", "liveness asks"),
        (probes, f"StatefulSet {ONE}.readinessProbe.httpGet.path", "/metrics", "readiness asks"),
        (probes, f"StatefulSet {ONE}.startupProbe.httpGet.port", 6067, "another port"),
        (probes, f"StatefulSet {ONE}.livenessProbe.failureThreshold", 3, "gives up after 30 s"),
        (probes, f"StatefulSet {POD}.terminationGracePeriodSeconds", 8, "killed while it stops"),
        (selectors, "StatefulSet spec.template.metadata.labels", {"a": "b"}, "not the workers"),
        (selectors, "Job spec.template.metadata.labels", {"a": "b"}, "leaves some pods out"),
        (selectors, "PodDisruptionBudget spec.selector.matchLabels", {}, "not the workers alone"),
        (selectors, "NetworkPolicy spec.ingress.0.from.1", {}, "lets anybody in"),
        (selectors, "NetworkPolicy spec.policyTypes", ["Ingress"], "leaves a direction open"),
        (selectors, "StatefulSet spec.serviceName", "gradewatch", "have no names"),
        (hardened, f"StatefulSet {POD}.securityContext.runAsUser", 1000, "more than it needs"),
        (hardened, f"Job {POD}.securityContext.fsGroup", GONE, "more than it needs"),
        (hardened, f"Job {ONE}.securityContext.readOnlyRootFilesystem", GONE, "more than it"),
        (hardened, f"Job {POD}.automountServiceAccountToken", GONE, "a token of Kubernetes"),
        (hardened, f"StatefulSet {ONE}.resources.limits", GONE, "no bounds"),
        (ports, f"StatefulSet {ONE}.ports.0.containerPort", 6067, "the web port differs"),
        (ports, "NetworkPolicy spec.egress.0.ports.0.port", 6067, "the web port differs"),
        (ports, f"StatefulSet {ONE}.env.1.value", "http://gradewatch:6066", "nobody is at"),
        (ports, "ConfigMap data.KAFKA_BOOTSTRAP_SERVERS", "a:9093,b:9092", "b:9092 is not let"),
        (references, "Kustomization images.0.name", "other", "no image gradewatch"),
        (references, f"StatefulSet {POD}.volumes.3.configMap.name", "x", "no configMap x"),
        (references, f"Job {POD}.volumes.1.secret.secretName", "x", "no secret x"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_each_check_is_seen_failing(
    check: Callable[[list[Manifest]], Iterator[str]], where: str, value: object, told: str
) -> None:
    broken = everything()
    put(broken, where, value)

    assert told in "\n".join(check(broken))


@pytest.mark.parametrize("key", GOOD)
def test_what_stands_in_the_example_secrets_is_refused(key: str) -> None:
    example = {
        name: value
        for each in named(everything(), "Secret").values()
        for name, value in each["stringData"].items()
    }
    assert example.keys() == GOOD.keys()

    assert list(settings_taken(everything(), GOOD | {key: example[key]})) != []


def test_the_rules_are_those_that_ship() -> None:
    assert (FOLDER / "rules.yaml").read_text() == shipped("rules.yaml").read_text()


def put(manifests: list[Manifest], where: str, value: object) -> None:
    """Of the first manifest of a kind, what stands at a path is another value, or gone."""
    kind, path = where.split()
    *steps, last = (int(each) if each.isdigit() else each for each in path.split("."))
    found: Any = next(each for each in manifests if each["kind"] == kind)
    for step in steps:
        found = found[step]
    if value is GONE:
        del found[last]
    else:
        found[last] = value
