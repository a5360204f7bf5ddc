"""Demo orders by the million into an empty MySQL/MariaDB database: several processes, whole files of rows, no indexes.

Every stretch of orders has its own range of keys and its own random numbers, so that the rows don't depend on which
process writes them. Secondary indexes are dropped first and built at the end; what was dropped stands in a table until
then.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from django.db import connection, connections
from django.db.models import Model

from frozenshop.backoffice.demo import seeding
from frozenshop.backoffice.demo.lives import OVER_AFTER, LifeWriter, Stock, escaped
from frozenshop.backoffice.demo.seeder import TABLES, Seeder
from frozenshop.backoffice.demo.seeding import Plan
from frozenshop.backoffice.demo.writing import TableWriter, next_key, stored
from orders.models import Customer, Order

LEAST = 50_000
STRETCH = 10_000
MOST_ROWS = 8
"""An order has at most so many rows in a table; of itself and its buyer one."""
DROPPED = "demo_dropped_indexes"
_ONE_EACH = (Order, Customer)


class BulkFailed(Exception):
    """The database did not take what it was given. The database must be made anew."""


def fits(plan: Plan) -> bool:
    """Say if the plan is large and the database such that it can be loaded: MySQL that takes files, without orders."""
    return plan.orders >= LEAST and connection.vendor == "mysql" and not Order.objects.exists() and _takes_files()


def _takes_files() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.local_infile")
        return bool(cursor.fetchone()[0])


def unfinished() -> str:
    """Return what to do where an earlier run was cut off, else nothing."""
    if DROPPED not in connection.introspection.table_names():
        return ""
    name = connection.settings_dict["NAME"]
    return (
        f"上次成批写入演示数据时中断：数据库 {name} 缺少索引，数据不完整（应有的索引见表 {DROPPED}）。"
        f"请删除并重建该数据库（DROP DATABASE {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4），"
        "再依次运行 migrate、load_base_data、seed_demo。"
    )


def seed(plan: Plan, *, workers: int, progress: Callable[[int], None], say: Callable[[str], None]) -> None:
    """Write all of the plan into a database without orders. Raises BulkFailed."""
    seeding.load_goods()
    first_ids = {model: next_key(model) for model in TABLES}
    dropped = drop_indexes()
    say("已去掉索引，开始装载")
    stretches = [Stretch(plan, start, first_ids) for start in range(0, plan.crowd, STRETCH)]
    for done, orders in enumerate(_in_processes(load, stretches, workers), start=1):
        progress(min(done * STRETCH, plan.crowd) if orders else 0)
    say("装载完成，重建索引")
    for table, _ in zip(dropped, _in_processes(run, dropped.values(), workers), strict=True):
        say(f"已建 {table} 的索引")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {DROPPED}")
    seeding.seed_showcase(plan)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE " + ", ".join(model._meta.db_table for model in TABLES))
        cursor.fetchall()


def _in_processes(act: Callable[[Any], Any], what: Iterable[Any], workers: int) -> Iterator[Any]:
    connections.close_all()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(act, what)


# --- indexes --------------------------------------------------------------------------------------


def drop_indexes() -> dict[str, str]:
    """Drop all but the primary keys; return, and keep in the database, the statement that builds each table's again."""
    rebuild, drop = {}, []
    for model in TABLES:
        indexes = _indexes(model._meta.db_table)
        alter = f"ALTER TABLE `{model._meta.db_table}` "
        rebuild[model._meta.db_table] = alter + ", ".join(f"ADD {what}" for what in indexes.values())
        drop.append(alter + ", ".join(f"DROP INDEX `{name}`" for name in indexes))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {DROPPED} (statement TEXT NOT NULL)")
        cursor.executemany(f"INSERT INTO {DROPPED} VALUES (%s)", [[statement] for statement in rebuild.values()])  # noqa: S608
        cursor.execute("SET SESSION foreign_key_checks = 0")
        for statement in drop:
            cursor.execute(statement)
        cursor.execute("SET SESSION foreign_key_checks = 1")
    return rebuild


def _indexes(table: str) -> dict[str, str]:
    """Return the definition of each secondary index of a table by its name."""
    columns: dict[str, list[str]] = {}
    unique: dict[str, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT index_name, non_unique, column_name, collation FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() AND table_name = %s AND index_name <> 'PRIMARY' "
            "ORDER BY index_name, seq_in_index",
            [table],
        )
        for name, non_unique, column, collation in cursor.fetchall():
            columns.setdefault(name, []).append(f"`{column}`{' DESC' if collation == 'D' else ''}")
            unique[name] = "" if non_unique else "UNIQUE "
    return {name: f"{unique[name]}INDEX `{name}` ({', '.join(parts)})" for name, parts in columns.items()}


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        cursor.execute(statement)


