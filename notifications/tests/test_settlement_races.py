"""Many workers at once: one claims an upload, one corrects, one reminds."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from frozenshop.kernel.errors import NotPossible
from notifications.models import ShippingReport
from notifications.settlement import claiming, confirm, correction, guard, upload
from notifications.tests.settling import Shop, report, state
from notifications.tests.wechat_sim import sim
from orders.models import Order

assert sim
MANY = 6
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services("mysql")]


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


def together(act):
    start = Barrier(MANY)

    def one(_):
        try:
            connection.ensure_connection()
            start.wait()
            return act()
        except NotPossible:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


def due(shop):
    order = shop.ship().orders.get()
    guard.is_managed()
    shop.frozen.shift(dt.timedelta(minutes=11))
    guard.follow(order.pk)
    return report(order)


def test_of_many_workers_one_uploads(shop):
    waiting = due(shop)
    together(lambda: upload.settle(waiting.pk))
    assert (shop.uploads(), len(shop.asked())) == (1, 1)


def test_of_many_claims_of_orders_that_were_paid_together_one_is_an_upload(shop):
    other = shop.ship().orders.get()
    first = due(shop)
    guard.follow(other.pk)
    ids = [first.pk, report(other).pk] * (MANY // 2)
    steps = together(lambda: claiming.claim(ids.pop()))
    assert sum(isinstance(step, claiming.Upload) for step in steps) == 1


def test_of_many_workers_one_tells_of_payments_made_in_one_go(shop):
    for number in (1, 2):
        shop.charge(number, combined="1900000109/C1")
        own = {"mchid": "1900000109", "out_trade_no": f"A{number}", "combine_out_trade_no": "C1"}
        shop.ship(shop.pay(number, payment=own, known=False))
    guard.is_managed()
    shop.frozen.shift(dt.timedelta(minutes=11))
    for order in Order.objects.all():
        guard.follow(order.pk)
    ids = list(ShippingReport.objects.values_list("pk", flat=True)) * (MANY // 2)
    together(lambda: upload.settle(ids.pop()))
    assert ([shop.payment(n).finished for n in (1, 2)], len(shop.asked(upload.COMBINED))) == ([1, 1], 1)


def test_an_order_gets_one_report_however_many_follow_it(shop):
    order = shop.ship().orders.get()
    together(lambda: guard.follow(order.pk))
    assert state(order) == ("waiting", "")


def test_of_many_hands_one_corrects(shop, django_user_model):
    waiting, user = due(shop), django_user_model.objects.create_user("boss")
    upload.settle(waiting.pk)
    shipment = waiting.order.shipments.get()
    type(shipment).objects.filter(pk=shipment.pk).update(waybill_no="SF0000000000077")
    together(lambda: correction.correct(report(waiting.order), user))
    assert report(waiting.order).corrections == 1
    together(lambda: upload.settle(waiting.pk))
    assert (shop.uploads(), shop.payment().finished) == (2, 2)


def test_a_buyer_is_reminded_by_one(shop):
    waiting = due(shop)
    upload.settle(waiting.pk)
    Order.objects.filter(pk=waiting.order_id).update(delivered_at=guard.clock.now())
    together(lambda: confirm.remind(waiting.pk))
    assert (shop.payment().nudged, len(shop.asked(confirm.PATH))) == (1, 1)
