"""Arrival is an interval that admits its width and rests on something."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from logistics.eta import EtaBasis, predict
from logistics.models import Carrier, Shipment
from logistics.places import Distance, distance, province_of

pytestmark = pytest.mark.django_db
MORNING = dt.datetime(2026, 11, 18, 1, tzinfo=dt.UTC)  # 09:00 in Shanghai


def eta(status="in_transit", *, origin="杭州市", cold="", status_at=MORNING, started_at=MORNING):
    shipment = Shipment(status=status, shipped_at=MORNING, status_at=status_at)
    return predict(
        shipment, Carrier(cold_chain=cold), province="上海市", city="上海市", origin=origin, started_at=started_at
    )


@pytest.mark.parametrize(
    ("origin", "province", "city", "expected"),
    [
        ("杭州市", "浙江省", "杭州市", Distance.SAME_CITY),
        ("【宁波市】", "浙江省", "杭州市", Distance.SAME_PROVINCE),
        ("杭州市", "上海市", "上海市", Distance.NEIGHBOURING),
        ("广州市", "北京市", "北京市", Distance.FAR),
        ("上海市浦东新区", "上海市", "上海市", Distance.SAME_CITY),
        ("杭州市", "新疆维吾尔自治区", "乌鲁木齐市", Distance.REMOTE),
        ("乌鲁木齐市", "新疆维吾尔自治区", "乌鲁木齐市", Distance.SAME_CITY),
        ("", "上海市", "上海市", Distance.UNKNOWN),
        ("某转运中心", "", "", Distance.UNKNOWN),
    ],
)
def test_distance_is_told_from_what_scans_say(origin, province, city, expected):
    assert distance(origin, province, city) is expected


def test_a_province_is_found_by_its_own_name_or_a_citys():
    assert [province_of(text) for text in ("吉林省长春市", "苏州市", "【广东省】", "?")] == [
        "吉林",
        "江苏",
        "广东",
        None,
    ]


@pytest.mark.parametrize("status", ["delivered", "returned", "returning", "cancelled", "awaiting_pickup"])
def test_nothing_is_predicted_of_what_has_arrived_or_turned_back(status):
    assert eta(status) is None


def test_a_default_admits_that_nothing_was_measured():
    predicted = eta()
    assert (predicted.basis, predicted.confidence) == (EtaBasis.DEFAULT, 0.5)
    assert predicted.latest - predicted.earliest > dt.timedelta(hours=24)


def test_farther_is_later():
    assert eta(origin="杭州市").latest < eta(origin="广州市").latest


def test_cold_chain_is_faster():
    assert eta(cold="dedicated").latest < eta().latest


def test_what_the_carrier_has_not_scanned_yet_may_take_a_day_longer():
    assert eta("no_trace", status_at=None, started_at=None).latest > eta().latest


def test_out_for_delivery_means_today():
    predicted = eta("out_for_delivery")
    assert predicted.basis is EtaBasis.STATUS
    assert clock.shanghai(predicted.latest) == dt.datetime(2026, 11, 18, 21, tzinfo=clock.SHANGHAI)


def test_sent_out_in_the_evening_means_tomorrow_at_the_latest():
    evening = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
    assert clock.shanghai(eta("out_for_delivery", status_at=evening).latest).day == 19


def test_a_problem_makes_the_prediction_weak():
    assert eta("exception").confidence < eta().confidence


@pytest.mark.parametrize("hour", range(24))
def test_doors_are_knocked_at_by_day(hour):
    predicted = eta(started_at=MORNING.replace(hour=hour))
    assert 8 <= clock.shanghai(predicted.earliest).hour <= 21
    assert clock.shanghai(predicted.latest).hour == 21
    assert predicted.earliest < predicted.latest
