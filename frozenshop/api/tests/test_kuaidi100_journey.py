"""A carrier that only 快递100 knows: from shipped to delivered by asking it and by its pushes, over the real wire."""

import datetime as dt

import pytest
import requests
import time_machine
from django.test import Client

from frozenshop.kernel import clock
from logistics import callback_tokens, polling
from logistics.models import Carrier, ProviderMessage, Shipment, Subscription
from logistics.models import ShipmentStatus as S
from logistics.shipping import ship
from logistics.tests.sandbox_server import served
from logistics.tests.tracked import deliver
from orders.models import Alert, AlertKind
from orders.tests.factories import SHOP, make_order

pytestmark = pytest.mark.django_db
NO = "YT7300000000001"
K100 = "kuaidi100"


@pytest.fixture
def now():
    with time_machine.travel("2026-11-22T12:00:00+08:00", tick=False) as traveller:
        yield traveller


@pytest.fixture
def sandbox(settings, now):
    settings.KDNIAO_API_KEY = ""
    settings.KUAIDI100_CUSTOMER, settings.KUAIDI100_KEY = "TESTCUSTOMER0000000000000000001", "testKey000001"
    settings.KUAIDI100_CALLBACK_SALT = "salt-0001"
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    keys = {"kuaidi100_customer": settings.KUAIDI100_CUSTOMER, "kuaidi100_key": settings.KUAIDI100_KEY}
    with served(**keys) as found:
        settings.KUAIDI100_BASE_URL = found.url
        yield found


@pytest.fixture
def parcel(sandbox):
    """A parcel shipped now, whose story begins now."""
    carrier = Carrier.objects.create(code="YTO", name="圆通速递", kuaidi100_code="yuantong")
    bought = make_order("paid", placed_at=(clock.now() - dt.timedelta(hours=2)).isoformat())
    return ship(bought, carrier=carrier, waybill_no=NO, shipped_at=clock.now(), actor=SHOP)


def tell(sandbox, **asked):
    sandbox.put(f"shipments/{NO}", **{"provider": K100, "carrier_code": "YTO", "scenario": "normal"} | asked)


def status(parcel):
    parcel = Shipment.objects.get(pk=parcel.pk)
    return parcel.status, parcel.orders.get().status


def ask(parcel):
    return polling.sync_now(Shipment.objects.select_related("carrier").get(pk=parcel.pk))


def live(sandbox, now, hours, *topics, step=1):
    """Let hours pass; what is pushed and what is due of these topics is dealt with in each."""
    for _ in range(int(hours / step)):
        now.shift(step * 3600)
        sandbox.push()
        deliver("logistics.apply_message", *topics)


def test_by_asking(sandbox, parcel, now):
    tell(sandbox, push=False)
    ask(parcel)
    assert status(parcel) == (S.NO_TRACE, "shipped")
    now.shift(2 * 3600)
    assert ask(parcel).answered
    assert status(parcel) == (S.PICKED_UP, "in_transit")
    now.shift(29 * 3600)
    assert ask(parcel).answered
    assert status(parcel) == (S.DELIVERED, "delivered")
    assert Shipment.objects.get(pk=parcel.pk).event_count == 8


def test_by_pushes_to_the_parcels_own_address(sandbox, parcel, now):
    tell(sandbox)
    deliver("logistics.subscribe")
    seen = []
    for _ in range(31):
        live(sandbox, now, 1)
        seen += [status(parcel)[0]] if not seen or seen[-1] != status(parcel)[0] else []
    assert seen == [S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED]
    assert status(parcel)[1] == "delivered"
    assert sandbox.pushed(K100) == [(200, "")] * 8
    assert Subscription.objects.get().detail == "已结束推送"


