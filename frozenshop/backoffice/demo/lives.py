"""A stock of lives that are over, each told once by the seeder and then lived again by many orders.

Of an order that is over nothing depends on today: its rows differ from those of another order of the same life by keys,
numbers, its person, and by how much later everything happened. What differs is found by comparing the told rows with
what they were told of, so that a new column needs no word here unless it is made of the consignee.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from random import Random
from typing import Any

from django.db.models import ForeignKey, Model

from frozenshop.backoffice.demo.catalogue import CARRIERS, GIVEN, SURNAMES
from frozenshop.backoffice.demo.journeys import Journey, make_journey, pick_kind
from frozenshop.backoffice.demo.seeder import TABLES, Scan, Seeder
from frozenshop.backoffice.demo.writing import TableWriter
from logistics import tracking
from logistics.models import TrackingEvent
from orders.consignee import Consignee, indexes
from orders.models import Customer

STOCK = 2048
OVER_AFTER = dt.timedelta(days=21)
"""Later than this after it was placed nothing happens to an order any more."""
ONGOING = ("silent", "unpaid")
EPOCH = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
ORDER_NO = "\N{BLACK SQUARE}"
PERSONAL = ("consignee_sealed", "phone_index", "name_index", "tail_index")
# What differs from order to order: these first, then a life's own keys, instants and digests.
NUMBER, WAYBILL, BACKWARDS, BUYER = "order_no", "waybill", "backwards", "buyer"
FIRST = (NUMBER, WAYBILL, BACKWARDS, BUYER, *PERSONAL)
MARK = "\N{WHITE SQUARE}%s\N{WHITE SQUARE}"

Model_ = type[Model]


@dataclass(slots=True)
class Life:
    """For each table the text of its rows, as LOAD DATA reads it, with a place for each value that differs, and which
    of the order's values go there.

    `keys` are (table, which of this order's rows in it), `instants` the time since the order was placed.
    """

    journey: Journey
    texts: dict[Model_, tuple[str, Callable[[list[str]], tuple[str, ...]]]] = field(default_factory=dict)
    counts: dict[Model_, int] = field(default_factory=dict)
    keys: list[tuple[Model_, int]] = field(default_factory=list)
    instants: list[dt.timedelta] = field(default_factory=list)
    scans: list[tuple[Scan, dt.timedelta]] = field(default_factory=list)

    def waybill_no(self, serial: int) -> str:
        return next((form.format(serial) for code, form, _ in CARRIERS if code == self.journey.carrier_code), "")

    def digests(self, placed_at: dt.datetime) -> list[str]:
        digests = []
        for scan, after in self.scans:
            scan.occurred_at = placed_at + after
            digests.append(tracking.event_key(scan))
        return digests


class Stock:
    """Lives by number, the same for the same seed, each told when it is first asked for."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.told: dict[tuple[int, bool], Life] = {}
        # Later than anything in a life, so that the seeder tells it as over.
        self.seeder = Seeder(EPOCH + 3 * OVER_AFTER, tables())

    def pick(self, rng: Random, light: bool) -> Life:
        which = int(rng.random() * STOCK), light
        if (life := self.told.get(which)) is None:
            life = self.told[which] = self._tell(*which)
        return life

    def _tell(self, number: int, light: bool) -> Life:
        rng = Random(f"{self.seed}:life:{number}")  # noqa: S311 (demo data)
        while (kind := pick_kind(rng)) in ONGOING:
            pass
        placed_at = EPOCH + dt.timedelta(minutes=rng.randrange(24 * 60))
        journey = make_journey(rng, placed_at, self.seeder.now, 0, kind=kind)
        self.seeder.tables = tables()
        self.seeder.add(ORDER_NO, journey, None, light=light)
        return read(journey, self.seeder.tables)


def tables() -> dict[Model_, TableWriter]:
    return {model: TableWriter(model, first_id=0) for model in TABLES}


def read(journey: Journey, told: dict[Model_, TableWriter]) -> Life:
    """Return the life of the one order of which these rows tell."""
    life = Life(journey)
    marked = {
        model: "".join("\t".join(_row(life, model, table, row)) + "\n" for row in table.rows)
        for model, table in told.items()
    }
    places: list[Any] = [*FIRST, *life.keys, *life.instants, *(("scan", n) for n in range(len(life.scans)))]
    where = {MARK % (place,): position for position, place in enumerate(places)}
    for model, text in marked.items():
        life.counts[model] = len(told[model].rows)
        if text:
            life.texts[model] = _compiled(text, where)
    return life


def _compiled(text: str, where: dict[str, int]) -> tuple[str, Callable[[list[str]], tuple[str, ...]]]:
    used = re.findall("\N{WHITE SQUARE}.+?\N{WHITE SQUARE}", text)
    template = re.sub("\N{WHITE SQUARE}.+?\N{WHITE SQUARE}", "%s", text.replace("%", "%%"))
    return template, itemgetter(*(where[mark] for mark in used))


def _row(life: Life, model: Model_, table: TableWriter, row: list[Any]) -> list[str]:
    return [_value(life, model, column, value, row, table) for column, value in zip(table.fields, row, strict=True)]


def _value(life: Life, model: Model_, column: Any, value: Any, row: list[Any], table: TableWriter) -> str:
    if value is None:
        return "\\N"
    if column.attname in PERSONAL:
        return MARK % str(column.attname)
    if column.primary_key:
        return _place(life.keys, (model, value))
    if isinstance(column, ForeignKey) and column.related_model is Customer:
        return MARK % BUYER
    if isinstance(column, ForeignKey) and column.related_model in TABLES:
        return _place(life.keys, (column.related_model, value))
    if isinstance(value, dt.datetime):
        return _place(life.instants, value - life.journey.placed_at)
    if model is TrackingEvent and column.attname == "key":
        told = {name: row[place] for name, place in table.place.items()}
        scan = Scan(told["occurred_at"], told["status"], told["code"], told["text"], told["location"])
        life.scans.append((scan, scan.occurred_at - life.journey.placed_at))
        return MARK % (("scan", len(life.scans) - 1),)
    return _text(life.journey.waybill_no, value)


def _place(values: list[Any], value: Any) -> str:
    if value not in values:
        values.append(value)
    return MARK % (value,)


def _text(waybill: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    text = escaped(str(value)).replace(ORDER_NO, MARK % NUMBER)
    if waybill:
        text = text.replace(waybill, MARK % WAYBILL).replace(waybill[::-1], MARK % BACKWARDS)
    return text


def escaped(text: str) -> str:
    """Return a text as LOAD DATA reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


class LifeWriter:
    """Writes orders that live lives of the stock into texts, one for each table. `next_ids` moves on with them."""

    def __init__(self, stock: Stock, next_ids: dict[Model_, int]) -> None:
        self.stock, self.next_ids = stock, next_ids
        self.texts: dict[Model_, list[str]] = {model: [] for model in TABLES}

    def add(
        self, order_no: str, placed_at: dt.datetime, serial: int, buyer: int | None, rng: Random, *, light: bool
    ) -> None:
        life, ids = self.stock.pick(rng, light), self.next_ids
        waybill, naive = life.waybill_no(serial), placed_at.replace(tzinfo=None)
        values = [
            order_no,
            waybill,
            waybill[::-1],
            str(ids[Customer] if buyer is None else buyer),
            *_person(life.journey, order_no, placed_at, rng),
            *[str(ids[model] + own) for model, own in life.keys],
            *[str(naive + after) for after in life.instants],
            *(life.digests(placed_at) if life.scans else ()),
        ]
        for model, (text, chosen) in life.texts.items():
            if buyer is None or model is not Customer:
                self.texts[model].append(text % chosen(values))
                ids[model] += life.counts[model]


def _person(journey: Journey, order_no: str, placed_at: dt.datetime, rng: Random) -> tuple[str, str, str, str]:
    """Return of somebody new who lives where this life ends what stands in the columns of `PERSONAL`."""
    consignee = Consignee(
        name=SURNAMES[int(rng.random() * len(SURNAMES))] + GIVEN[int(rng.random() * len(GIVEN))],
        phone=f"138{int(rng.random() * 10**8):08d}",
        province=journey.place.province,
        city=journey.place.city,
        district=journey.place.district,
        address=f"{journey.place.street}{1 + int(rng.random() * 299)}号",
    )
    index = indexes(consignee, placed_at)
    return consignee.seal(order_no), index.phone_index, index.name_index, index.tail_index
