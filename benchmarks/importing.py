"""Import of a file of orders: dry run, run, killed half-way and resumed, undone; how long, and in how much memory.

`python -m benchmarks.importing [ROWS]` (10,000): a MariaDB/MySQL database of its own, made anew, whose server
`BENCH_DATABASE_SERVER` names. Each row is one paid order that leaves under a waybill of its own, the costliest kind. It
is done as the worker does it, in a process of its own per step; the run is killed with SIGKILL once half of it is
done, and goes on in another process. Peak memory is that process's own, beside the same step with a tenth of the rows.
"""

import csv
import datetime as dt
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
LIMITS = {"check": 20.0, "run": 60.0}


def prepared() -> dict[str, str]:
    """Return the environment of an empty database with the carriers in it."""
    made = database.environment(0) | {"DATABASE_URL": f"{database.SERVER}/{NAME}", "REDIS_URL": ""}
    create = f"DROP DATABASE IF EXISTS {NAME}; CREATE DATABASE {NAME} CHARACTER SET utf8mb4"
    database.run([sys.executable, "-c", database.CREATE, database.SERVER, create], {})
    database.manage(made, "migrate", "--verbosity=0")
    database.manage(made, "load_base_data")
    return made


def write(path: Path, rows: int, mark: str) -> None:
    now = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(rows):
            placed = now + dt.timedelta(seconds=n)
            shipped = placed + dt.timedelta(hours=3)
            who = ("张三", f"138{n:08}", "广东省", "广州市", "天河区", "人民路 1 号")
            line = (f"SKU-{n % 60}", "虾仁", "2", "50.5")
            times = (
                placed.isoformat(timespec="seconds"),
                (placed + dt.timedelta(minutes=5)).isoformat(timespec="seconds"),
            )
            parcel = ("SF", f"SF{mark}{n:011}", shipped.isoformat(timespec="seconds"))
            writer.writerow((f"I{mark}-{n:06}", *times, *who, *line, *parcel))


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


def check(path: str) -> None:
    from django.contrib.auth.models import User

    from frozenshop.backoffice.batches import files, moves
    from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchRow
    from frozenshop.backoffice.importing import matching
    from frozenshop.backoffice.importing.fields import WHATS
    from frozenshop.backoffice.importing.kinds import CHECK, IMPORT

    owner = User.objects.filter(username="bench").first() or User.objects.create_superuser("bench")
    started = time.monotonic()
    guess = matching.look(Path(path), WHATS["orders"])
    batch = moves.begin(IMPORT, title="导入", owner=owner, parameters={"what": "orders"})
    with Path(path).open("rb") as file:
        files.keep(batch, BatchFile.Kind.UPLOAD, "import.csv", "text/csv", file)
    told = {"what": "orders", "import": batch.pk, "match": guess.match, "header_row": guess.header_row}
    checking = moves.begin(CHECK, title="检查", owner=owner, parameters=told)
    moves.add_rows(checking, [BatchRow(batch=checking, number=1)])
    moves.start(checking)
    work(checking.pk)
    checking.refresh_from_db()
    batch.parameters = {**told, "check": checking.pk}
    batch.save(update_fields=["parameters"])
    total = Batch.objects.get(pk=batch.pk).total
    ended(started, batch=batch.pk, rows=total, state=checking.state, found=checking.parameters.get("counts"))


def run(batch_id: str) -> None:
    from frozenshop.backoffice.batches import moves
    from frozenshop.backoffice.batches.models import Batch
    from orders.models import Order, OrderStatus

    started, batch = time.monotonic(), Batch.objects.get(pk=int(batch_id))
    if batch.state == Batch.State.PREVIEW:
        moves.start(batch)
    work(batch.pk)
    batch.refresh_from_db()
    shipped = Order.objects.filter(status=OrderStatus.SHIPPED).count()
    ended(started, state=batch.state, rows_done=batch.done, rows_refused=batch.refused, shipped=shipped)


def undo(batch_id: str) -> None:
    from frozenshop.backoffice.batches import moves
    from frozenshop.backoffice.batches.models import Batch
    from logistics.models import Shipment
    from orders.models import Order

    started, batch = time.monotonic(), Batch.objects.get(pk=int(batch_id))
    undoing = moves.undo(batch, batch.owner, "导错了")  # type: ignore[arg-type]
    work(undoing.pk)
    undoing.refresh_from_db()
    left = {"orders": Order.objects.count(), "shipments": Shipment.objects.count()}
    ended(started, state=undoing.state, undone=undoing.done, refused=undoing.refused, left=left)


def main(rows: int) -> None:
    made = prepared()
    folder = Path(made["VAR_DIR"])
    write(folder / "small.csv", rows // 10, "1")
    write(folder / "large.csv", rows, "2")
    small = step("check", folder / "small.csv", environment=made)
    large = step("check", folder / "large.csv", environment=made)
    load = {"load": round(os.getloadavg()[0], 1)}
    show("import_check", limit_s=LIMITS["check"], small_peak_mb=small["peak_mb"], **load, **large)
    little = step("run", int(small["batch"]), environment=made)
    killed = step("run", int(large["batch"]), environment=made, kill_at=rows // 2)
    resumed = step("run", int(large["batch"]), environment=made)
    whole = round(killed["seconds"] + resumed["seconds"], 1)
    load = {"load": round(os.getloadavg()[0], 1)}
    told = {**resumed, "seconds": whole, "killed_at": killed["killed_at"], "small_peak_mb": little["peak_mb"]}
    show("import_run", limit_s=LIMITS["run"], **load, **told)
    show("import_undo", load=round(os.getloadavg()[0], 1), **step("undo", int(large["batch"]), environment=made))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("check", "run", "undo"):
        import django

        django.setup()
        {"check": check, "run": run, "undo": undo}[sys.argv[1]](sys.argv[2])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
