"""Orders loaded by the million can't be told from orders that lived, either."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.models.functions import Now

from frozenshop.backoffice.demo import bulk, credentials, seeding
from frozenshop.backoffice.demo.lives import OVER_AFTER, Stock
from frozenshop.backoffice.demo.seeder import TABLES
from frozenshop.backoffice.demo.writing import TableWriter, default, left_to_database
from frozenshop.kernel.actor import SYSTEM
from logistics import tracking
from logistics.models import Shipment, TrackingEvent
from logistics.progress import refresh_order
from logistics.search import search_orders
from orders.models import Order, OrderEvent, OrderStatus

pytestmark = pytest.mark.django_db(transaction=True)  # MariaDB commits where an index is dropped
ORDERS, DAYS = 150, 60
MILESTONES = [f"{status.value}_at" for status in OrderStatus]
UNESCAPED = {"\\N": None}


@pytest.fixture
def shop(settings, tmp_path):
    settings.DEBUG, settings.VAR_DIR = True, tmp_path
    call_command("load_base_data", verbosity=0)
    seeding.load_goods()


@pytest.fixture
def plan(shop):
    _, buyer = credentials.prepare()
    return seeding.plan(ORDERS, days=DAYS, seed=7, buyer=buyer, buyer_phone="13800001111", with_events=100)


def rows(plan):
    return bulk.rows(bulk.Stretch(plan, 0, dict.fromkeys(TABLES, 1000)), Stock(plan.seed))


def insert(texts):
    """Do what LOAD DATA does."""
    with connection.cursor() as cursor:
        for model, text in texts.items():
            table = TableWriter(model, first_id=0)
            values = [[UNESCAPED.get(value, value) for value in line.split("\t")] for line in text.splitlines()]
            marks = ", ".join(["%s"] * len(table.fields))
            cursor.executemany(f"INSERT INTO {table.table} ({table.columns}) VALUES ({marks})", values)


@pytest.fixture
def loaded(plan):
    insert(rows(plan))
    connection.check_constraints()
    return plan


def standing(order):
    return [order.status, *(getattr(order, name) for name in MILESTONES)]


def test_a_loaded_order_stands_where_its_parcels_bring_it(loaded):
    orders = Order.objects.filter(shipments__events__isnull=False).distinct()
    before = {order.pk: standing(order) for order in orders}
    assert len(before) > 80
    for shipment in Shipment.objects.filter(links__order__in=before).select_related("carrier"):
        tracking.settle(shipment, tracking.orders_of(shipment), actor=SYSTEM)
    for order in orders:
        refresh_order(order, actor=SYSTEM)
    assert {order.pk: standing(order) for order in orders} == before


def test_a_loaded_order_is_found_by_what_its_sealed_consignee_says(loaded):
    for order in Order.objects.order_by("pk")[:3]:
        consignee = order.open_consignee()
        for text in (order.order_no, consignee.phone, f"{consignee.phone[-4:]} {consignee.name}"):
            assert order in search_orders(text).orders


def test_a_loaded_parcel_is_found_by_its_waybill_and_by_its_end(loaded):
    for shipment in Shipment.objects.all()[:3]:
        for text in (shipment.waybill_no, shipment.waybill_no[-8:]):
            assert [*search_orders(text).orders] == [*shipment.orders.all()]


def test_a_scan_of_a_loaded_order_has_the_key_that_a_carriers_report_would_have(loaded):
    for event in TrackingEvent.objects.all():
        assert event.key == tracking.event_key(event)


def test_only_the_newest_orders_have_scans_and_their_whole_history(loaded):
    old = Order.objects.filter(placed_at__lt=loaded.placed_at(ORDERS - 100))
    assert old.count() == ORDERS - 100
    assert not TrackingEvent.objects.filter(shipment__orders__in=old).exists()
    assert max(OrderEvent.objects.filter(order=order).count() for order in old) == 2


def test_nothing_of_a_life_of_the_stock_happens_later_than_its_orders_are_over(shop):
    stock = Stock(3)
    lives = [stock._tell(number, False) for number in range(60)]
    assert max(after for life in lives for after in life.instants) < OVER_AFTER


def test_the_same_seed_gives_the_same_rows_but_for_what_is_sealed(plan):
    first, second = ([line.split("\t") for line in rows(plan)[Order].splitlines()] for _ in range(2))
    sealed = TableWriter(Order, first_id=0).place["consignee_sealed"]
    assert [row[:sealed] + row[sealed + 1 :] for row in first] == [row[:sealed] + row[sealed + 1 :] for row in second]
    assert all(one[sealed] != other[sealed] for one, other in zip(first, second, strict=True))


def test_text_is_loaded_as_it_was():
    assert bulk.line(["a\tb\\c\nd", None, True, 7, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)]) == (
        "a\\tb\\\\c\\nd\t\\N\t1\t7\t2026-01-02 00:00:00.000000\n"
    )


def test_an_interrupted_load_says_what_to_do(shop):
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {bulk.DROPPED} (statement TEXT NOT NULL)")
    with pytest.raises(CommandError, match="DROP DATABASE"):
        call_command("seed_demo", orders=1)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (models.CharField(db_default="x"), "x"),
        (models.CharField(db_default=models.Value("y")), "y"),
        (models.CharField(default="z", db_default="x"), "z"),
    ],
)
def test_a_new_column_that_only_the_database_fills_is_filled_likewise(column, expected):
    assert not left_to_database(column)
    assert default(column) == expected


def test_what_the_database_computes_is_left_to_it():
    assert left_to_database(models.DateTimeField(db_default=Now()))
