"""A place that stands still is one row of the queue; its buyers are told all the same."""

import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from logistics import incidents, problems, staleness, tasks
from logistics.anomalies import OUTBREAK
from logistics.document import build
from logistics.models import Shipment
from logistics.tests.factories import event, make_carrier, make_shipment, report
from orders import alerting
from orders.models import Alert, AlertKind, AlertOutcome

pytestmark = pytest.mark.django_db
assert tasks  # registers the consumers
NOON = dt.datetime(2026, 11, 18, 4, tzinfo=dt.UTC)
FOG = "河南省郑州市转运中心"


@pytest.fixture(autouse=True)
def _frozen():
    with time_machine.travel(NOON, tick=False):
        yield


def parcels(count: int, location: str = FOG, *, silent: bool = True, carrier: str = "SF") -> list[Shipment]:
    """Parcels that were last seen at a place, and (if silent) an alert for each."""
    made = []
    for _ in range(count):
        shipment = make_shipment(carrier=make_carrier(carrier))
        scan = event("in_transit", clock.now() - dt.timedelta(minutes=20), location=location)
        made.append(report(shipment, scan))
    for shipment in made if silent else ():
        orders = list(shipment.orders.all())
        problems.open_about(shipment, AlertKind.STALE, orders, problems.Trouble("没有新轨迹", shipment.last_event_at))
    return made


def queue() -> list[str]:
    """What the queue shows by default."""
    return list(Alert.objects.filter(resolved_at=None, incident=None).order_by("id").values_list("subject", flat=True))


def incident() -> Alert:
    return Alert.objects.get(kind=AlertKind.INCIDENT)


def heard_of(shipments: list[Shipment]) -> None:
    for shipment in shipments:
        report(shipment, "in_transit")


def test_a_hundred_silent_parcels_at_one_place_are_one_row():
    parcels(100)
    assert incidents.find() == 1
    assert queue() == ["place:郑州"]
    assert incident().members.count() == 100
    assert "100 个包裹" in incident().detail


def test_from_silence_to_one_row_by_the_jobs_alone():
    parcels(OUTBREAK.parcels, silent=False)
    with time_machine.travel(NOON + dt.timedelta(hours=25), tick=False):
        staleness.find_stale()
        outbox.enqueue("logistics.find_incidents", {"slot": "x"}, key="one")
        outbox.deliver(OutboxMessage.objects.get(key="one").pk)
    assert queue() == ["place:郑州"]
    assert incident().occurred_at == NOON - dt.timedelta(minutes=20)


def test_the_buyers_of_its_members_are_told():
    shipment = parcels(OUTBREAK.parcels)[0]
    incidents.find()
    assert [alert["kind"] for alert in build(shipment.orders.get())["alerts"]] == ["stale"]


def test_a_few_silent_parcels_are_each_a_trouble_of_their_own():
    parcels(OUTBREAK.parcels - 1)
    assert (incidents.find(), len(queue())) == (0, OUTBREAK.parcels - 1)


def test_many_silent_among_very_many_that_move_are_no_incident():
    parcels(OUTBREAK.parcels)
    parcels(OUTBREAK.parcels * 3, "郑州市中原区", silent=False)
    assert incidents.find() == 0


def test_one_carrier_that_stands_still_where_others_move_is_its_own_incident():
    parcels(OUTBREAK.parcels, carrier="YTO")
    parcels(OUTBREAK.parcels * 3, "郑州市中原区", silent=False)
    assert incidents.find() == 1
    assert queue() == ["place:郑州:YTO"]


def test_what_became_silent_long_ago_makes_none():
    parcels(OUTBREAK.parcels)
    Alert.objects.update(opened_at=clock.now() - OUTBREAK.window - dt.timedelta(hours=1))
    assert incidents.find() == 0


def test_what_becomes_silent_later_joins():
    parcels(OUTBREAK.parcels)
    incidents.find()
    parcels(2)
    parcels(1, "上海市浦东新区")
    incidents.find()
    assert incident().members.count() == OUTBREAK.parcels + 2
    assert f"{OUTBREAK.parcels + 2} 个包裹" in incident().detail
    assert len(queue()) == 2


def test_running_again_changes_nothing():
    parcels(OUTBREAK.parcels)
    assert [incidents.find(), incidents.find()] == [1, 1]
    assert Alert.objects.count() == OUTBREAK.parcels + 1


def test_it_ends_by_itself_when_the_place_moves_again():
    shipments = parcels(OUTBREAK.parcels)
    incidents.find()
    heard_of(shipments[OUTBREAK.parcels_left :])
    assert incidents.find() == 1
    heard_of(shipments[OUTBREAK.parcels_left - 1 :])
    assert incidents.find() == 0
    assert incident().outcome == AlertOutcome.RECOVERED
    assert len(queue()) == OUTBREAK.parcels_left - 1


def test_resolving_it_resolves_its_members_and_they_do_not_come_back(django_user_model):
    shipment = parcels(OUTBREAK.parcels)[0]
    incidents.find()
    problems.resolve(
        incident(), "大雾，今晚恢复", django_user_model.objects.create(username="li"), AlertOutcome.CARRIER
    )
    assert (queue(), Alert.objects.filter(outcome="carrier").count()) == ([], OUTBREAK.parcels + 1)
    again = problems.Trouble("没有新轨迹", shipment.last_event_at)
    assert problems.open_about(shipment, AlertKind.STALE, list(shipment.orders.all()), again) is None


def test_that_nobody_fetches_them_is_an_incident_of_that_carrier():
    for carrier in ("SF", "YTO"):
        for _ in range(OUTBREAK.parcels):
            shipment = make_shipment(carrier=make_carrier(carrier))
            if carrier == "YTO":
                report(shipment, event("picked_up", location="上海市"))
    with time_machine.travel(NOON + dt.timedelta(hours=13), tick=False):
        staleness.find_stale()
        incidents.find()
    assert queue() == ["place:发货地"]
    assert "顺丰速运 10" in incident().detail


def test_a_parcel_without_a_place_joins_none():
    parcels(OUTBREAK.parcels, "")
    assert incidents.find() == 0


def test_alerts_about_anything_else_are_left_alone():
    for number in range(OUTBREAK.parcels):
        alerting.open_alert(AlertKind.STALE, subject=f"T{number}")
    assert incidents.find() == 0


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("河南省郑州市中原区", "郑州"),
        ("郑州转运中心", "郑州"),
        ("上海市浦东新区", "上海"),
        ("青海省", "青海"),
        ("某某网点", "某某网点"),
    ],
)
def test_places_are_told_apart_by_city(location, place):
    assert incidents.place_of(location) == place
