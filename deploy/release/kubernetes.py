"""Kubernetes with ingress-nginx: a second Deployment of the web tier behind an Ingress with a weight.

deploy/k8s/overlays/canary makes both, asleep. The state stands in annotations of that Ingress; the versions are the
images' tags. `kubectl` does everything, with the rights of whoever calls it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.release.ingress import ReleaseError, State, Track, run

OURS = "release.frozenshop/"
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
COMMAND_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """`rest` are the Deployments that get a version when it is promoted, and go back with it.

    `rollback_check` gets VERSION; it says by its exit code whether the schema still serves that version.
    """

    image: str
    namespace: str = "frozenshop"
    web: str = "frozen-order-service"
    canary: str = "frozen-order-service-canary"
    container: str = "app"
    rest: Sequence[str] = ("worker-tracking", "worker-messages", "worker-rest", "relay", "beat")
    kubectl: Sequence[str] = ("kubectl",)
    rollback_check: Sequence[str] = ()
    rollout_seconds: float = 600
    stable_selector: str = 'track="stable"'
    canary_selector: str = 'track="canary"'


class KubernetesIngress:
    def __init__(self, settings: Kubernetes) -> None:
        self._k8s = settings

    def state(self) -> State:
        notes = self._json("ingress", self._k8s.canary)["metadata"].get("annotations", {})
        return State(
            stable=self._version(self._k8s.web),
            canary=notes.get(f"{OURS}canary") or None,
            weight=int(notes.get(WEIGHT, "0")),
            former=notes.get(f"{OURS}former") or None,
        )

    def begin(self, version: str) -> None:
        # A killed release that goes on keeps its weight; another's image gets no request before it is ready.
        if self.state().canary != version:
            self._note(**{WEIGHT: "0", f"{OURS}canary": version})
        self._image(self._k8s.canary, version)
        self._scale(max(self.state().weight, 1))
        self._wait(self._k8s.canary)

    def weigh(self, percent: int) -> None:
        """Pods come before the requests that they are to serve, and go after them."""
        growing = percent > self.state().weight
        if growing:
            self._scale(percent)
            self._wait(self._k8s.canary)
        self._note(**{WEIGHT: str(percent)})

    def promote(self) -> None:
        """The canary serves on until the stable tier has its version."""
        now = self.state()
        if now.canary and now.canary != now.stable:
            self._note(**{f"{OURS}former": now.stable})
        if now.canary:
            self._bring(now.canary)
            self.withdraw()

    def withdraw(self) -> None:
        self._note(**{WEIGHT: "0", f"{OURS}canary": ""})

    def restore(self, *, force: bool) -> None:
        former = self.state().former
        if not former:
            raise ReleaseError("There is no former version to go back to.")
        if self._k8s.rollback_check and not force:
            what = "The schema no longer serves the former version"
            run(self._k8s.rollback_check, seconds=COMMAND_SECONDS, what=what, VERSION=former)
        self._bring(former)
        self._note(**{f"{OURS}former": ""})

    def settle(self) -> None:
        """The canary's pods go on for a moment, as any pod that ends: no request of theirs is cut off."""
        if not self.state().canary:
            self._do("scale", f"deployment/{self._k8s.canary}", "--replicas=0")

    def selector(self, track: Track) -> str:
        return self._k8s.stable_selector if track == "stable" else self._k8s.canary_selector

    def _bring(self, version: str) -> None:
        """Everything rolls at once; each Deployment keeps its old pods until the new ones are ready."""
        everything = (self._k8s.web, *self._k8s.rest)
        for name in everything:
            self._image(name, version)
        for name in everything:
            self._wait(name)

    def _image(self, deployment: str, version: str) -> None:
        self._do("set", "image", f"deployment/{deployment}", f"{self._k8s.container}={self._k8s.image}:{version}")

    def _scale(self, percent: int) -> None:
        """As many pods as the share of the requests is of the stable tier's."""
        stable = self._json("deployment", self._k8s.web)["spec"].get("replicas", 1)
        replicas = max(math.ceil(stable * percent / 100), 1)
        self._do("scale", f"deployment/{self._k8s.canary}", f"--replicas={replicas}")

    def _wait(self, deployment: str) -> None:
        limit = f"--timeout={self._k8s.rollout_seconds:.0f}s"
        self._do("rollout", "status", f"deployment/{deployment}", limit, seconds=self._k8s.rollout_seconds + 30)

    def _note(self, **annotations: str) -> None:
        notes = [f"{name}={value}" for name, value in annotations.items()]
        self._do("annotate", "--overwrite", f"ingress/{self._k8s.canary}", *notes)

    def _version(self, deployment: str) -> str:
        pod = self._json("deployment", deployment)["spec"]["template"]["spec"]
        image = next(c["image"] for c in pod["containers"] if c["name"] == self._k8s.container)
        return str(image).rpartition(":")[2]

    def _json(self, kind: str, name: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._do("get", kind, name, "--output=json"))
        return told

    def _do(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> str:
        command = [*self._k8s.kubectl, f"--namespace={self._k8s.namespace}", *arguments]
        return run(command, seconds=seconds, what=" ".join(arguments[:2]))
