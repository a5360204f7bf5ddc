"""The archive under random lives, `kill -9`, rivals and news that come late: nothing lost, nothing doubled."""

import datetime as dt
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from urllib.parse import urlsplit, urlunsplit

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction

from frozenshop.backoffice.demo.journeys import make_journey
from frozenshop.backoffice.demo.seeder import Seeder
from frozenshop.backoffice.subjects import erasure, person
from frozenshop.kernel import clock
from frozenshop.kernel.logstore import stores
from frozenshop.kernel.logstore.mongo import MongoStore
from frozenshop.kernel.tests.mongo import Mongo
from logistics import messages
from logistics.archive import bodies, jobs, mongo, moving, places, restoring, rewriting
from logistics.archive.models import ArchivedOrder, ArchivedWaybill, ArchiveMonth
from logistics.archive.tables import TEXTS
from logistics.archive.tests.factories import archive, finished, hot_rows
from logistics.models import Shipment, TrackingEvent
from logistics.providers.base import ProviderReport
from logistics.services import record_shop_fact
from logistics.tests.factories import STAFF, event, report
from orders.facts import Fact, FactType
from orders.models import Order
from orders.tests.factories import SHOP
from orders.tests.test_races import at_once
from tests.archiver import STEPS

ROOT = Path(__file__).parent.parent
DAY = dt.timedelta(days=1)


def seed(count, seed=7):
    """Write random orders of the demo generator."""
    call_command("load_base_data", verbosity=0)
    rng, now = Random(seed), clock.now()
    seeder = Seeder(now)
    for number in range(count):
        placed_at = now - (0.5 + rng.random() * 300) * DAY
        seeder.add(f"DEMO{seed}{number:06}", make_journey(rng, placed_at, now, seed * 10_000 + number), None)
    seeder.flush()


def restore_all():
    for order_no in list(ArchivedOrder.objects.values_list("order_no", flat=True)):
        restoring.restore(order_no, by=STAFF, reason="试验")


def check_whole(before):
    """Each order is here or there, once, and all that was known of it comes back."""
    here, away = (
        set(Order.objects.values_list("pk", flat=True)),
        set(ArchivedOrder.objects.values_list("pk", flat=True)),
    )
    assert here & away == set()
    assert here | away == {row["id"] for row in before["orders_order"]}
    assert sum(ArchiveMonth.objects.values_list("orders", flat=True)) == len(away)
    assert sum(ArchiveMonth.objects.values_list("rows", flat=True)) == sum(
        ArchivedOrder.objects.values_list("rows", flat=True)
    )
    restore_all()
    assert hot_rows() == before
    assert not ArchivedWaybill.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(3))
def test_random_lives_come_back_row_for_row(number):
    seed(40, seed=number + 1)
    before = hot_rows()
    assert archive().orders > 10
    check_whole(before)


@pytest.mark.django_db
def test_no_name_number_or_address_of_random_lives_stands_in_the_archive_in_the_clear():
    seed(40)
    people = [order.open_consignee() for order in Order.objects.all()]
    archive()
    told = str([bodies.inflate(bytes(row.body)) for row in ArchivedOrder.objects.all()])
    told += str(list(ArchivedOrder.objects.values())) + str(list(ArchivedWaybill.objects.values()))
    assert not [one for one in people if one.phone in told or one.address in told]


# --- kill -9 --------------------------------------------------------------------------------------


def database_url():
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def archiver(folder, *steps):
    command = [sys.executable, "-m", "tests.archiver", str(folder), *steps]
    environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.django_db(transaction=True)
def test_killed_at_each_step_and_at_random_it_loses_and_doubles_nothing(tmp_path):
    seed(60)
    before = hot_rows()
    by_chance = [f"{random.choice(STEPS)}:{random.randrange(1, 3)}" for _ in range(5)]
    ended = archiver(tmp_path, *(f"{step}:0" for step in STEPS), *by_chance)
    assert Counter(code for _, code in ended[:-1])["9"] >= len(STEPS)
    assert ended[-1] == ["end", "0"]
    check_whole(before)


# --- rivals ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_archivers_at_once_move_each_order_once():
    seed(30)
    before = hot_rows()
    at_once(lambda: archive(size=4), lambda: archive(size=4))
    archive()
    check_whole(before)


