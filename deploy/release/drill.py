"""The canary drill: a good version and bad ones are brought out on this machine under load, and the figures printed.

`make canary-drill`, or `python -m deploy.release.drill [errors|slow|crash|tasks …]`. nginx, Prometheus and two slots of
real processes; 50 requests a second by the clock. Exit 1 when a request fails in a good release or its rollback, when a
bad version isn't withdrawn within 60 s, or when anything that was accepted is lost.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.release.faults import FAULTS
from deploy.release.fleet import ROOT, processes, up
from deploy.release.load import Answer, Load
from deploy.release.lost import kept
from deploy.release.surroundings import Surroundings, nginx, nginx_command, surroundings

RATE = float(os.environ.get("DRILL_RATE", "50"))
STEP_SECONDS = float(os.environ.get("DRILL_STEP_SECONDS", "20"))
FIRST_PORT = int(os.environ.get("DRILL_PORT", "21600"))
WITHDRAWN_WITHIN = 60.0
ROLLED_BACK_WITHIN = 60.0
SCRAPE_SECONDS = 2


class Ports:
    """All that the drill listens on, counted from the first."""

    def __init__(self, first: int) -> None:
        self.nginx, self.prometheus, self.sandbox = first, first + 1, first + 2
        self.slots = {
            "blue": [("web", first + 11), ("web", first + 12), ("worker", first + 13)],
            "green": [("web", first + 21), ("web", first + 22), ("worker", first + 23)],
            "rest": [("relay", first + 31), ("beat", first + 32)],
        }

    def servers(self, slot: str) -> list[str]:
        return [f"127.0.0.1:{port}" for role, port in self.slots[slot] if role == "web"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs while versions come and go."""

    around: Surroundings
    load: Load
    ports: Ports

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the release command, as an operator would."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.release", "--config", str(self.around.folder / "release.toml"), *arguments],
            cwd=ROOT,
            env=os.environ | {"FLEET": str(self.around.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def state(self) -> dict[str, str | int | None]:
        first = (self.around.folder / "release.conf").read_text().split("\n", 1)[0]
        state: dict[str, str | int | None] = json.loads(first.removeprefix("# release: "))["state"]
        return state


@dataclass(frozen=True, slots=True)
class Told:
    """One command's run: what it said with when, its exit code, and the requests meanwhile."""

    began: float
    ended: float
    code: int
    said: list[tuple[float, str]]
    answers: list[Answer]

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.failed]

    def when(self, pattern: str) -> float | None:
        """Seconds from the beginning until it first said so."""
        return next((at - self.began for at, line in self.said if re.search(pattern, line)), None)


@contextmanager
def stage(
    first_port: int = FIRST_PORT, *, rate: float = RATE, step_seconds: float = STEP_SECONDS, requests: int = 30
) -> Iterator[Stage]:
    """Bring up version 1.0.0 with all that belongs to it, under load. No judgement on fewer `requests`."""
    ports, folder = Ports(first_port), Path(tempfile.mkdtemp(prefix="canary-drill-"))
    try:
        with surroundings(folder, ports.slots, ports.sandbox) as around:
            (folder / "release.toml").write_text(_config(folder, ports, step_seconds, requests))
            up(processes(folder, "blue"), "1.0.0")
            up(processes(folder, "rest"), "1.0.0")
            _install(folder)
            with nginx(folder, ports.nginx), _prometheus(folder, ports):
                load = Load(ports.nginx, around.people, around.environment["KDNIAO_API_KEY"], rate)
                with load:
                    yield Stage(around, load, ports)
        shutil.rmtree(folder)
    except BaseException:
        print(f"Left for looking at: {folder}", file=sys.stderr)
        raise


def _install(folder: Path) -> None:
    command = [sys.executable, "-m", "deploy.release", "--config", str(folder / "release.toml"), "install", "1.0.0"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _config(folder: Path, ports: Ports, step_seconds: float, requests: int) -> str:
    """JSON's strings and lists are TOML's, too."""
    fleet = [sys.executable, "-m", "deploy.release.fleet"]
    tables: dict[str, dict[str, object]] = {
        "prometheus": {"url": f"http://127.0.0.1:{ports.prometheus}"},
        "plan": {"step_seconds": step_seconds, "hold_seconds": 40, "poll_seconds": 1},
        "limits": {"requests": requests, "gone_seconds": 10 * SCRAPE_SECONDS},
        "nginx": {
            "file": str(folder / "release.conf"),
            "test": nginx_command(folder, "-t"),
            "reload": nginx_command(folder, "-s", "reload"),
            "start": [*fleet, "up"],
            "stop": [*fleet, "down"],
            "rest": ["env", "SLOT=rest", *fleet, "up"],
            "start_seconds": 100,
        },
        **{
            f"nginx.slots.{slot}": {"servers": ports.servers(slot), "selector": f'slot="{slot}"'}
            for slot in ("blue", "green")
        },
    }
    parts = [
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    ]
    return "\n".join(parts)


@contextmanager
def _prometheus(folder: Path, ports: Ports) -> Iterator[None]:
    jobs = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"slot": slot, "role": role}}
        for slot, all_of_it in ports.slots.items()
        for role, port in all_of_it
    ]
    scrape = {"job_name": "frozenshop", "static_configs": jobs}
    every = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    (folder / "prometheus.yml").write_text(json.dumps({"global": every, "scrape_configs": [scrape]}))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{ports.prometheus}"], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def told(on: Stage, *arguments: str) -> Told:
    """Run the command to its end, and note what is said when."""
    began, said = time.monotonic(), []
    with on.command(*arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append((time.monotonic(), line.rstrip()))
            print(f"      {line.rstrip()}", flush=True)
    ended = time.monotonic()
    return Told(began, ended, process.returncode, said, on.load.between(began, ended))


def good(on: Stage, version: str) -> list[str]:
    """Bring out a version that does well; return what was not as it should be."""
    run = told(on, "canary", version)
    steps = [(percent, run.when(rf"\b{percent} % to {version}")) for percent in (5, 25, 50, 100)]
    starts = [*(at for _, at in steps if at is not None), run.seconds]
    lasted = ", ".join(
        f"{percent} % {end - begin:.0f} s" for (percent, _), begin, end in zip(steps, starts, starts[1:], strict=False)
    )
    seen = sum(1 for answer in run.answers if answer.slot == _other_slot(on, version))
    print(f"good {version}: {run.seconds:.0f} s in all, ready after {starts[0]:.0f} s; {lasted}")
    print(f"      {len(run.answers)} requests, {seen} by the new version, {len(run.failed)} failed")
    return [
        *([f"{version} was not brought out"] if run.code else []),
        *(_described(run.failed) if run.failed else []),
    ]


def _other_slot(on: Stage, version: str) -> str:
    """The slot in which the version stands that serves now."""
    first = (on.around.folder / "release.conf").read_text().split("\n", 1)[0]
    return str(json.loads(first.removeprefix("# release: "))["slot"])


def bad(on: Stage, fault: str) -> list[str]:
    """Bring out a version with a fault; it must be withdrawn in time."""
    serves = _other_slot(on, fault)
    run = told(on, "canary", fault)
    withdrawn = run.when("serves all requests")
    seen = sum(1 for answer in run.answers if answer.slot not in (serves, ""))
    ready = run.when("is ready")
    since = f"{withdrawn - ready:.0f} s after it was ready" if withdrawn and ready else "it was never ready"
    print(f"bad {fault}: withdrawn after {withdrawn or -1:.0f} s ({since}); {seen / max(len(run.answers), 1):.2%} of "
          f"{len(run.answers)} requests met it, {len(run.failed)} failed")  # fmt: skip
    late = withdrawn is None or withdrawn > WITHDRAWN_WITHIN
    return [f"{fault} was not withdrawn within {WITHDRAWN_WITHIN:.0f} s"] if late or run.code != 1 else []


def rollback(on: Stage) -> list[str]:
    run = told(on, "rollback")
    back = run.when("serves all requests") or run.seconds
    print(f"rollback: the former version serves after {back:.0f} s, all done after {run.seconds:.0f} s; "
          f"{len(run.answers)} requests, {len(run.failed)} failed")  # fmt: skip
    return [
        *(["not rolled back in time"] if run.code or back > ROLLED_BACK_WITHIN else []),
        *(_described(run.failed) if run.failed else []),
    ]


def whole(on: Stage) -> list[str]:
    on.load.stop()
    found = kept(on.load, on.around)
    accepted = f"{found.orders} orders, {found.parcels} parcels, {found.scans} scans"
    print(f"kept: {accepted} accepted; {len(found.wrong)} lost or twice; messages left {found.left[:5]}")
    return [] if found.whole else [f"lost: {found.wrong or found.left[:5]}"]


def _described(answers: Sequence[Answer]) -> list[str]:
    return [f"failed: {answer.kind} {answer.status} in slot {answer.slot!r}: {answer.said}" for answer in answers[:10]]


def main(faults: Sequence[str] = FAULTS) -> int:
    if unknown := set(faults) - set(FAULTS):
        print(
            f"There is no version with the fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}.",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{RATE:.0f} requests/s; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with stage() as on:
        wrong = good(on, "1.1.0") + rollback(on)
        for fault in faults:
            wrong += bad(on, fault)
        wrong += whole(on)
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    for one in wrong:
        print(f"FAILED  {one}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FAULTS))
