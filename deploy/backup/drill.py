"""`make drill`: lose a database that is being written, restore it from the backup alone, and compare every table.

A private server is filled with demo orders and backed up while orders come in; binary logs are shipped; at a second T
all tables are summed; orders go on; the server is killed and its folder removed. Then it is restored to T and as late
as possible. Prints the recovery point and time reached; exit 1 if they are past their limits or anything differs.
"""

import argparse
import contextlib
import datetime as dt
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import drill_traffic as traffic
from . import mongo
from .drill_servers import DURABLE, NAME, ROOT, Mariadb, Secantus, until
from .drill_traffic import Ledger
from .errors import Failed
from .mariadb import Server
from .processes import run
from .settings import KEY_NAMES

POINT_LIMIT_SECONDS = 300
TIME_LIMIT_SECONDS = 900
PROBED = 200
OUR_OWN = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
BEFORE_SECONDS, AFTER_SECONDS = 4, 4
_began = time.monotonic()


@dataclass
class Drill:
    """All that one drill has: a folder, a primary server, settings, and what was written when."""

    folder: Path
    orders: int
    ship_every: float
    seeded: Path | None
    restored_keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.primary = Mariadb(self.folder / "primary", DURABLE)
        self.logs = Secantus(self.folder / "logs")

    def environment(self, url: str, **more: str) -> dict[str, str]:
        """Return the settings of the program and of the backup, with the database at `url`."""
        own = {
            "VAR_DIR": str(self.folder / "var"),
            "DJANGO_SETTINGS_MODULE": "frozenshop.settings",
            "DATABASE_URL": url,
            "BACKUP_DATABASE_URL": url,
            "MONGODB_URL": self.logs.url(NAME),
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "",
            "PYTHONPATH": str(ROOT),
            "BACKUP_REPOSITORY": str(self.folder / "repository"),
            "BACKUP_PASSWORD": "of-the-repository-in-the-drill",
            "BACKUP_KEYS_PASSPHRASE": "of-the-keys-in-the-drill",
            "BACKUP_METHOD": "physical",
        }
        return {**os.environ, **own, **(self.restored_keys or self.keys()), **more}

    def keys(self) -> dict[str, str]:
        path = self.folder / "var" / "local.env"
        known = dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}
        return {name: known[name] for name in KEY_NAMES if name in known}

    def program(self, *arguments: str, url: str = "", **more: str) -> str:
        return run([sys.executable, *arguments], extra=self.environment(url or self.primary.url, **more), cwd=ROOT)

    def backup(self, *arguments: str) -> str:
        return self.program("-m", "deploy.backup", *arguments)


def main(arguments: list[str]) -> int:
    given = _arguments(arguments)
    for name in [name for name in os.environ if name not in OUR_OWN]:
        del os.environ[name]  # no setting of the site around us is meant for the drill
    folder = Path(tempfile.mkdtemp(prefix="drill-", dir=given.work))
    drill = Drill(folder, given.orders, given.ship_every, given.seeded)
    try:
        return _whole(drill)
    except (Failed, AssertionError) as error:
        print(f"FAILED  {error}", flush=True)
        return 1
    finally:
        drill.primary.stop(signal.SIGKILL)
        drill.logs.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m deploy.backup.drill", description=__doc__)
    parser.add_argument("--orders", type=int, default=1000, help="how many demo orders stand there before (1000)")
    parser.add_argument("--ship-every", type=float, default=5, help="seconds between two shipments of logs (5)")
    parser.add_argument("--work", type=Path, help="where there is room for three times the database")
    parser.add_argument(
        "--seeded", type=Path, help="a folder with `data` (a stopped server's) and `var`, seeded before"
    )
    return parser.parse_args(arguments)


def _whole(drill: Drill) -> int:
    _prepare(drill)
    with traffic.orders_coming_in(drill.folder, drill.environment(drill.primary.url)) as ledger:
        say(drill.backup("full").splitlines()[-1])
        with traffic.shipping(lambda: drill.backup("binlog"), ledger, drill.ship_every):
            time.sleep(BEFORE_SECONDS)
            with drill.primary.seen() as server:
                second, sums = traffic.sum_at_a_second(server, ledger)
            until("a shipment after T", lambda: ledger.shipped > second, 120 + 10 * drill.ship_every)
            # The worst moment is just before the next shipment.
            time.sleep(max(AFTER_SECONDS, drill.ship_every * 0.95))
            lost_at = _disaster(drill)
    say(f"the primary is killed and its folder removed; {len(ledger.acknowledged())} orders had been acknowledged")
    took = _restore_late(drill, ledger, lost_at)
    _restore_at(drill, ledger, second, sums)
    lost, point = ledger.lost(lost_at)
    say(f"{lost} acknowledged orders came after the last shipment and are lost")
    print(f"recovery point {point:.0f} s (limit {POINT_LIMIT_SECONDS}), recovery time {took:.0f} s", end=" ")
    print(f"(limit {TIME_LIMIT_SECONDS}), at {drill.orders:,} orders; load {os.getloadavg()[0]:.1f}", flush=True)
    return int(point > POINT_LIMIT_SECONDS or took > TIME_LIMIT_SECONDS)