# --- rows -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stretch:
    """The orders of a plan from `start` on."""

    plan: Plan
    start: int
    first_ids: dict[type[Model], int] = field(hash=False)

    @property
    def numbers(self) -> range:
        return range(self.start, min(self.start + STRETCH, self.plan.crowd))

    def ids(self, start: int) -> dict[type[Model], int]:
        return {model: first + start * _most(model) for model, first in self.first_ids.items()}


def _most(model: type[Model]) -> int:
    return 1 if model in _ONE_EACH else MOST_ROWS


_stock: dict[int, Stock] = {}


def load(stretch: Stretch) -> int:
    """Write a stretch in one transaction; return how many orders it has."""
    stock = _stock.setdefault(stretch.plan.seed, Stock(stretch.plan.seed))
    with _loader() as cursor:
        for model, text in rows(stretch, stock).items():
            _load(cursor, TableWriter(model, first_id=0), text)
        cursor.connection.commit()
    return len(stretch.numbers)


def rows(stretch: Stretch, stock: Stock) -> dict[type[Model], str]:
    """Return the stretch's rows as LOAD DATA reads them: lives of the stock first, then what may still go on."""
    plan, rng = stretch.plan, Random(f"{stretch.plan.seed}:{stretch.start}")  # noqa: S311 (demo data)
    lives = LifeWriter(stock, stretch.ids(stretch.start))
    ongoing: Seeder | None = None
    for number in stretch.numbers:
        placed_at = plan.placed_at(number)
        buyer = plan.customer_id(number, placed_at)
        if placed_at < plan.now - OVER_AFTER:
            order_no = plan.order_number(number, placed_at)
            lives.add(order_no, placed_at, plan.first + number, buyer, rng, light=plan.is_light(number))
            continue
        if ongoing is None:
            ongoing = Seeder(plan.now, {model: TableWriter(model, top) for model, top in lives.next_ids.items()})
        seeding.add(ongoing, plan, number, plan.journey(number, rng), buyer)
    texts = {model: "".join(parts) for model, parts in lives.texts.items()}
    tops = lives.next_ids
    if ongoing is not None:
        texts = {model: texts[model] + "".join(map(line, table.rows)) for model, table in ongoing.tables.items()}
        tops = {model: table.next_id for model, table in ongoing.tables.items()}
    ends = stretch.ids(stretch.numbers.stop)
    if any(tops[model] > ends[model] for model in TABLES):
        raise BulkFailed("an order has more rows in a table than its keys allow")
    return texts


def line(row: list[Any]) -> str:
    """Return a row as LOAD DATA reads it."""
    return "\t".join(map(_loaded, row)) + "\n"


def _loaded(value: Any) -> str:
    if value is None:
        return "\\N"
    return escaped(value) if isinstance(value, str) else str(int(value) if isinstance(value, bool) else stored(value))


@contextmanager
def _loader() -> Iterator[Any]:
    """Open a session of its own that may send files."""
    import MySQLdb  # type: ignore[import-untyped]

    parameters = connection.get_connection_params()
    with closing(MySQLdb.connect(**parameters, local_infile=True)) as session, session.cursor() as cursor:
        cursor.execute("SET SESSION unique_checks = 0, foreign_key_checks = 0")
        yield cursor


def _load(cursor: Any, table: TableWriter, text: str) -> None:
    """Load a table's rows. LOCAL makes warnings of errors, hence all are counted."""
    if not text:
        return
    with tempfile.NamedTemporaryFile("w", prefix="demo-", encoding="utf-8", delete=False) as file:
        file.write(text)
    try:
        loaded = cursor.execute(
            f"LOAD DATA LOCAL INFILE %s INTO TABLE {table.table} CHARACTER SET utf8mb4 ({table.columns})",
            [os.fspath(file.name)],
        )
    finally:
        Path(file.name).unlink()
    cursor.execute("SHOW WARNINGS LIMIT 3")
    warnings = cursor.fetchall()
    if loaded != text.count("\n") or warnings:
        raise BulkFailed(f"{table.table}: {loaded} of {text.count(chr(10))} rows, {warnings}")
