"""Imports from files: dry run, run and undo, each killed half-way and resumed; how long, and in how much memory.

`python -m benchmarks.importing [ROWS [orders|waybills|corrections]]` (10,000, all): a MariaDB/MySQL database of its
own, made anew, whose server `BENCH_DATABASE_SERVER` names. First a file of orders, each row a paid one that leaves
under a waybill of its own, the costliest kind; then one of waybills for as many orders that are there and wait; then
one that corrects the waybills of as many that were sent. It is done as the worker does it, in a process of its own per
step; runs and undos are killed with SIGKILL once half of them is done, and go on in another process. Peak memory is
that process's own, beside the same step with a tenth of the rows. The export of all orders (CSV, by the export's own
job) is taken before each import and after its undo, and compared byte for byte.
"""

import csv
import datetime as dt
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import database
from benchmarks.wrk import show

NAME = "frozenshop_bench_import"
HEADER = (
    *("订单号", "下单时间", "付款时间", "收件人", "手机号", "省", "市", "区", "详细地址"),
    *("商品编码", "商品名称", "数量", "单价", "承运商", "运单号", "发货时间"),
)
CORRECTIONS = ("订单号", "运单号", "更正原因")
WAYBILLS = ("订单号", "承运商", "运单号", "发货时间")
LIMITS = {"check": 20.0, "run": 60.0, "undo": 60.0}


YESTERDAY = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=1)


def prepared() -> dict[str, str]:
    """Return the environment of an empty database with the carriers in it."""
    made = database.environment(0) | {"DATABASE_URL": f"{database.SERVER}/{NAME}", "REDIS_URL": ""}
    create = f"DROP DATABASE IF EXISTS {NAME}; CREATE DATABASE {NAME} CHARACTER SET utf8mb4"
    database.run([sys.executable, "-c", database.CREATE, database.SERVER, create], {})
    database.manage(made, "migrate", "--verbosity=0")
    database.manage(made, "load_base_data")
    return made


def write(path: Path, rows: int, mark: str, *, parcels: bool = True) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(rows):
            placed = YESTERDAY + dt.timedelta(seconds=n)
            who = ("张三", f"138{n:08}", "广东省", "广州市", "天河区", "人民路 1 号")
            line = (f"SKU-{n % 60}", "虾仁", "2", "50.5")
            times = (
                placed.isoformat(timespec="seconds"),
                (placed + dt.timedelta(minutes=5)).isoformat(timespec="seconds"),
            )
            parcel = _parcel(mark, n) if parcels else ("", "", "")
            writer.writerow((f"I{mark}-{n:06}", *times, *who, *line, *parcel))