def _prepare(drill: Drill) -> None:
    if drill.seeded:
        shutil.copytree(drill.seeded / "data", drill.primary.data)
        shutil.copytree(drill.seeded / "var", drill.folder / "var")
    else:
        drill.primary.install()
    drill.primary.start()
    drill.logs.start()
    drill.program("-m", "frozenshop.bootstrap", "local")
    drill.primary.ask(f"CREATE DATABASE IF NOT EXISTS {NAME} CHARACTER SET utf8mb4")
    drill.program("manage.py", "migrate", "--verbosity=0")
    if not drill.seeded:
        drill.program("manage.py", "load_base_data")
        drill.program("manage.py", "seed_demo", f"--orders={drill.orders}", DEBUG="true")
    _fill_logs(drill)
    drill.backup("init")
    say(f"{drill.orders:,} orders stand")


def _fill_logs(drill: Drill) -> None:
    """Put some documents into the log store, as the program's own would be there."""
    with mongo.connected(drill.logs.url(NAME)) as database:
        database.log_api.create_index("at", name="ttl", expireAfterSeconds=30 * 86400)
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        database.log_api.insert_many({"_id": f"{n:08}", "at": now, "what": "访问" * 10, "n": n} for n in range(2000))


def _disaster(drill: Drill) -> float:
    drill.primary.stop(signal.SIGKILL)
    lost_at = time.time()
    shutil.rmtree(drill.primary.data)
    return lost_at


def _restore_late(drill: Drill, ledger: Ledger, lost_at: float) -> float:
    """Restore all that was shipped; return the seconds from the disaster to a database that the program can use."""
    with _restored(drill, "late", "latest") as (server, url):
        drill.program("manage.py", "check", url=url)
        drill.program("manage.py", "migrate", "--check", url=url)
        took = time.time() - lost_at
        ledger.restored = _order_numbers(server)
        ledger.refuse_holes()
        _try_with_the_program(drill, url)
    return took


def _restore_at(drill: Drill, ledger: Ledger, second: dt.datetime, known: dict[str, str]) -> None:
    """Restore to T and compare with what was there at T: every order by its number, every table by its sum."""
    with _restored(drill, "exact", second.isoformat()) as (server, url):
        ledger.refuse_difference(_order_numbers(server), second.timestamp())
        say(f"at T = {second:%H:%M:%S} UTC every acknowledged order before is there, and none after")
        found = dict(server.ask(traffic.checksums(server)))
        differing = sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name))
        if differing:
            raise Failed(f"tables differ from what they were at T: {', '.join(differing)}")
        say(f"the sums of {len(found)} tables are those of T")
        _try_with_the_program(drill, url)


@contextlib.contextmanager
def _restored(drill: Drill, name: str, instant: str) -> Iterator[tuple[Server, str]]:
    """Restore as the runbook says, start a second server on the result, and take the keys from the backup."""
    data, keys = drill.folder / name, drill.folder / f"{name}.env"
    options = [f"--datadir={data}", f"--keys={keys}", f"--mongodb={drill.logs.url(name)}"]
    words = drill.backup("restore", f"--to={instant}", *options)
    print(words, end="", flush=True)
    restored = Mariadb(data)
    restored.start()
    try:
        drill.restored_keys = dict(line.split("=", 1) for line in keys.read_text().splitlines())
        _compare_logs(drill, name)
        with restored.seen() as server:
            yield server, restored.url
    finally:
        restored.stop(signal.SIGKILL)
        shutil.rmtree(data)


def _compare_logs(drill: Drill, name: str) -> None:
    with mongo.connected(drill.logs.url(NAME)) as before, mongo.connected(drill.logs.url(name)) as after:
        for collection in before.list_collection_names():
            if list(before[collection].find().sort("_id")) != list(after[collection].find().sort("_id")):
                raise Failed(f"the log store's {collection} differs")
            if before[collection].index_information() != after[collection].index_information():
                raise Failed(f"the indexes of the log store's {collection} differ")
            say(f"the log store's {collection} is back: {after[collection].count_documents({})} documents")


def _order_numbers(server: Server) -> set[str]:
    return {row[0] for row in server.ask(f"SELECT order_no FROM {NAME}.orders_order WHERE order_no LIKE 'DRILL%'")}


def _try_with_the_program(drill: Drill, url: str) -> None:
    opened = drill.program("-m", "deploy.backup.drill_orders", "probe", str(PROBED), url=url).strip()
    say(f"{opened} sealed consignees open with the restored keys")
    say(drill.program("manage.py", "verify_audit", url=url).strip().splitlines()[-1])


def say(what: str) -> None:
    print(f"{time.monotonic() - _began:7.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
