"""The usual silence is told by the most special table there is."""

import datetime as dt

import pytest

from logistics.learning import learnt
from logistics.learning.gaps import Gap, usual_gap
from logistics.models import Shipment, TransitModel

pytestmark = pytest.mark.django_db
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def learn(**gaps):
    TransitModel.objects.create(since_at=LONG_AGO, until_at=LONG_AGO, body={"gaps": gaps})
    learnt.forget()


def shipment(status="in_transit", **changes):
    given = {"carrier_id": 7, "origin": "广东省广州市", "destination": "上海市上海市"}
    return Shipment(status=status, shipped_at=LONG_AGO, **given | changes)


def test_nothing_is_usual_while_nothing_is_learnt():
    assert usual_gap(shipment()) is None


def test_a_lane_speaks_before_its_carrier():
    learn(**{"7|广东|上海|in_transit": [6, 12, 30, 40], "7|||in_transit": [8, 20, 60, 900]})
    hours = [dt.timedelta(hours=number) for number in (6, 12, 30)]
    assert usual_gap(shipment()) == Gap(*hours, 40)
    assert usual_gap(shipment(origin="")).n == 900


def test_another_carrier_is_told_by_all():
    learn(**{"|||in_transit": [8, 20, 60, 900]})
    assert usual_gap(shipment(carrier_id=8)).n == 900
    assert usual_gap(shipment("picked_up")) is None


def test_asking_again_costs_no_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        usual_gap(shipment())
        usual_gap(shipment())
