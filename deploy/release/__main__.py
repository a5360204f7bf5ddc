"""The command: `python3 -m deploy.release [--config FILE] canary|abort|rollback|status|install …`.

Exit codes: 0 done, 1 the version was withdrawn or something failed, 2 wrong use. A killed command is simply repeated.
"""

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.release.canary import release
from deploy.release.config import Config, read
from deploy.release.ingress import Ingress, ReleaseError
from deploy.release.nginx import NginxIngress

STARTED = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - STARTED:7.1f} s  {text}", flush=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m deploy.release", description="Bring a version out, or take it back."
    )
    parser.add_argument("--config", type=Path, default=Path("deploy/release/compose.toml"), help="default: %(default)s")
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("canary", help="bring VERSION out step by step, as long as it does well").add_argument("version")
    acts.add_parser("abort", help="take all requests from the version that is being brought out, and stop it")
    back = acts.add_parser("rollback", help="go back to the former version, or abort what is under way")
    back.add_argument("--force", action="store_true", help="even if the schema may not serve it any more")
    acts.add_parser("status", help="say what serves")
    acts.add_parser("install", help="nginx: write the file for the first start").add_argument("version")
    return parser.parse_args(arguments)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReleaseError("Another release command is at work on this machine.") from None
        yield


def do(given: argparse.Namespace, config: Config) -> bool:
    """Return whether what was asked for came about."""
    ingress = config.ingress
    if given.act == "canary":
        told = {"prometheus": config.prometheus, "limits": config.limits, "plan": config.plan, "say": say}
        return release(ingress, given.version, **told)  # type: ignore[arg-type]
    if given.act == "install":
        if not isinstance(ingress, NginxIngress):
            raise ReleaseError("On Kubernetes `kubectl apply -k` installs: see docs/runbooks/bring-up-kubernetes.md.")
        ingress.install(given.version)
    elif given.act == "abort" or (given.act == "rollback" and ingress.state().canary):
        ingress.withdraw()
        settle(ingress)
    elif given.act == "rollback":
        ingress.restore(force=given.force)
        settle(ingress)
    say(ingress.state().written())
    return True


def settle(ingress: Ingress) -> None:
    say(f"{ingress.state().stable} serves all requests")
    ingress.settle()


def main(arguments: list[str] | None = None) -> int:
    given = parse(arguments)
    try:
        config = read(given.config)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        if given.act == "status":
            return 0 if do(given, config) else 1
        with alone(config.lock):
            return 0 if do(given, config) else 1
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Left as it is: the same command goes on, `abort` takes it back.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
