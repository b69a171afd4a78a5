"""deploy/kubernetes as data: what ``kubectl apply -k`` makes, and what a pod of it finds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"

Manifest = dict[str, Any]


class Pod(NamedTuple):
    """What a StatefulSet or a Job makes pods of; each has one container."""

    owner: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def is_worker(self) -> bool:
        return bool(self.container["args"] == ["worker"])


def documents(file: str) -> list[Manifest]:
    """Return the documents of a file, each with nothing shared by anchors."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # as Kubernetes reads it: 0440 is octal
    return [json.loads(json.dumps(each)) for each in yaml.load_all(FOLDER / file)]


def everything() -> list[Manifest]:
    """Return the kustomization, what it makes (names not hashed yet), and the example Secrets."""
    (kustomization,) = documents("kustomization.yaml")
    made = [each for file in kustomization["resources"] for each in documents(file)]
    for generated in kustomization["configMapGenerator"]:
        data = {name: (FOLDER / name).read_text() for name in generated.get("files", ())}
        for name in generated.get("envs", ()):
            lines = (FOLDER / name).read_text().splitlines()
            data |= dict(line.split("=", 1) for line in lines if line and line[0] != "#")
        metadata = {"name": generated["name"]}
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    return [kustomization, *made, *documents("secret.example.yaml")]


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by name."""
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def pods(manifests: list[Manifest]) -> list[Pod]:
    owners = (named(manifests, "StatefulSet") | named(manifests, "Job")).values()
    templates = {each["metadata"]["name"]: each["spec"]["template"] for each in owners}
    return [
        Pod(owner, template["metadata"]["labels"], template["spec"])
        for owner, template in templates.items()
    ]


def environment(manifests: list[Manifest], pod: Pod) -> dict[str, str]:
    """Return the environment of a pod's first container."""
    maps, values = named(manifests, "ConfigMap"), dict[str, str]()
    for source in pod.container.get("envFrom", ()):
        values |= maps[source["configMapRef"]["name"]]["data"]
    for variable in pod.container.get("env", ()):
        given = variable.get("valueFrom", {})
        if "fieldRef" in given:
            assert given["fieldRef"]["fieldPath"] == "metadata.name"
            value = f"{pod.owner}-0"
        else:
            value = re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], variable["value"])
        values[variable["name"]] = value
    return values


def mount(manifests: list[Manifest], pod: Pod, secrets: Mapping[str, str], root: Path) -> None:
    """A folder holds the files that a pod's container finds, with their modes."""
    volumes = {each["name"]: each for each in pod.spec["volumes"]}
    for place in pod.container["volumeMounts"]:
        folder = root / place["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        for name, text, mode in _files(manifests, volumes[place["name"]], secrets):
            (folder / name).write_text(text)
            (folder / name).chmod(mode)


def _files(
    manifests: list[Manifest], volume: dict[str, Any], secrets: Mapping[str, str]
) -> Iterator[tuple[str, str, int]]:
    if "secret" in volume:
        source = volume["secret"]
        example = named(manifests, "Secret")[source["secretName"]]
        whole = [{"key": key, "path": key} for key in example["stringData"]]
        for item in source.get("items", whole):
            # Kubernetes lets an fsGroup read, whatever the mode.
            yield item["path"], secrets[item["key"]], source.get("defaultMode", 0o644) | 0o440
    elif "configMap" in volume:
        for name, text in named(manifests, "ConfigMap")[volume["configMap"]["name"]][
            "data"
        ].items():
            yield name, text, 0o644
