"""Rules for deploy/compose.yaml beyond its schema: each yields a sentence for each fault."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.manifests import K8S, ROOT, is_setting

FILE = ROOT / "deploy/compose.yaml"
OWN = ("frozenshop:", "frozenshop-backup:")
# Asks for a value on the command line or in deploy/.env; made by hand, as docs/runbooks/bring-up.md says.
BY_HAND = {"TLS_CERTIFICATE", "TLS_KEY", "settings.env"}

Document = dict[str, Any]
Rule = Callable[[Document], Iterator[str]]


def load() -> Document:
    return yaml.safe_load(FILE.read_text())


def services(document: Document) -> Iterator[tuple[str, Document]]:
    yield from document["services"].items()


def ours(document: Document) -> Iterator[tuple[str, Document]]:
    return ((name, service) for name, service in services(document) if service["image"].startswith(OWN))


def images(document: Document) -> Iterator[str]:
    for name, service in services(document):
        if not re.search(r":v?\d+\.\d+\.\d+$|^frozenshop(-\w+)?:\$\{", service["image"]):
            yield f"{name}: image {service['image']} is not one version"


def bounded(document: Document) -> Iterator[str]:
    for name, service in services(document):
        once = service.get("restart") == "no" or "backup" in service.get("profiles", [])
        if not once and not service.get("restart"):
            yield f"{name} stays away after a crash"
        if "mem_limit" not in service:
            yield f"{name} may take all memory"
        if not service.get("logging", {}).get("options", {}).get("max-size"):
            yield f"{name} may fill the disk with its log"
        if not once and "test" not in service.get("healthcheck", {}):
            yield f"{name} has no health check"


def restricted(document: Document) -> Iterator[str]:
    for name, service in services(document):
        if service.get("read_only") is not True:
            yield f"{name} may write its root"
        if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} may gain privileges"
        if str(service.get("user", "0")).split(":")[0] in ("0", "root"):
            yield f"{name} runs as root"
        if service.get("privileged") or service.get("network_mode") == "host":
            yield f"{name} shares the host"


def published(document: Document) -> Iterator[str]:
    for name, service in services(document):
        if "ports" in service and name != "nginx":
            yield f"{name} is published"


def dependencies(document: Document) -> Iterator[str]:
    known = document["services"]
    for name, service in services(document):
        for other, how in service.get("depends_on", {}).items():
            if other not in known:
                yield f"{name} waits for {other}, which there isn't"
            elif how["condition"] == "service_healthy" and "test" not in known[other].get("healthcheck", {}):
                yield f"{name} waits for the health of {other}, which shows none"
            elif how["condition"] == "service_completed_successfully" and known[other].get("restart") != "no":
                yield f"{name} waits for the end of {other}, which is started again"
    for name, service in ours(document):
        once = name == "migrate" or name.startswith("backup")
        if not once and "migrate" not in service.get("depends_on", {}):
            yield f"{name} doesn't wait for the migrations"


def secrets(document: Document) -> Iterator[str]:
    defined = document["secrets"]
    used = {_source(one) for _, service in services(document) for one in service.get("secrets", [])}
    yield from (f"secret {name} is used by nobody" for name in defined.keys() - used)
    yield from (f"secret {name} is defined nowhere" for name in used - defined.keys())
    for name, service in services(document):
        mounted = {_source(one) for one in service.get("secrets", [])}
        for setting, value in environment(service).items():
            if setting.endswith("_FILE") and value.rpartition("/")[2] not in mounted:
                yield f"{name}: {setting} names a secret that isn't mounted"


def _source(secret: str | Document) -> str:
    return secret if isinstance(secret, str) else secret["source"]


def made(document: Document) -> dict[str, str]:
    """Return which file each secret is read from."""
    return {name: secret["file"] for name, secret in document["secrets"].items()}


def environment(service: Document) -> dict[str, str]:
    values: dict[str, str] = {}
    for file in service.get("env_file", []):
        path = FILE.parent / file
        if path.name not in BY_HAND:
            values |= read_env(path)
    return values | service.get("environment", {})


def read_env(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def settings(document: Document) -> Iterator[str]:
    for name, service in ours(document):
        for setting in environment(service):
            if not is_setting(setting):
                yield f"{name}: {setting} is no setting"


def volumes(document: Document) -> Iterator[str]:
    for name, service in services(document):
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (FILE.parent / source).exists():
                    yield f"{name} mounts {source}, which there isn't"
            elif source not in document["volumes"]:
                yield f"{name} mounts {source}, which is defined nowhere"
        for file in service.get("env_file", []):
            if file not in BY_HAND and not (FILE.parent / file).exists():
                yield f"{name} reads {file}, which there isn't"


def networks(document: Document) -> Iterator[str]:
    known, upstreams = document["networks"], (FILE.parent / "nginx/upstreams.conf").read_text()
    for name, service in services(document):
        own = service.get("networks", [])
        yield from (f"{name} is in {other}, which there isn't" for other in own if other not in known)
        front = own.get("front") if isinstance(own, dict) else None
        if front and f"{front['ipv4_address']}:8080" not in upstreams:
            yield f"nginx doesn't know where {name} is"
    stores = {"mysql", "mongodb", "redis", "rabbitmq"}
    for name in stores & document["services"].keys():
        if document["services"][name]["networks"] != ["stores"] or not known["stores"].get("internal"):
            yield f"{name} can be reached, or reaches, beyond the program"


def queues(document: Document) -> Iterator[str]:
    """Either slot has a worker for each queue."""
    for slot in ([], ["green"]):
        own = [service for _, service in ours(document) if service.get("profiles", []) == slot]
        served = {service.get("environment", {}).get("WORKER_QUEUES") for service in own}
        for name in ("frozenshop", "frozenshop.tracking", "frozenshop.messages"):
            if name not in served:
                yield f"no worker serves {name} in slot {slot}"


def stopping(document: Document) -> Iterator[str]:
    for name, service in ours(document):
        needed = {"web": 5 + 25, "worker": 20}.get(service.get("command", [""])[0], 0)
        if int(str(service.get("stop_grace_period", "10s")).removesuffix("s")) < needed + 5:
            yield f"{name} is killed before it has ended ({needed} s)"


def pinned_alike(document: Document) -> Iterator[str]:
    """The stores of staging are those of the one server."""
    here = {service["image"].split(":")[0]: service["image"] for _, service in services(document)}
    for image in re.findall(r"image: (\S+)", (K8S / "components/stores/stores.yaml").read_text()):
        if here.get(image.split(":")[0]) != image:
            yield f"Kubernetes has {image}, compose {here.get(image.split(':')[0])}"


RULES: list[Rule] = [
    *(images, bounded, restricted, published, dependencies, secrets, settings),
    *(volumes, networks, queues, stopping, pinned_alike),
]
