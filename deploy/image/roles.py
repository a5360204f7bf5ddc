"""What deploy/k8s and deploy/compose.yaml say of each role, read from them, so that it can be run without a cluster."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Probe:
    """A command inside the container, or a path that it answers on its port; and the kinds of probes that ask so."""

    kinds: str
    command: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """How a role is run. `secrets` is where they are mounted; sizes are in bytes or with podman's letters."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    memory: str
    tmp: str
    user: str
    stop_seconds: float
    probes: tuple[Probe, ...]
    hardening: tuple[str, ...]

    @property
    def plays(self) -> str:
        return self.command[0]


def rendered(overlay: str) -> list[Document]:
    command = ["kubectl", "kustomize", str(DEPLOY / "k8s/overlays" / overlay)]
    return list(yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def of_kubernetes(overlay: str) -> Iterator[Role]:
    documents = rendered(overlay)
    maps = {one["metadata"]["name"]: one["data"] for one in documents if one["kind"] == "ConfigMap"}
    for one in documents:
        if one["kind"] not in ("Deployment", "Job"):
            continue
        pod = one["spec"]["template"]["spec"]
        if pod["containers"][0]["name"] == "app":
            yield _of_pod(one["metadata"]["name"], pod, maps)


def _of_pod(name: str, pod: Document, maps: dict[str, dict[str, str]]) -> Role:
    (container,) = pod["containers"]
    environment: dict[str, str] = {}
    for source in container["envFrom"]:
        environment |= maps[source["configMapRef"]["name"]]
    environment |= {one["name"]: one["value"] for one in container.get("env", [])}
    (tmp,) = (volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "tmp")
    own, whole = container["securityContext"], pod["securityContext"]
    return Role(
        name=name,
        command=tuple(container["args"]),
        environment=environment,
        memory=_podmans(container["resources"]["limits"]["memory"]),
        tmp=_podmans(tmp),
        user=f"{whole['runAsUser']}:{whole['runAsGroup']}",
        stop_seconds=pod.get("terminationGracePeriodSeconds", 30),
        probes=tuple(_probes(container)),
        hardening=_hardening(
            own["readOnlyRootFilesystem"], own["capabilities"]["drop"], not own["allowPrivilegeEscalation"]
        ),
    )


PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def _probes(container: Document) -> Iterator[Probe]:
    asked: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for kind in (kind for kind in PROBES if kind in container):
        probe = container[kind]
        how = tuple(probe.get("exec", {}).get("command", ())), probe.get("httpGet", {}).get("path", "")
        asked.setdefault(how, []).append(kind)
    return (Probe(", ".join(kinds), *how) for how, kinds in asked.items())


def _podmans(size: str) -> str:
    """Turn Kubernetes' 768Mi into podman's 768m."""
    return size.removesuffix("i").lower()


def _hardening(read_only: bool, dropped: list[str], no_gain: bool) -> tuple[str, ...]:
    flags = ["--read-only"] if read_only else []
    flags += [f"--cap-drop={capability}" for capability in dropped]
    return (*flags, *(["--security-opt=no-new-privileges"] if no_gain else []))


def of_compose(settings: Path) -> Iterator[Role]:
    """`settings` stands for deploy/settings.env, which each server has for itself."""
    for name, service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].items():
        if service["image"].startswith("frozenshop:") and "profiles" not in service:
            yield _of_service(name, service, settings)


def _of_service(name: str, service: Document, settings: Path) -> Role:
    environment: dict[str, str] = {}
    for file in service["env_file"]:
        environment |= read_env(settings if file == "settings.env" else DEPLOY / file)
    (tmp,) = service["tmpfs"]
    check = service["healthcheck"].get("test", [])
    return Role(
        name=name,
        command=tuple(service["command"]),
        environment=environment | service.get("environment", {}),
        memory=service["mem_limit"],
        tmp=tmp.partition("size=")[2].partition(",")[0],
        user=service["user"],
        stop_seconds=float(service["stop_grace_period"].removesuffix("s")),
        probes=(Probe("healthcheck", tuple(check[1:])),) if check else (),
        hardening=_hardening(
            service["read_only"], service["cap_drop"], "no-new-privileges:true" in service["security_opt"]
        ),
    )


def read_env(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)