def write_waybills(path: Path, rows: int, mark: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([WAYBILLS, *((f"I{mark}-{n:06}", *_parcel(mark, n)) for n in range(rows))])


def _parcel(mark: str, n: int) -> tuple[str, str, str]:
    shipped = YESTERDAY + dt.timedelta(seconds=n, hours=3)
    return ("SF", f"SF{mark}{n:011}", shipped.isoformat(timespec="seconds"))


def step(name: str, *arguments: object, environment: dict[str, str], kill_at: int = 0) -> dict[str, float]:
    """Do a step in a process of its own; return what it printed. `kill_at`: SIGKILL once so many rows are done."""
    command = [sys.executable, "-m", "benchmarks.importing", name, *map(str, arguments)]
    process = subprocess.Popen(
        command, env=os.environ | environment, cwd=database.ROOT, stdout=subprocess.PIPE, text=True
    )
    started = time.monotonic()
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if kill_at and told.get("done", 0) >= kill_at:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return {"seconds": time.monotonic() - started, "killed_at": told["done"]}
        if "seconds" in told:
            process.wait()
            return dict(told)
    raise SystemExit(f"{name} ended with {process.wait()}")


def killed_and_resumed(name: str, batch: int, rows: int, environment: dict[str, str]) -> dict[str, float]:
    """Do a run or an undo whose process dies half-way; return what the next one printed, with the seconds of both.

    Those of the first and both ones' processor time begin with the start of the process.
    """
    before = _spent_by_steps()
    killed = step(name, batch, environment=environment, kill_at=rows // 2)
    resumed = step(name, batch, environment=environment)
    whole = round(killed["seconds"] + resumed["seconds"], 1)
    cpu = round(_spent_by_steps() - before, 1)
    return {**resumed, "seconds": whole, "cpu_s": cpu, "killed_at": killed["killed_at"]}


def _spent_by_steps() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def work(batch_id: int) -> None:
    """Do what relay and worker do for a batch, until it has ended; a dead worker's lease has run out."""
    from frozenshop.backoffice.batches import running
    from frozenshop.backoffice.batches.models import Batch
    from frozenshop.kernel import clock, outbox
    from frozenshop.kernel.models import Lease, OutboxMessage

    Lease.objects.filter(name=f"batch:{batch_id}").update(until=clock.now() - dt.timedelta(seconds=1))
    running.STRETCH_SECONDS = 2.0
    while Batch.objects.filter(pk=batch_id, state__in=("queued", "running")).exists():
        for message_id in OutboxMessage.objects.filter(topic=running.TOPIC, status="pending").values_list(
            "pk", flat=True
        ):
            outbox.deliver(message_id)
        batch = Batch.objects.get(pk=batch_id)
        print(json.dumps({"done": batch.done, "refused": batch.refused}), flush=True)


def ended(started: float, **more: object) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = {"seconds": round(time.monotonic() - started, 1), "cpu_s": round(time.process_time(), 1)}
    print(json.dumps({**spent, "peak_mb": round(peak, 1), **more}), flush=True)


def check(path: str, name: str = "orders") -> None:
    from django.contrib.auth.models import User
    from django.db import transaction

    from frozenshop.backoffice.batches import files, moves
    from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
    from frozenshop.backoffice.importing import matching
    from frozenshop.backoffice.importing.fields import WHATS
    from frozenshop.backoffice.importing.kinds import CHECK, IMPORT

    owner = User.objects.filter(username="bench").first() or User.objects.create_superuser("bench")
    started = time.monotonic()
    guess = matching.look(Path(path), WHATS[name])
    batch = moves.begin(IMPORT, title="导入", owner=owner, parameters={"what": name})
    with Path(path).open("rb") as file:
        files.keep(batch, BatchFile.Kind.UPLOAD, "import.csv", "text/csv", file)
    told = {"what": name, "import": batch.pk, "match": guess.match, "header_row": guess.header_row}
    checking = moves.begin(CHECK, title="检查", owner=owner, parameters=told)
    moves.add_rows(checking, [BatchRow(batch=checking, number=1)])
    with transaction.atomic():
        moves.start(checking)
    work(checking.pk)
    checking.refresh_from_db()
    batch.parameters = {**told, "check": checking.pk}
    batch.save(update_fields=["parameters"])
    total = Batch.objects.get(pk=batch.pk).total
    ended(started, batch=batch.pk, rows=total, state=checking.state, found=checking.parameters.get("counts"))


def run(batch_id: str) -> None:
    from django.db import transaction

    from frozenshop.backoffice.batches import moves
    from frozenshop.backoffice.batches.models import Batch
    from orders.models import Order, OrderStatus

    started, batch = time.monotonic(), Batch.objects.get(pk=int(batch_id))
    if batch.state == Batch.State.PREVIEW:
        with transaction.atomic():
            moves.start(batch)
    work(batch.pk)
    batch.refresh_from_db()
    shipped = Order.objects.filter(status=OrderStatus.SHIPPED).count()
    ended(started, state=batch.state, rows_done=batch.done, rows_refused=batch.refused, shipped=shipped)


def undo(batch_id: str) -> None:
    from django.db import transaction

    from frozenshop.backoffice.batches import moves
    from frozenshop.backoffice.batches.models import Batch
    from logistics.models import Shipment
    from orders.models import Order

    started, batch = time.monotonic(), Batch.objects.get(pk=int(batch_id))
    with transaction.atomic():
        begun = Batch.objects.filter(undo_of=batch).first()
        undoing = begun or moves.undo(batch, batch.owner, "导错了")  # type: ignore[arg-type]
    work(undoing.pk)
    undoing.refresh_from_db()
    left = {"orders": Order.objects.count(), "shipments": Shipment.objects.count()}
    ended(started, state=undoing.state, undone=undoing.done, refused=undoing.refused, left=left)


def export(path: str, at: str) -> None:
    """Write the export of all orders to a file; the hours that a parcel has been silent are counted up to `at`."""
    from django.contrib.auth.models import User
    from django.db import transaction
    from django.utils import timezone

    from frozenshop.backoffice.batches import files
    from frozenshop.backoffice.batches.models import BatchFile
    from frozenshop.backoffice.exporting import kinds

    started, instant = time.monotonic(), dt.datetime.fromisoformat(at)
    timezone.now = lambda: instant
    with transaction.atomic():
        batch = kinds.begin_view("export_orders", User.objects.get(username="bench"), "", form="csv")
    work(batch.pk)
    with Path(path).open("wb") as target:
        files.copy(BatchFile.objects.get(batch=batch, kind=BatchFile.Kind.RESULT), target)
    written = Path(path).read_bytes()
    ended(started, lines=written.count(b"\n"), bytes=len(written), sha256=hashlib.sha256(written).hexdigest())


def compared(folder: Path, made: dict[str, str]) -> dict[str, float]:
    at = (YESTERDAY + dt.timedelta(days=2)).isoformat()
    return step("export", folder / "export.csv", at, environment=made)


def tell(name: str, limit: str, told: dict[str, float], **more: object) -> None:
    limits = {"limit_s": LIMITS[limit]} if limit else {}
    show(f"import_{name}", load=round(os.getloadavg()[0], 1), **limits, **told, **more)


def undone(name: str, batch: int, rows: int, before: dict[str, float], folder: Path, made: dict[str, str]) -> None:
    told = killed_and_resumed("undo", batch, rows, made)
    after = compared(folder, made)
    same = before["sha256"] == after["sha256"]
    tell(name, "undo", told, export_lines=before["lines"], export_bytes=before["bytes"], export_same_bytes=same)


def orders(rows: int, folder: Path, made: dict[str, str]) -> None:
    write(folder / "small.csv", rows // 10, "1")
    write(folder / "large.csv", rows, "2")
    small = step("check", folder / "small.csv", environment=made)
    large = step("check", folder / "large.csv", environment=made)
    tell("check", "check", large, small_peak_mb=small["peak_mb"])
    little = step("run", int(small["batch"]), environment=made)
    before = compared(folder, made)
    tell("run", "run", killed_and_resumed("run", int(large["batch"]), rows, made), small_peak_mb=little["peak_mb"])
    undone("undo", int(large["batch"]), rows, before, folder, made)


def waybills(rows: int, folder: Path, made: dict[str, str]) -> None:
    write(folder / "waiting.csv", rows, "3", parcels=False)
    write_waybills(folder / "waybills.csv", rows, "3")
    waiting = step("check", folder / "waiting.csv", environment=made)
    tell("run_waiting", "", step("run", int(waiting["batch"]), environment=made))
    before = compared(folder, made)
    found = step("check", folder / "waybills.csv", "waybills", environment=made)
    tell("waybills_check", "check", found)
    tell("waybills_run", "run", killed_and_resumed("run", int(found["batch"]), rows, made))
    undone("waybills_undo", int(found["batch"]), rows, before, folder, made)


def corrections(rows: int, folder: Path, made: dict[str, str]) -> None:
    write(folder / "sent.csv", rows, "4")
    with (folder / "corrections.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([CORRECTIONS, *((f"I4-{n:06}", f"SF5{n:011}", "写错了") for n in range(rows))])
    sent = step("check", folder / "sent.csv", environment=made)
    step("run", int(sent["batch"]), environment=made)
    before = compared(folder, made)
    found = step("check", folder / "corrections.csv", "corrections", environment=made)
    tell("corrections_check", "check", found)
    tell("corrections_run", "run", killed_and_resumed("run", int(found["batch"]), rows, made))
    undone("corrections_undo", int(found["batch"]), rows, before, folder, made)


def main(rows: int, *parts: str) -> None:
    made = prepared()
    for name, part in {"orders": orders, "waybills": waybills, "corrections": corrections}.items():
        if name in parts or not parts:
            part(rows, Path(made["VAR_DIR"]), made)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("check", "run", "undo", "export"):
        import django

        django.setup()
        {"check": check, "run": run, "undo": undo, "export": export}[sys.argv[1]](*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 10_000, *sys.argv[2:])
