"""The file that tells the command of its surroundings: see compose.toml and kubernetes.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from deploy.release.canary import Plan
from deploy.release.ingress import Ingress, ReleaseError
from deploy.release.judge import Limits
from deploy.release.kubernetes import Kubernetes, KubernetesIngress
from deploy.release.nginx import Nginx, NginxIngress, Slot

_T = TypeVar("_T")
TABLES = {"prometheus", "plan", "limits", "nginx", "kubernetes"}


@dataclass(frozen=True, slots=True)
class Config:
    ingress: Ingress
    prometheus: str
    plan: Plan
    limits: Limits
    lock: Path


def read(path: Path) -> Config:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ReleaseError(f"{path}: {error}") from None
    if unknown := set(given) - TABLES:
        raise ReleaseError(f"{path}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(TABLES))}")
    if ("nginx" in given) == ("kubernetes" in given):
        raise ReleaseError(f"{path}: either [nginx] or [kubernetes] must be there")
    return Config(
        ingress=_ingress(given),
        prometheus=_table("prometheus", given, _Prometheus).url,
        plan=_table("plan", given, Plan),
        limits=_table("limits", given, Limits),
        lock=path.with_name(f".{path.name}.lock"),
    )


@dataclass(frozen=True, slots=True)
class _Prometheus:
    url: str


def _ingress(given: Mapping[str, Any]) -> Ingress:
    if "kubernetes" in given:
        return KubernetesIngress(_table("kubernetes", given, Kubernetes))
    table = dict(given["nginx"])
    slots = {
        name: _table(f"nginx.slots.{name}", {f"nginx.slots.{name}": slot}, Slot)
        for name, slot in table.pop("slots", {}).items()
    }
    return NginxIngress(
        _table("nginx", {"nginx": table | {"slots": slots, "file": Path(table.get("file", ""))}}, Nginx)
    )


def _table(name: str, given: Mapping[str, Any], kind: type[_T]) -> _T:
    values = given.get(name, {})
    if unknown := set(values) - {field.name for field in fields(kind)}:  # type: ignore[arg-type]
        raise ReleaseError(f"[{name}]: unknown {', '.join(sorted(unknown))}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ReleaseError(f"[{name}]: {error}") from None
