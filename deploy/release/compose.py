"""A slot of deploy/compose.yaml: `python3 -m deploy.release.compose start|stop|rest`, called by the release command.

SLOT and VERSION come from the environment. What runs where is written to deploy/.env before it is started, so that
`docker compose up -d` after a restart of the server brings back the same.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1]
SLOTS = {
    "blue": ("web-1", "web-2", "worker-tracking", "worker-messages", "worker-rest"),
    "green": ("web-3", "web-4", "worker-tracking-green", "worker-messages-green", "worker-rest-green"),
}
REST = ("relay", "beat")
PROFILE = "COMPOSE_PROFILES"


def command(*arguments: str) -> list[str]:
    """The second slot is asleep but for its profile; only the services that are named are touched."""
    return ["docker", "compose", "--project-directory", str(FOLDER), "--profile", "green", *arguments]


def targets(slot: str) -> dict[str, list[dict[str, object]]]:
    """Return what Prometheus is told of a slot, by file in deploy/prometheus/slots."""
    web = [f"{name}:8080" for name in SLOTS[slot] if name.startswith("web")]
    workers = [name for name in SLOTS[slot] if name.startswith("worker")]
    return {
        f"web-{slot}.json": [{"targets": web, "labels": {"slot": slot}}],
        f"worker-{slot}.json": [
            {"targets": [f"{name}:9464"], "labels": {"slot": slot, "queue": name.split("-")[1]}} for name in workers
        ],
    }


def show(slot: str, *, runs: bool, folder: Path) -> None:
    for name, groups in targets(slot).items():
        if runs:
            (folder / name).write_text(json.dumps(groups, indent=1) + "\n", encoding="utf-8")
        else:
            (folder / name).unlink(missing_ok=True)


def profiles(file: Path, slot: str, *, runs: bool) -> str:
    """Return the profiles with which `docker compose up` brings back what runs now."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    given = next((line.split("=", 1)[1] for line in lines if line.startswith(f"{PROFILE}=")), "")
    others = [name for name in given.split(",") if name and name != "green"]
    return ",".join([*others, *(["green"] if slot == "green" and runs else [])])


def plan(act: str, slot: str) -> list[str]:
    if act == "stop":
        return command("stop", *SLOTS[slot])
    return command("up", "--detach", "--no-deps", "--wait", *(SLOTS[slot] if act == "start" else REST))


def write(file: Path, changes: Mapping[str, str]) -> None:
    """Change these lines of a file of NAME=value, or add them."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines if line.split("=", 1)[0] not in changes]
    draft = file.with_name(f"{file.name}.new")
    draft.write_text("".join(f"{line}\n" for line in [*kept, *map("=".join, changes.items())]), encoding="utf-8")
    draft.replace(file)


def main(arguments: list[str]) -> int:
    act, slot, version = arguments[0] if arguments else "", os.environ.get("SLOT", ""), os.environ.get("VERSION", "")
    wanted = {"start": slot in SLOTS and version, "stop": slot in SLOTS, "rest": version}
    if not wanted.get(act):
        print("Usage: SLOT=blue|green VERSION=… python3 -m deploy.release.compose start|stop|rest", file=sys.stderr)
        return 2
    env, shown = FOLDER / ".env", FOLDER / "prometheus/slots"
    if act == "rest":
        write(env, {"FROZENSHOP_VERSION": version})
    elif act == "start":
        write(env, {f"FROZENSHOP_{slot.upper()}": version, **_profile(env, slot, runs=True)})
    done = subprocess.run(plan(act, slot)).returncode
    if done == 0 and act != "rest":
        show(slot, runs=act == "start", folder=shown)
        write(env, _profile(env, slot, runs=act == "start"))
    return done


def _profile(env: Path, slot: str, *, runs: bool) -> dict[str, str]:
    return {PROFILE: profiles(env, slot, runs=runs)} if slot == "green" else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
