"""Scans that can't be this parcel's are told; whatever may be, is not."""

import datetime as dt
import json
from pathlib import Path

import pytest
import time_machine

from frozenshop.kernel import clock
from logistics import tracking
from logistics.models import Shipment
from logistics.providers import kdniao
from logistics.providers.base import Question
from logistics.tests.factories import event, make_carrier, make_shipment, report
from orders import alerting
from orders.models import Alert
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
FIXTURES = Path(__file__).parent / "fixtures"


def shipment(**changes) -> Shipment:
    """A parcel to Shanghai that left two days ago."""
    placed_at = (clock.now() - dt.timedelta(days=60)).isoformat()
    return make_shipment(
        make_order("paid", placed_at=placed_at), **{"shipped_at": clock.now() - dt.timedelta(days=2)} | changes
    )


def scan(status: str, hours_ago: float, location: str = "", **changes):
    return event(status, clock.now() - dt.timedelta(hours=hours_ago), location=location, **changes)


def told(*scans) -> list[str]:
    parcel = report(shipment(), *scans)
    open_now = Alert.objects.filter(subject=f"shipment:{parcel.pk}", resolved_at=None, kind="wrong_number")
    return [alert.detail.split("：", 1)[1] for alert in open_now]


def test_delivery_far_from_the_consignee_is_told():
    assert told(scan("delivered", 3, "云南省曲靖市宣威市")) == ["在云南派送，收件地址在上海，请核对运单号"]


@pytest.mark.parametrize("place", ["上海市浦东新区", "江苏省苏州市昆山市", "某某网点", "北京西路营业部", ""])
def test_delivery_there_or_next_door_is_none(place):
    assert told(scan("in_transit", 30, "广东省广州市"), scan("delivered", 3, place)) == []


def test_many_provinces_at_once_are_told():
    scans = (
        scan("in_transit", 5, "安徽省合肥市"),
        scan("in_transit", 4.5, "江西省赣州市"),
        scan("in_transit", 4, "云南省"),
    )
    assert len(told(*scans)) == 1


def test_a_long_way_by_night_is_none():
    places = ("广东省广州市", "湖南省长沙市", "湖北省武汉市", "安徽省合肥市", "上海市")
    assert told(*(scan("in_transit", 30 - 5 * n, place) for n, place in enumerate(places))) == []


def test_two_doors_far_apart_within_a_day_are_told():
    order_without_place = make_order("paid", province="某省", city="某市")
    parcel = make_shipment(order_without_place)
    report(parcel, scan("out_for_delivery", 0.4, "广东省深圳市"), scan("out_for_delivery", 0.2, "黑龙江省鸡西市"))
    assert Alert.objects.filter(kind="wrong_number").count() == 1


def test_at_a_door_before_it_was_shipped_is_told():
    assert told(scan("delivered", 62)) == ["发货之前就已派送或签收，请核对运单号"]


def test_a_shop_that_tells_of_shipping_in_the_evening_is_no_liar():
    assert told(scan("picked_up", 57), scan("out_for_delivery", 52)) == []


def test_on_its_way_back_a_parcel_is_delivered_elsewhere():
    assert told(scan("returning", 20, "上海市"), scan("out_for_delivery", 2, "云南省昆明市")) == []
    assert told(scan("exception", 20, "上海市", reason="redirected"), scan("delivered", 2, "云南省昆明市")) == []


def test_the_answer_for_an_invented_number_is_told(fake_http):
    """A captured answer: one number at the doors of four provinces within two hours."""
    fake_http.will_answer(json.loads((FIXTURES / "kdniao_query_many_cities_same_waybill.json").read_text())["response"])
    with time_machine.travel("2017-01-18T14:00:00+08:00", tick=False):
        answer = kdniao.query(Question("YTO", "12345678"))
        parcel = make_shipment(carrier=make_carrier("YTO"), shipped_at=clock.now() - dt.timedelta(hours=1))
        tracking.record_events(parcel, answer, provider="kdniao")
    assert Alert.objects.filter(kind="wrong_number").count() == 1


def test_what_a_person_has_looked_at_is_not_told_again(django_user_model):
    parcel = report(shipment(), scan("delivered", 3, "云南省曲靖市"))
    alerting.resolve(
        Alert.objects.get(kind="wrong_number"), "客户改了地址", django_user_model.objects.create(username="li")
    )
    report(parcel, scan("delivered", 2, "云南省曲靖市"))
    assert Alert.objects.filter(kind="wrong_number", resolved_at=None).count() == 0