@pytest.mark.django_db(transaction=True)
def test_an_archiver_and_a_restorer_at_once_lose_nothing():
    order = finished()
    before = hot_rows()
    archive()
    at_once(lambda: restoring.restore(order.order_no, by=STAFF, reason="试验"), archive)
    check_whole(before)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_news_of_a_parcel_that_is_just_going_is_kept(_round):
    order = finished()
    number = order.shipments.get().waybill_no

    def news():
        while True:
            parcel = messages.shipment_of("kdniao", ProviderReport(number, "SF", (), None))
            try:
                return report(parcel, event("returned"))
            except Shipment.DoesNotExist:  # as the outbox does: once more
                continue

    at_once(news, archive)
    restore_all()
    assert TrackingEvent.objects.filter(status="returned").count() == 1
    assert Shipment.objects.get().status == "returned"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_a_refund_of_an_order_that_is_just_going_is_kept(_round):
    order = finished()
    fact = Fact(FactType.REFUNDED, clock.now(), "r-1", 10_000)
    at_once(lambda: record_shop_fact(order, fact, SHOP), archive)
    restore_all()
    assert Order.objects.get().status == "refunded"
    assert Order.objects.get().events.filter(kind="refunded").count() == 1


# --- MongoDB --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mongo_server(tmp_path_factory):
    server = Mongo(tmp_path_factory.mktemp("mongo"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def in_mongo(mongo_server, settings):
    with mongo_server.client() as client:
        client.drop_database("logs")
    settings.MONGODB_URL = mongo_server.url
    yield mongo_server
    places.configured().close()
    logs = stores.current()
    assert isinstance(logs, MongoStore)
    logs.close()


def documents(server):
    with server.client() as client:
        return list(client.logs.archive_bodies.find())


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_bodies_lie_in_mongodb_where_it_is_configured_and_come_back(in_mongo):
    seed(10)
    before = hot_rows()
    moved = archive()
    assert len(documents(in_mongo)) == moved.orders > 0
    assert not ArchivedOrder.objects.exclude(body=None).exists()
    check_whole(before)
    sweep_later()
    assert documents(in_mongo) == []


def sweep_later(days=2):
    with time_machine.travel(clock.now() + days * DAY):
        assert jobs.sweep_for_a_while() == ""


def undone(monkeypatch):
    """Begin to archive, and break off after the bodies were written."""
    with monkeypatch.context() as patch:
        patch.setattr(moving, "insert", raising(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            archive()


def raising(error):
    def raise_it(*arguments):
        raise error

    return raise_it


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_an_undone_batch_left_in_mongodb_goes_after_a_day_and_nothing_else(in_mongo, monkeypatch):
    monkeypatch.setattr(mongo, "SWEPT", 2)
    kept = [finished() for _ in range(4)]
    archive()
    order = finished()
    undone(monkeypatch)
    assert {one["order"] for one in documents(in_mongo)} == {one.pk for one in (*kept, order)}
    sweep_later(0.9)
    assert len(documents(in_mongo)) == 5
    sweep_later()
    assert {one["order"] for one in documents(in_mongo)} == {one.pk for one in kept}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_stray_that_is_written_again_while_the_sweep_looks_is_none(in_mongo, monkeypatch):
    order = finished()
    undone(monkeypatch)
    before = hot_rows()

    def named(order_ids):
        with time_machine.travel(clock.now() + dt.timedelta(seconds=1)):
            archive()
        return []  # as read before that

    monkeypatch.setattr(mongo, "_rows_of", named)
    sweep_later()
    restoring.restore(order.order_no, by=STAFF, reason="试验")
    assert hot_rows() == before


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_erasing_a_person_reaches_what_undone_batches_left_in_mongodb(in_mongo, monkeypatch):
    finished(phone="15566667777")
    archive()
    finished(phone="15566667777")
    undone(monkeypatch)
    TrackingEvent.objects.update(text="慕容绝已签收")
    erasure.erase(person.find(phone="15566667777"), actor=STAFF, reason="工单")
    assert {one["order"] for one in documents(in_mongo)} == {ArchivedOrder.objects.get().pk}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_mongodb_did_not_keep_is_not_removed(in_mongo, monkeypatch):
    finished()
    before = hot_rows()
    forgetting = type(places.configured())
    monkeypatch.setattr(forgetting, "read", lambda self, rows: {})
    with pytest.raises(bodies.BodyBroken):
        archive()
    assert (hot_rows(), ArchivedOrder.objects.count()) == (before, 0)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_changed_texts_replace_the_former_body(in_mongo):
    order = finished()
    archive()
    with transaction.atomic():
        rows = list(ArchivedOrder.objects.select_for_update())
        rewriting.rewrite(rows, places.read_all(rows), lambda text: "***", TEXTS)
    assert len(documents(in_mongo)) == 1
    body = restoring.opened(ArchivedOrder.objects.get(pk=order.pk))
    assert {one.text for one in body.of(TrackingEvent)} == {"***"}


@pytest.mark.django_db
def test_without_mongodb_nothing_is_moved_or_lost(settings):
    finished()
    before = hot_rows()
    settings.MONGODB_URL = "mongodb://127.0.0.1:1/logs"
    with pytest.raises(places.PlaceDown):
        archive()
    places.configured().close()
    assert (hot_rows(), ArchivedOrder.objects.count()) == (before, 0)
