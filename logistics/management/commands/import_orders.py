"""`manage.py import_orders FILE`: orders, payments and waybills from a spreadsheet."""

import itertools
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import Invalid, Problem
from logistics.carriers import resolve_carrier
from logistics.models import Carrier
from logistics.services import take_order
from logistics.shipping import check_waybill_no, ship
from orders.contention import retried
from orders.importing import COLUMNS, Group, OrderFile, Parcel, Refusal
from orders.models import Order
from orders.services import ChangedTooLate
from orders.spreadsheets import Unreadable

IMPORT = Actor(Source.IMPORT, "import_orders")
BATCH = 50
LABELS = {"created": "新建", "updated": "更新", "unchanged": "不变", "stale": "过期", "refused": "拒绝"}


class Command(BaseCommand):
    """Exit codes: 0 all is in, 1 rows were refused or the file can't be read, 2 wrong use."""

    help = "从 CSV 或 XLSX 导入订单、付款和运单；可以重复执行，已导入的不变"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="每行一条订单明细，表头为中文或英文")
        parser.add_argument("--dry-run", action="store_true", help="只检查，不写入")
        parser.add_argument("--partial", action="store_true", help="有问题的订单跳过，其余照常导入")

    def handle(self, *, file: Path, dry_run: bool, partial: bool, **options: Any) -> None:
        if not file.is_file():
            raise CommandError(f"文件不存在：{file}", returncode=2)
        try:
            orders = OrderFile(file)
            if orders.ignored:
                self.stdout.write(f"以下列不导入：{'、'.join(orders.ignored)}")
            self.carriers = Carriers()
            refused = self._check(orders)
            if dry_run or (refused and not partial):
                return self._finish(Counter(refused=refused), "检查完毕，没有写入")
            counts = self._take_in(orders)
            counts["refused"] += refused
            audit.record(IMPORT, "orders.imported", file.name[:150], details=dict(counts))
        except Unreadable as problem:
            raise CommandError(problem.message, returncode=1) from problem
        return self._finish(counts, "导入完毕")

    def _check(self, orders: OrderFile) -> int:
        """Read the whole file, report each refused cell, and return how many orders are refused."""
        refused = 0
        for group in self._progress("检查", orders.groups(), len(orders)):
            refusals = [*group.refusals, *self.carriers.refusals(group)]
            refused += bool(refusals)
            self._report(refusals)
        return refused

    def _take_in(self, orders: OrderFile) -> Counter[str]:
        counts: Counter[str] = Counter()
        good = (group for group in orders.groups() if group.order and not self.carriers.refusals(group))
        progress = self._progress("导入", good, len(orders))
        while batch := list(itertools.islice(progress, BATCH)):
            for result, refusals in take_batch(batch, self.carriers.of):
                counts[result] += 1
                self._report(refusals)
        return counts

    def _report(self, refusals: Iterable[Refusal]) -> None:
        for refusal in refusals:
            self.stdout.write(str(refusal))

    def _finish(self, counts: Counter[str], sentence: str) -> None:
        told = "，".join(f"{LABELS[name]} {count}" for name, count in counts.items() if count)
        self.stdout.write(f"{sentence}：{told or '没有问题'}")
        if counts["refused"]:
            raise CommandError(f"{counts['refused']} 个订单被拒绝，原因见上", returncode=1)

    def _progress(self, what: str, groups: Iterable[Group], total: int) -> Iterator[Group]:
        """Pass the groups through, telling a terminal how far it is; a pipe hears nothing."""
        shown = self.stderr.isatty()
        for done, group in enumerate(groups, start=1):
            if shown and (done % 100 == 0 or done == total):
                self.stderr.write(f"\r{what} {done}/{total}", ending="\n" if done == total else "")
            yield group


class Carriers:
    """The carriers that a file names, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Carrier | str] = {}

    def of(self, parcel: Parcel) -> Carrier:
        """Return the carrier of a parcel that had no refusal."""
        carrier = self._look_up(parcel.carrier)
        if isinstance(carrier, str):
            raise Invalid(fields={"carrier_code": carrier})
        return carrier

    def refusals(self, group: Group) -> list[Refusal]:
        """Say what is wrong with the carriers and waybills of an order."""
        refusals = []
        for parcel in group.parcels:
            carrier = self._look_up(parcel.carrier)
            if isinstance(carrier, str):
                refusals.append(Refusal(parcel.row, "carrier_code", carrier))
            try:
                check_waybill_no(parcel.waybill_no)
            except Invalid as problem:
                refusals.append(Refusal(parcel.row, "waybill_no", problem.fields["waybill_no"]))
        return refusals

    def _look_up(self, text: str) -> Carrier | str:
        if text not in self._known:
            try:
                self._known[text] = resolve_carrier(text)
            except Invalid as problem:
                self._known[text] = problem.message
        return self._known[text]


@retried
def take_batch(groups: Iterable[Group], carrier_of: Callable[[Parcel], Carrier]) -> list[tuple[str, list[Refusal]]]:
    """Take in a batch in one transaction; an order that is refused leaves nothing behind and stops nobody else."""
    results: list[tuple[str, list[Refusal]]] = []
    with transaction.atomic():
        for group in groups:
            try:
                with transaction.atomic():
                    results.append(_take(group, carrier_of))
            except Problem as problem:
                results.append(("refused", _refusals(group, problem)))
    return results


def _take(group: Group, carrier_of: Callable[[Parcel], Carrier]) -> tuple[str, list[Refusal]]:
    assert group.order is not None  # only groups without refusals come here
    try:
        taken = take_order(group.order, IMPORT)
    except ChangedTooLate as problem:  # Nothing was written but the alert, which stays.
        return "refused", _refusals(group, problem)
    for parcel in group.parcels:
        _ship(taken.order, parcel, carrier_of(parcel))
    return taken.result, []


def _ship(order: Order, parcel: Parcel, carrier: Carrier) -> None:
    ship(
        order,
        carrier=carrier,
        waybill_no=parcel.waybill_no,
        shipped_at=parcel.shipped_at or clock.now(),
        actor=IMPORT,
        lines=parcel.lines,
    )


def _refusals(group: Group, problem: Problem) -> list[Refusal]:
    row = next((parcel.row for parcel in group.parcels if "waybill_no" in problem.fields), group.rows[0])
    refusals = [
        Refusal(row, name if name in COLUMNS else "order_no", reason) for name, reason in problem.fields.items()
    ]
    return refusals or [Refusal(row, "order_no", problem.message)]
