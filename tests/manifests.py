"""Rules for deploy/k8s beyond the schemas: each yields a sentence for each fault in an overlay's documents."""

import functools
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
K8S = ROOT / "deploy/k8s"
OVERLAYS = ("staging", "production", "canary")
# Made by hand, as docs/runbooks/bring-up-kubernetes.md says.
SECRETS = {"frozenshop", "frozenshop-stores", "frozenshop-backup", "frozenshop-tls"}
# For the pods of the overlay beside which it runs.
ELSEWHERE = {"canary": "production"}
OF_RESTIC = {"AWS_SHARED_CREDENTIALS_FILE"}

Document = dict[str, Any]
Rule = Callable[[list[Document]], Iterator[str]]


@dataclass(frozen=True)
class Pod:
    """A pod template and where it stands."""

    owner: str
    kind: str
    labels: dict[str, str]
    spec: Document

    @property
    def containers(self) -> list[Document]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


@functools.cache
def rendered(overlay: str) -> str:
    command = ["kubectl", "kustomize", str(K8S / "overlays" / overlay)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def render(overlay: str) -> list[Document]:
    """Return an overlay's documents, with what stands in the overlay beside which it runs."""
    beside = [] if overlay not in ELSEWHERE else render(ELSEWHERE[overlay])
    return [*beside, *yaml.safe_load_all(rendered(overlay))]


@functools.cache
def setting_names() -> frozenset[str]:
    """Return the program's settings, and what the image's own scripts read."""
    scripts = "".join((ROOT / "deploy/image" / name).read_text() for name in ("entrypoint.sh", "healthcheck.py"))
    own = re.findall(r"\$\{(\w+)|environ\.get\(\"(\w+)\"", scripts)
    written = re.findall(r"^([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return frozenset([*written, *(name for pair in own for name in pair if name)])


def is_setting(name: str) -> bool:
    return name in setting_names() or name.removesuffix("_FILE") in setting_names() or name in OF_RESTIC


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def names(documents: list[Document], kind: str) -> set[str]:
    return {document["metadata"]["name"] for document in of_kind(documents, kind)}


def pods(documents: list[Document]) -> Iterator[Pod]:
    for document in of_kind(documents, "Deployment", "StatefulSet", "Job", "CronJob"):
        spec = document["spec"]
        template = (spec["jobTemplate"]["spec"] if document["kind"] == "CronJob" else spec)["template"]
        owner = f"{document['kind']}/{document['metadata']['name']}"
        yield Pod(owner, document["kind"], template["metadata"]["labels"], template["spec"])


def containers(documents: list[Document]) -> Iterator[tuple[str, Pod, Document]]:
    for pod in pods(documents):
        for container in pod.containers:
            yield f"{pod.owner}: {container['name']}", pod, container


def matches(selector: Document, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    chosen = selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(labels.get(c["key"]) in c["values"] for c in chosen)


def probes(documents: list[Document]) -> Iterator[str]:
    for pod in pods(documents):
        for container in pod.spec["containers"] if pod.kind in ("Deployment", "StatefulSet") else []:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in container:
                    yield f"{pod.owner} has no {probe}"


def resources(documents: list[Document]) -> Iterator[str]:
    for where, _, container in containers(documents):
        given = container.get("resources", {})
        for part, kind in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            if kind not in given.get(part, {}):
                yield f"{where} has no {part} of {kind}"


def restricted(documents: list[Document]) -> Iterator[str]:
    """What Kubernetes calls the restricted profile, and a root that can't be written."""
    for pod in pods(documents):
        context = pod.spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.owner} may run as root or without seccomp"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.owner} is given a token of the cluster"
        if any(pod.spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{pod.owner} shares the node's namespaces"
        if any("hostPath" in volume for volume in pod.spec.get("volumes", [])):
            yield f"{pod.owner} mounts a path of the node"
    for where, _, container in containers(documents):
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{where} may gain privileges"
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{where} may write its root"


def images(documents: list[Document]) -> Iterator[str]:
    for where, _, container in containers(documents):
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        if not re.search(r"\d", tag):
            yield f"{where}: image {container['image']} names no version"


def selectors(documents: list[Document]) -> Iterator[str]:
    every = list(pods(documents))
    for document in of_kind(documents, "Deployment", "StatefulSet"):
        own = document["spec"]["selector"]
        owner = f"{document['kind']}/{document['metadata']['name']}"
        chosen = {pod.owner for pod in every if matches(own, pod.labels)}
        if chosen != {owner}:
            yield f"{owner} selects the pods of {sorted(chosen)}"
    for document in of_kind(documents, "Service", "PodDisruptionBudget"):
        own = document["spec"]["selector"]
        own = own if document["kind"] == "PodDisruptionBudget" else {"matchLabels": own}
        if len([pod for pod in every if matches(own, pod.labels)]) != 1:
            yield f"{document['kind']}/{document['metadata']['name']} selects not one kind of pod"


def ports(documents: list[Document]) -> Iterator[str]:
    for service in of_kind(documents, "Service"):
        chosen = [pod for pod in pods(documents) if matches({"matchLabels": service["spec"]["selector"]}, pod.labels)]
        open_ = {value for pod in chosen for c in pod.containers for p in c.get("ports", []) for value in p.values()}
        for port in service["spec"]["ports"]:
            if port.get("targetPort", port["port"]) not in open_:
                yield f"Service/{service['metadata']['name']} leads to no port of its pods"
    for ingress in of_kind(documents, "Ingress"):
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            found = [s for s in of_kind(documents, "Service") if s["metadata"]["name"] == backend["name"]]
            if not found or backend["port"]["name"] not in {p["name"] for p in found[0]["spec"]["ports"]}:
                yield f"Ingress/{ingress['metadata']['name']} leads to {backend}, which there isn't"


def references(documents: list[Document]) -> Iterator[str]:
    config_maps, claims = names(documents, "ConfigMap"), names(documents, "PersistentVolumeClaim")
    for pod in pods(documents):
        for volume in pod.spec.get("volumes", []):
            for kind, key, known in (
                ("secret", "secretName", SECRETS),
                ("configMap", "name", config_maps),
                ("persistentVolumeClaim", "claimName", claims),
            ):
                if kind in volume and volume[kind][key] not in known:
                    yield f"{pod.owner} mounts {kind} {volume[kind][key]}, which there isn't"
            for source in volume.get("projected", {}).get("sources", []):
                if source["secret"]["name"] not in SECRETS:
                    yield f"{pod.owner} mounts secret {source['secret']['name']}, which there isn't"
        account = pod.spec.get("serviceAccountName")
        if account and account not in names(documents, "ServiceAccount"):
            yield f"{pod.owner} is {account}, which there isn't"
    for where, pod, container in containers(documents):
        for source in container.get("envFrom", []):
            if source["configMapRef"]["name"] not in config_maps:
                yield f"{where} reads {source['configMapRef']['name']}, which there isn't"
        known = {volume["name"] for volume in [*pod.spec.get("volumes", []), *_claimed(documents, pod)]}
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in known:
                yield f"{where} mounts {mount['name']}, which there isn't"


def _claimed(documents: list[Document], pod: Pod) -> list[Document]:
    sets = of_kind(documents, "StatefulSet")
    own = [one for one in sets if f"StatefulSet/{one['metadata']['name']}" == pod.owner]
    return [{"name": claim["metadata"]["name"]} for one in own for claim in one["spec"].get("volumeClaimTemplates", [])]


def environment_of(documents: list[Document], container: Document) -> dict[str, str]:
    """Return what a container finds in its environment."""
    config_maps = {one["metadata"]["name"]: one["data"] for one in of_kind(documents, "ConfigMap")}
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        values |= config_maps.get(source["configMapRef"]["name"], {})
    return values | {one["name"]: one["value"] for one in container.get("env", [])}


def settings(documents: list[Document]) -> Iterator[str]:
    for where, pod, container in containers(documents):
        if pod.labels["app.kubernetes.io/name"] != "frozenshop":
            continue
        mounted = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
        for name, value in environment_of(documents, container).items():
            if not is_setting(name):
                yield f"{where}: {name} is no setting"
            if name.endswith("_FILE") and value.rpartition("/")[0] not in mounted:
                yield f"{where}: {name} names a file where nothing is mounted"


def scaling(documents: list[Document]) -> Iterator[str]:
    deployments = {one["metadata"]["name"]: one for one in of_kind(documents, "Deployment")}
    for scaler in of_kind(documents, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        if target not in deployments:
            yield f"the autoscaler of {target} scales nothing"
        elif "replicas" in deployments[target]["spec"]:
            yield f"Deployment/{target} says how many, and its autoscaler too"


def several(documents: list[Document]) -> Iterator[str]:
    """What serves or works stands more than once with a budget for disruptions; beat stands once."""
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in of_kind(documents, "HorizontalPodAutoscaler")}
    for one in of_kind(documents, "Deployment"):
        name, labels = one["metadata"]["name"], one["spec"]["template"]["metadata"]["labels"]
        count = one["spec"].get("replicas", 2 if name in scaled else 1)
        guarded = any(matches(pdb["spec"]["selector"], labels) for pdb in of_kind(documents, "PodDisruptionBudget"))
        if name == "beat" and (count != 1 or one["spec"]["strategy"]["type"] != "Recreate"):
            yield "beat is not one that is recreated"
        if count > 1 and not guarded:
            yield f"Deployment/{name} has no PodDisruptionBudget"
        if count > 1 and not one["spec"]["template"]["spec"].get("topologySpreadConstraints"):
            yield f"Deployment/{name} may stand on one node altogether"


def network(documents: list[Document]) -> Iterator[str]:
    policies = [one["spec"] for one in of_kind(documents, "NetworkPolicy")]
    denied = [one for one in policies if set(one["policyTypes"]) == {"Ingress", "Egress"} and one["podSelector"] == {}]
    if not any("ingress" not in one and "egress" not in one for one in denied):
        yield "nothing denies what isn't allowed"
    for pod in pods(documents):
        own = [one for one in policies if matches(one["podSelector"], pod.labels)]
        passed = {port["port"] for one in own for rule in one.get("ingress", []) for port in rule.get("ports", [])}
        everything = any("ports" not in rule for one in own for rule in one.get("ingress", []))
        opened = {port["containerPort"] for c in pod.containers for port in c.get("ports", [])}
        if opened - passed and not everything:
            yield f"{pod.owner} listens on {opened - passed}, which nobody may reach"
        if not any("egress" in one and one["podSelector"] for one in own) and pod.kind != "StatefulSet":
            yield f"{pod.owner} reaches no store"


def stopping(documents: list[Document]) -> Iterator[str]:
    """A pod is not killed before its role has ended: web drains, then 25 s; a worker has its soft shutdown."""
    for pod in pods(documents):
        for container in pod.spec["containers"]:
            role = container.get("args", [""])[0]
            drain = float(environment_of(documents, container).get("WEB_DRAIN_SECONDS", "5"))
            needed = {"web": drain + 25, "worker": 20}.get(role, 0)
            if pod.spec.get("terminationGracePeriodSeconds", 30) < needed + 5:
                yield f"{pod.owner} is killed before it has ended ({needed:g} s)"


def queues(documents: list[Document]) -> Iterator[str]:
    if not names(documents, "Deployment") & {"relay"}:
        return
    served = {
        env["value"] for _, _, c in containers(documents) for env in c.get("env", []) if env["name"] == "WORKER_QUEUES"
    }
    for name in ("frozenshop", "frozenshop.tracking", "frozenshop.messages"):
        if name not in served:
            yield f"no worker serves {name}"


RULES: list[Rule] = [
    *(probes, resources, restricted, images, selectors, ports, references, settings),
    *(scaling, several, network, stopping, queues),
]