def test_a_push_is_answered_as_documented_and_only_at_its_address(sandbox, parcel, now):
    tell(sandbox)
    deliver("logistics.subscribe")
    bodies = []
    send = sandbox.sandbox.pusher._send
    sandbox.sandbox.pusher._send = lambda url, body, *rest: (bodies.append(body), send(url, body, *rest))[1]
    live(sandbox, now, 2)
    form = "application/x-www-form-urlencoded"

    def post(waybill_no):
        token = callback_tokens.token(parcel.pk, waybill_no, K100)
        return Client().post(f"/callbacks/kuaidi100/{token}", bodies[0], content_type=form)

    assert post(NO).json() == {"result": True, "returnCode": "200", "message": "成功"}
    refused = post("YT7300000000002")
    assert (refused.status_code, refused.json()["result"]) == (401, False)
    assert Client().post("/callbacks/kuaidi100", bodies[0], content_type=form).status_code == 404
    assert ProviderMessage.objects.count() == 1


def test_a_forged_push_changes_nothing_and_its_faults_are_got_over(sandbox, parcel, now):
    for kind in ("forged", "duplicate", "reordered"):
        sandbox.fault(K100, kind)
    tell(sandbox, scenario="returned")
    deliver("logistics.subscribe")
    live(sandbox, now, 52, step=0.5)
    assert status(parcel) == (S.RETURNED, "returned")
    assert {code for code, fault in sandbox.pushed(K100) if "forged" in fault} == {401}
    assert {code for code, fault in sandbox.pushed(K100) if "forged" not in fault} == {200}


def test_a_wrong_carrier_is_put_right_by_a_push_and_asked_about_from_then_on(sandbox, parcel, now):
    zto = Carrier.objects.create(code="ZTO", name="中通快递", kuaidi100_code="zhongtong", needs_phone_tail=[K100])
    tell(sandbox, carrier_code="ZTO", phone_tail="1234")
    deliver("logistics.subscribe")
    ask(parcel)
    assert status(parcel)[0] == S.NO_TRACE
    live(sandbox, now, 3)
    assert status(parcel)[0] == S.PICKED_UP
    assert "中通快递" in Alert.objects.get(kind=AlertKind.WRONG_NUMBER).detail
    assert Shipment.objects.get(pk=parcel.pk).carrier != zto
    now.shift(6 * 3600)
    assert ask(parcel).answered
    assert Shipment.objects.get(pk=parcel.pk).event_count == 3


def test_after_an_abort_it_is_subscribed_again_with_the_carrier_that_was_named(sandbox, parcel, now):
    Carrier.objects.create(code="ZTO", name="中通快递", kuaidi100_code="zhongtong")
    sandbox.put(K100, auto_check=False)
    tell(sandbox, carrier_code="ZTO", scenario="silent", phone_tail="1234")
    Carrier.objects.filter(code="ZTO").update(needs_phone_tail=[K100])
    deliver("logistics.subscribe")
    live(sandbox, now, 73)
    first = Subscription.objects.get()
    assert (first.ended_at is not None, first.detail) == (True, "已中止推送：3天查询无记录")
    assert status(parcel)[0] == S.NO_TRACE
    live(sandbox, now, 2, "logistics.subscribe", step=0.25)
    assert status(parcel)[0] == S.IN_TRANSIT
    assert Subscription.objects.filter(ended_at=None).count() == 1


def test_a_phone_that_is_not_the_parcels_waits_for_a_person(sandbox, parcel, now):
    Carrier.objects.update(needs_phone_tail=[K100])
    tell(sandbox, phone_tail="9999")
    now.shift(3600)
    assert "408" in ask(parcel).reason
    assert Alert.objects.filter(kind=AlertKind.PROVIDER_TROUBLE, order__isnull=False).exists()


def test_a_number_that_somebody_asked_about_just_now_waits(sandbox, parcel, now):
    tell(sandbox, push=False)
    now.shift(3600)
    assert ask(parcel).answered
    Shipment.objects.update(checked_at=None)
    refused = ask(parcel)
    assert "锁" in refused.reason
    now.shift(1800)
    assert ask(parcel).answered


def test_recognition_over_the_wire(sandbox):
    from logistics.providers import kuaidi100

    assert [found.carrier_code for found in kuaidi100.recognise("SF1234567890123")] == ["shunfeng"]
    assert requests.get(f"{sandbox.url}/autonumber/auto", params={"num": "1", "key": "x"}, timeout=5).json() == {
        "result": False,
        "returnCode": "601",
        "message": "POLL:KEY 已过期",
    }
