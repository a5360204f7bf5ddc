"""From an event to the message that its channel took: recorded, relayed, planned, claimed, accepted.

`python -m benchmarks.notifying [--per-second 50] [--seconds 120]`: relay, worker and stand-ins as processes of their
own, on what DATABASE_URL, REDIS_URL and CELERY_BROKER_URL name. Events come by the clock (a late one doesn't hold up
the next): a parcel's new status with its outbox row, in one transaction; `--scans` records a carrier's scan for each as
it is recorded in earnest, which costs as much again. What is counted is the stand-in's own note of each message.

`--webhook`: to the shop's endpoint instead. `--outage 20000`: WeChat is down, and so many messages of an hour wait for
it; then it comes back. Meanwhile and afterwards events go on, of which a part is told by SMS.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from benchmarks.wrk import ROOT, show  # noqa: E402
from notifications.tests.hasty import fleet as fleets  # noqa: E402
from notifications.tests.hasty import readers, sandbox  # noqa: E402
from notifications.tests.hasty.telling import TellingFleet  # noqa: E402

EVENTS = "events.log"
WARM_UP = 40
SENDERS = 6
PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
SERVERS = {"mariadbd": "database", "mysqld": "database", "beam.smp": "broker", "redis-server": "redis"}


class LiveFleet(TellingFleet):
    """As in earnest: nobody is killed, nothing is hurried, and WeChat's stand-in is another than SMS's."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        sms = fleets.free_port()
        self.environment |= {
            "HASTE": "",
            "ALIYUN_SMS_BASE_URL": f"http://127.0.0.1:{sms}",
            "OUTBOX_LEASE_SECONDS": "30",
            "OUTBOX_RESEND_SECONDS": "600",
        }
        self.sms_folder = self.folder / "sms"
        self.commands["sms"] = ["-m", "notifications.tests.hasty.sandbox", str(sms), str(self.sms_folder)]

    def messages(self) -> list[sandbox.Message]:
        return [*sandbox.messages(self.folder), *sandbox.messages(self.sms_folder)]

    def accepted(self, kinds: Sequence[str]) -> dict[int, float]:
        """When the message to each buyer (or about each parcel) was accepted."""
        return {int(message.to[-8:]): message.at for message in self.messages() if message.kind in kinds}

    def down(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()

    def cpu(self) -> Counter[str]:
        """Seconds of CPU by process so far, children included."""
        used = Counter[str]()
        groups = {process.pid: name for name, process in self.running.items()}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                comm, _, rest = path.read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            fields = rest.split()
            name = groups.get(int(fields[2])) or SERVERS.get(comm)
            if name:
                used[name] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return used


def send(first: int, count: int, per_second: float, log: Path, *, scans: bool) -> None:
    """Record one event for each parcel, by the clock; note when it was due and when it was recorded."""
    from django.db import connection, transaction

    from frozenshop.kernel import clock, outbox
    from logistics.models import Shipment
    from logistics.tests.factories import event, report

    def move(shipment: Shipment) -> None:
        now = clock.now()
        with transaction.atomic():
            Shipment.objects.filter(pk=shipment.pk).update(status="out_for_delivery", status_at=now, updated_at=now)
            outbox.enqueue("notifications.shipment_changed", {"shipment_id": shipment.pk})

    with log.open("a") as file, ThreadPoolExecutor(SENDERS, initializer=connection.ensure_connection) as pool:

        def record(number: int, due: float) -> None:
            if scans:
                report(parcels[number], event("out_for_delivery"))
            else:
                move(parcels[number])
            file.write(f"{number} {due:.6f} {time.time():.6f}\n")

        numbers = range(first, first + count)
        rows = Shipment.objects.filter(waybill_no__in=[readers.waybill_no(number) for number in numbers])
        parcels = {int(row.waybill_no[-8:]): row for row in rows.select_related("carrier")}
        begin = time.time() + 1
        for place, number in enumerate(numbers):
            due = begin + place / per_second
            time.sleep(max(due - time.time(), 0))
            pool.submit(record, number, due)


@contextmanager
def sending(live: LiveFleet, first: int, count: int, per_second: float, *, scans: bool = False) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.notifying", "--send", f"{first},{count},{per_second}"]
    command += ["--folder", str(live.folder), *(["--scans"] if scans else [])]
    process = subprocess.Popen(command, env=live.environment, cwd=ROOT, start_new_session=True)
    live.running["sender"] = process
    try:
        yield
        if process.wait(timeout=600):
            raise SystemExit("the sender failed")
    finally:
        process.kill()
        del live.running["sender"]


def percentiles(waits: Sequence[float]) -> dict[str, int]:
    found = sorted(waits)
    told = {name: found[min(int(len(found) * part), len(found) - 1)] for name, part in PARTS.items()} if found else {}
    return {name: round(seconds * 1000) for name, seconds in [*told.items(), ("max", max(found, default=0.0))]}


def recorded(live: LiveFleet) -> dict[int, tuple[float, float]]:
    """When each event was due, and when it was recorded."""
    lines = [line.split() for line in (live.folder / EVENTS).read_text().splitlines()]
    return {int(number): (float(due), float(done)) for number, due, done in lines}


def legs(live: LiveFleet, events: Mapping[int, tuple[float, float]], accepted: Mapping[int, float]) -> None:
    """Show where the time went: percentiles of each step."""
    rows = live.rows(
        "SELECT s.waybill_no, o.sent_at, n.created_at, d.started_at FROM logistics_shipment s"
        " JOIN notifications_notice n ON n.subject = CONCAT('shipment:', s.id)"
        " JOIN notifications_delivery d ON d.notice_id = n.id"
        " JOIN kernel_outboxmessage o ON o.topic = 'notifications.shipment_changed'"
        " AND JSON_EXTRACT(o.payload, '$.shipment_id') = s.id"
    )
    steps: dict[str, list[float]] = {name: [] for name in ("record", "relay", "plan", "claim", "accept")}
    for waybill_no, *instants in rows:
        number = int(waybill_no[-8:])
        if number in events and number in accepted and None not in instants:
            points = [*events[number], *map(_seconds, instants), accepted[number]]
            for name, begin, end in zip(steps, points, points[1:], strict=False):
                steps[name].append(end - begin)
    for name, waits in steps.items():
        show(f"notifying, {name}", **percentiles(waits))


def _seconds(instant: datetime) -> float:
    return instant.replace(tzinfo=UTC).timestamp()


def until(live: LiveFleet, kinds: Sequence[str], numbers: set[int], seconds: float) -> None:
    """Wait until these were told."""
    deadline = time.monotonic() + seconds
    while left := numbers - live.accepted(kinds).keys():
        if time.monotonic() > deadline:
            print(f"{len(left)} of {len(numbers)} were not told in time", live.statuses(), live.logs())
            return
        time.sleep(0.5)


def steady(live: LiveFleet, given: argparse.Namespace) -> None:
    """Events by the clock, everything in order."""
    kinds = (sandbox.HOOK,) if given.webhook else (sandbox.WECHAT, sandbox.SMS)
    count = int(given.per_second * given.seconds)
    live.prepare(WARM_UP + count, told=False, only_wechat=not given.mixed and not given.webhook)
    if given.webhook:
        live.run(
            "from notifications.webhooks import endpoints;"
            f"endpoints.add('{live.url}/webhooks/x', events=['shipment.updated'])"
        )
        live.run("from notifications.models import MessageTemplate; MessageTemplate.objects.all().delete()")
    live.keep_alive()
    with sending(live, 0, WARM_UP, 10):
        until(live, kinds, set(range(WARM_UP)), 60)
    load, cpu = os.getloadavg()[0], live.cpu()
    with sending(live, WARM_UP, count, given.per_second, scans=given.scans):
        time.sleep(given.seconds)
        sender = (live.cpu() - cpu)["sender"]
        until(live, kinds, set(range(WARM_UP, WARM_UP + count)), 300)
    used = live.cpu() - cpu | Counter({"sender": sender})  # until the last one was told
    after = os.getloadavg()[0]
    events, accepted = recorded(live), live.accepted(kinds)
    waits = [accepted[number] - due for number, (due, _) in events.items() if number >= WARM_UP and number in accepted]
    show(
        "notifying, event to accepted message" if not given.webhook else "notifying, event to the shop's endpoint",
        per_second=given.per_second,
        events=count,
        accepted=len(waits),
        **percentiles(waits),
        load=f"{load:.1f} before, {after:.1f} after",
        cpu_ms_per_event={name: round(seconds / count * 1000, 1) for name, seconds in used.most_common()},
    )
    if not given.webhook:
        legs(live, {number: event for number, event in events.items() if number >= WARM_UP}, accepted)


def outage(live: LiveFleet, given: argparse.Namespace) -> None:
    """Three phases of the same length: all is well, WeChat is down, it is back and the backlog goes out."""
    backlog, spell = given.outage, int(given.per_second * given.seconds)
    live.prepare(WARM_UP + 3 * spell, told=False)
    numbers = f"{WARM_UP + 3 * spell}, {backlog}"
    live.keep_alive()
    with sending(live, 0, WARM_UP, 10):
        until(live, (sandbox.WECHAT, sandbox.SMS), set(range(WARM_UP)), 60)
    began = {}
    for place, phase in enumerate(("well", "down", "back")):
        if phase == "down":
            live.down("sandbox")
            live.run(f"from notifications.tests.hasty.readers import wait; wait({numbers})", seconds=600)
            time.sleep(60)
        elif phase == "back":
            live.keep_alive_only("sandbox")
        began[phase], load = time.time(), os.getloadavg()[0]
        with sending(live, WARM_UP + place * spell, spell, given.per_second):
            time.sleep(given.seconds)
        print(f"{phase}: load {load:.1f} before, {os.getloadavg()[0]:.1f} after", flush=True)
    first = WARM_UP + 3 * spell
    allowed = {number for number in range(WARM_UP, first) if readers.kind_of(number) == readers.ALLOWED}
    until(live, (sandbox.WECHAT,), {*range(first, first + backlog), *allowed}, 3600)
    events, sms, wechat = recorded(live), live.accepted((sandbox.SMS,)), live.accepted((sandbox.WECHAT,))
    for place, phase in enumerate(began):
        mine = range(WARM_UP + place * spell, WARM_UP + (place + 1) * spell)
        alone = [n for n in mine if readers.kind_of(n) == readers.NEVER_ALLOWED and n in sms]
        show(
            f"notifying, by SMS, WeChat {phase}",
            messages=len(alone),
            **percentiles([sms[n] - events[n][0] for n in alone]),
        )
        other = [n for n in mine if readers.kind_of(n) == readers.ALLOWED and n in wechat]
        show(
            f"notifying, by WeChat, {phase}",
            messages=len(other),
            **percentiles([wechat[n] - events[n][0] for n in other]),
        )
    waited = sorted(wechat[n] - began["back"] for n in range(first, first + backlog) if n in wechat)
    rate = len(waited) / (waited[-1] - waited[0])
    show(
        "notifying, backlog after an outage",
        messages=backlog,
        told=len(waited),
        first_s=round(waited[0], 1),
        last_s=round(waited[-1], 1),
        per_second=round(rate, 1),
        in_ten_minutes=round(rate * (600 - waited[0])),
        threads=live.threads,
        concurrency=live.concurrency,
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--per-second", type=float, default=50.0)
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--concurrency", type=int, default=4)
    options.add_argument("--threads", type=int, default=8)
    options.add_argument("--scans", action="store_true")
    options.add_argument("--mixed", action="store_true")
    options.add_argument("--webhook", action="store_true")
    options.add_argument("--outage", type=int, default=0)
    options.add_argument("--send")
    options.add_argument("--folder", type=Path, default=None)
    given = options.parse_args()
    if given.send:
        first, count, per_second = given.send.split(",")
        send(int(first), int(count), float(per_second), given.folder / EVENTS, scans=given.scans)
        return
    folder = Path(tempfile.mkdtemp(prefix="notifying-"))
    with fleets.on_services(folder, LiveFleet, concurrency=given.concurrency) as live:
        live.let_send(given.threads)
        (outage if given.outage else steady)(live, given)


if __name__ == "__main__":
    main()
