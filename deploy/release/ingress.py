"""What a canary release asks of whatever spreads the requests: nginx on one server, ingress-nginx on Kubernetes.

What is under way is written there and nowhere else: a command that was killed is repeated, and goes on from it.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

Track = Literal["stable", "canary"]


class ReleaseError(Exception):
    """It can't be done; the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class State:
    """Which version serves, which is tried with how many percent of the requests, and which one served before."""

    stable: str
    canary: str | None = None
    weight: int = 0
    former: str | None = None

    def written(self) -> str:
        return json.dumps(asdict(self))


class Ingress(Protocol):
    """Every act may be repeated after a kill at any point. All raise `ReleaseError`."""

    def state(self) -> State: ...

    def begin(self, version: str) -> None:
        """Start `version` beside the stable one, for none of the requests, and wait until it is ready."""

    def weigh(self, percent: int) -> None:
        """Give the canary this share of the requests."""

    def promote(self) -> None:
        """Make the canary the stable version; the stable one becomes the former."""

    def withdraw(self) -> None:
        """Take all requests from the canary, and forget it."""

    def restore(self, *, force: bool) -> None:
        """Bring the former version back for all requests, if the schema still serves it (or `force`)."""

    def settle(self) -> None:
        """Stop what serves no more, and bring along what takes no requests. Also what cleans up after a kill."""

    def selector(self, track: Track) -> str:
        """Return the labels, as PromQL writes them, by which the metrics of that version are told apart."""


def run(command: Sequence[str], *, seconds: float, what: str, **variables: str) -> str:
    """Run a command of the operator's with `variables` in its environment; return what it printed."""
    try:
        done = subprocess.run(
            command,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{what}: not done within {seconds:.0f} s ({' '.join(command)})") from None
    except OSError as error:
        raise ReleaseError(f"{what}: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-800:]
        raise ReleaseError(f"{what}: exit {done.returncode} ({' '.join(command)})\n{said}")
    return done.stdout
