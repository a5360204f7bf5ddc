"""Kill one part of a running shop after the other, and see that its alert, and only it, is told in time.

    python3 -m deploy.alarms                      all parts, one after the other
    python3 -m deploy.alarms --only redis beat    some of them
    python3 -m deploy.alarms --together           all at once, where one doesn't hide another: shorter, for CI

Needs MariaDB's server, redis-server, Prometheus and Alertmanager (Debian's), and RabbitMQ (CELERY_BROKER_URL, or its
usual local port), of which it makes queues of its own. Exit 1 when an alert was late, missing, or not alone.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.alarms.processes import Failed, Ports, until
from deploy.alarms.shop import TOKEN, Shop, Traffic, missing_programs
from deploy.alarms.watchers import Watchers

ALERTS = {
    "mongodb": "MongodbDown",
    "redis": "RedisDown",
    "beat": "BeatDown",
    "worker": "WorkerDown",
    "relay": "RelayDown",
    "broker": "BrokerDown",
    "web": "WebDown",
    "database": "DatabaseDown",
}
TOGETHER = ("redis", "mongodb", "worker", "relay", "beat")
"""None of these alerts needs another part of the list, or is seen through it."""
TOLD_SECONDS = 120
OUTAGE_SECONDS = 180
"""So long a part stays away: long enough for what follows from it to fire."""
LISTEN_SECONDS = 20
"""So long it is waited for others, where all are killed together and the outage ends when all were told."""
OVER_SECONDS = 240
QUIET_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    part: str
    alert: str
    told: float | None
    over: float | None
    others: tuple[str, ...]
    held_back: tuple[str, ...]

    @property
    def fine(self) -> bool:
        return self.told is not None and self.told <= TOLD_SECONDS and self.over is not None and not self.others

    def __str__(self) -> str:
        told = "never" if self.told is None else f"{self.told:.0f} s"
        over = "never" if self.over is None else f"{self.over:.0f} s"
        others, held = ", ".join(self.others) or "none", ", ".join(self.held_back) or "none"
        return f"| {self.part} | `{self.alert}` | {told} | {over} | {others} | {held} |"


HEAD = "| killed | told | after | over after restart | others told | held back |\n|---|---|---|---|---|---|"


class Drill:
    def __init__(self, shop: Shop, watchers: Watchers) -> None:
        self.shop, self.watchers, self.receiver = shop, watchers, watchers.receiver

    def round(self, parts: Sequence[str], *, short: bool) -> list[Outcome]:
        """Kill the parts, wait for their alerts, start them again, wait until the alerts are over."""
        self.wait_until_quiet()
        wanted = {ALERTS[part] for part in parts}
        killed = time.monotonic()
        for part in parts:
            self.shop.parts[part].kill()
        held_back = self._listen(killed, wanted, short=short)
        started = time.monotonic()
        for part in parts:
            self.shop.parts[part].start()
        for part in parts:
            self.shop.parts[part].wait()
        self._wait_until_over(wanted, started)
        others = {told.alert for told in self.receiver.since(killed, "firing")} - wanted
        return [
            Outcome(
                part,
                ALERTS[part],
                self._first(ALERTS[part], "firing", killed),
                self._first(ALERTS[part], "resolved", started),
                tuple(sorted(others)),
                tuple(sorted(held_back - wanted)),
            )
            for part in parts
        ]

    def _listen(self, killed: float, wanted: set[str], *, short: bool) -> set[str]:
        """Let the outage last; return what was held back meanwhile."""
        held_back: set[str] = set()
        until_then = killed + OUTAGE_SECONDS
        while time.monotonic() < until_then:
            held_back |= self.watchers.suppressed()
            if short and wanted <= {told.alert for told in self.receiver.since(killed, "firing")}:
                short, until_then = False, time.monotonic() + LISTEN_SECONDS
            time.sleep(1)
        return held_back

    def wait_until_quiet(self) -> None:
        def quiet() -> bool:
            return self.watchers.targets_up() and not self.watchers.pending_or_firing()

        try:
            until("everything to be well", quiet, QUIET_SECONDS)
        except Failed:
            raise Failed(f"not well: {sorted(self.watchers.pending_or_firing())}") from None

    def _first(self, alert: str, status: str, since: float) -> float | None:
        calls = [told.at for told in self.receiver.since(since, status) if told.alert == alert]
        return min(calls) - since if calls else None

    def _wait_until_over(self, alerts: set[str], since: float) -> None:
        deadline = time.monotonic() + OVER_SECONDS
        while time.monotonic() < deadline:
            if alerts <= {told.alert for told in self.receiver.since(since, "resolved")}:
                return
            time.sleep(0.5)


def main(arguments: Sequence[str]) -> int:
    asked = _arguments(arguments)
    if missing := missing_programs():
        print(f"not installed: {', '.join(missing)}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="alarms-"))
    ports = Ports(asked.ports)
    try:
        return _drill(asked, folder, ports)
    except Failed as error:
        print(f"FAILED  {error}\nlogs: {folder}", file=sys.stderr)
        return 1


def _drill(asked: argparse.Namespace, folder: Path, ports: Ports) -> int:
    shop = Shop(folder, ports, os.environ.get("CELERY_BROKER_URL") or "amqp://guest:guest@127.0.0.1:5672//")
    watchers = Watchers(folder, ports, shop.addresses, TOKEN)
    traffic = Traffic(shop)
    begun = time.monotonic()
    try:
        shop.start()
        traffic.start()
        watchers.start()
        print(f"the shop and its watchers run after {time.monotonic() - begun:.0f} s", flush=True)
        outcomes = _rounds(Drill(shop, watchers), _parts(asked, shop), together=asked.together)
    finally:
        if traffic.taken or traffic.refused:
            traffic.stop()
        watchers.stop()
        shop.stop()
    print(f"pushes meanwhile: {traffic.taken} taken, {traffic.refused} refused or unanswered")
    print(f"{time.monotonic() - begun:.0f} s in all")
    fine = all(outcome.fine for outcome in outcomes)
    if fine:
        shutil.rmtree(folder)
    else:
        print(f"logs: {folder}")
    return 0 if fine else 1


def _rounds(drill: Drill, parts: Sequence[str], *, together: bool) -> list[Outcome]:
    rounds = [tuple(parts)] if together else [(part,) for part in parts]
    print(HEAD, flush=True)
    outcomes = []
    for one in rounds:
        found = drill.round(one, short=together)
        outcomes += found
        for outcome in found:
            print(outcome, flush=True)
    return outcomes


def _parts(asked: argparse.Namespace, shop: Shop) -> list[str]:
    wanted = asked.only or (TOGETHER if asked.together else ALERTS)
    there = [part for part in wanted if part in shop.parts]
    if left_out := sorted(set(ALERTS) - set(there)):
        print(f"left out: {', '.join(left_out)}")
    return there


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m deploy.alarms", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(ALERTS), metavar="PART", help=", ".join(ALERTS))
    parser.add_argument("--together", action="store_true", help="kill them all at once")
    parser.add_argument("--ports", type=int, default=21300, help="where to look for free ports")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
