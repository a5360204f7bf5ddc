"""The buyer's refresh: what is asked, how long it takes, and what the buyer is told."""

import datetime as dt
import threading
import time

import pytest

from frozenshop.kernel import clock, http
from logistics import breaker, cadence, document, refreshing
from logistics.models import ProviderCall, ProviderState, Shipment
from logistics.models import ShipmentStatus as S
from logistics.tests.factories import make_carrier
from logistics.tests.test_polling import answer, fresh, no_news, silence
from logistics.tests.tracked import tracked
from orders.models import Order

MINUTE = dt.timedelta(minutes=1)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def make_shipment_of(order: Order, waybill_no: str) -> Shipment:
    """Put another parcel of an order on its way, whatever is in it."""
    shipment = Shipment.objects.create(carrier=make_carrier(), waybill_no=waybill_no, shipped_at=clock.now())
    shipment.links.create(order=order)
    return shipment


def test_a_refresh_asks_and_says_when_it_may_be_asked_again(fake_http):
    fake_http.will_answer(answer())
    shipment = tracked()
    refreshed = refreshing.refresh_now(shipment.orders.get())
    assert (refreshed.refreshed, refreshed.next_allowed_at) == (True, clock.now() + cadence.FLOOR)
    assert fresh(shipment).status == S.OUT_FOR_DELIVERY


@pytest.mark.parametrize("told", [answer(), no_news(), silence()])
def test_after_a_refresh_the_document_says_when_it_was_asked(fake_http, frozen, told):
    fake_http.will_answer(told)
    order = tracked().orders.get()
    before = order.version
    frozen.shift(10 * MINUTE)
    refreshing.refresh_now(order)
    order.refresh_from_db()
    assert order.version > before  # what is kept counts no more
    assert document.build(order)["shipments"][0]["checked_at"] == clock.isoformat(clock.now())


def test_a_refresh_within_the_floor_asks_nobody(fake_http, frozen):
    fake_http.will_answer(answer())
    order = tracked().orders.get()
    first = refreshing.refresh_now(order)
    frozen.shift(10 * MINUTE)
    second = refreshing.refresh_now(order)
    assert (second.refreshed, second.next_allowed_at) == (False, first.next_allowed_at)
    assert len(fake_http.calls) == 1


def test_a_refresh_of_an_order_that_ended_or_has_no_parcel_asks_nobody(fake_http):
    shipment = tracked()
    Shipment.objects.update(status=S.DELIVERED)
    assert refreshing.refresh_now(shipment.orders.get()) == refreshing.Refreshed(False, clock.now())
    assert fake_http.calls == []


def test_a_provider_that_fails_is_not_refreshed(fake_http):
    fake_http.will_answer(silence())
    refreshed = refreshing.refresh_now(tracked().orders.get())
    assert (refreshed.refreshed, refreshed.next_allowed_at) == (False, clock.now() + cadence.FLOOR)


def test_a_refresh_without_leave_to_ask_is_not_refreshed(fake_http):
    breaker.state_of("kdniao")
    ProviderState.objects.update(open_until=clock.now() + MINUTE, failures=5)
    refreshed = refreshing.refresh_now(tracked().orders.get())
    assert (refreshed.refreshed, fake_http.calls) == (False, [])


def test_a_silent_provider_does_not_keep_the_buyer_waiting(fake_http, monkeypatch):
    monkeypatch.setattr(refreshing, "SECONDS", 0.2)
    released = threading.Event()

    def hang(*args, **options):
        released.wait(10)
        raise silence()

    monkeypatch.setattr(http, "call", hang)
    order = tracked().orders.get()
    started = time.perf_counter()
    refreshed = refreshing.refresh_now(order)
    waited = time.perf_counter() - started
    released.set()
    assert (refreshed.refreshed, waited < 3) == (False, True)
    assert ProviderCall.objects.get().outcome == "failed"


def test_of_many_parcels_each_refresh_asks_about_the_next_few(fake_http, monkeypatch):
    monkeypatch.setattr(refreshing, "AT_MOST", 1)
    first = tracked()
    order = first.orders.get()
    second = make_shipment_of(order, "SF0000000000002")
    fake_http.will_answer(answer())
    refreshing.refresh_now(order)
    fake_http.will_answer(answer(waybill_no="SF0000000000002"))
    assert refreshing.refresh_now(order).refreshed
    assert fresh(second).status == S.OUT_FOR_DELIVERY


def test_all_parcels_of_an_order_are_asked_about_together(fake_http):
    first = tracked()
    order = first.orders.get()
    make_shipment_of(order, "SF0000000000002")
    fake_http.will_answer(answer())
    refreshed = refreshing.refresh_now(order)
    assert (len(fake_http.calls), refreshed.next_allowed_at) == (2, clock.now() + cadence.FLOOR)
