"""What is taken in and shipped by the hundred ends as it does one by one."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frozenshop.kernel import clock
from frozenshop.kernel.actor import staff
from frozenshop.kernel.models import OutboxMessage
from logistics import shipping, shipping_many
from logistics.archive.models import ArchivedWaybill
from logistics.models import Shipment, ShipmentLine
from logistics.tests.factories import make_carrier
from orders import alerting, services, taking_many
from orders.intake import parse_order
from orders.models import Alert, AlertKind, Order, OrderAccess, OrderEvent, OrderLine, OrderStatus
from orders.tests.factories import line, make_customer, make_order, order_payload

pytestmark = pytest.mark.django_db
CLERK = staff(7)
ASIDE = {"id", "order_id", "shipment_id", "link_id", "order_line_id", "consignee_sealed", "recorded_at", "updated_at"}
ASIDE |= {"linked_at", "order_no", "waybill_no", "next_poll_at", "reference", "waybill_reversed"}


def rows(model, **where) -> list[dict]:
    found = model.objects.filter(**where).order_by("pk").values()
    return [{name: value for name, value in row.items() if name not in ASIDE} for row in found]


def state(order: Order) -> dict:
    return {
        "order": rows(Order, pk=order.pk),
        "lines": rows(OrderLine, order=order),
        "events": rows(OrderEvent, order=order),
        "access": rows(OrderAccess, order=order),
        "alerts": [{**row, "subject": ""} | {"open_key": "", "detail": ""} for row in rows(Alert, order=order)],
        "shipments": rows(Shipment, links__order=order),
        "loads": rows(ShipmentLine, link__order=order),
    }


def topics(*, after: int = 0) -> list[str]:
    return sorted(OutboxMessage.objects.filter(pk__gt=after).values_list("topic", flat=True))


def last() -> int:
    return OutboxMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


hours = st.integers(0, 200)
payloads = st.fixed_dictionaries(
    {
        "paid": st.booleans(),
        "ago": hours,
        "promise": st.one_of(st.none(), st.integers(-50, 100)),
        "lines": st.lists(st.sampled_from(["frozen", "chilled", "ambient"]), min_size=1, max_size=3),
        "payment": st.booleans(),
        "known": st.booleans(),
    }
)


def payload(given_, number):
    placed = clock.now() - dt.timedelta(hours=given_["ago"], minutes=1)
    data = order_payload(order_no=number, placed_at=placed.isoformat())
    data["lines"] = [line(sku=f"S{n}", temperature_class=kept) for n, kept in enumerate(given_["lines"])]
    if given_["paid"]:
        data["paid_at"] = (placed + dt.timedelta(seconds=30)).isoformat()
    if given_["promise"] is not None:
        data["promised_by"] = (clock.now() + dt.timedelta(hours=given_["promise"])).isoformat()
    if given_["payment"]:
        data["payment"] = {"transaction_id": "420000"}
    if given_["known"]:
        data["consignee"]["phone"] = "13900001111"
    return data


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(payloads)
def test_many_end_as_one_by_one(frozen, given_):
    with transaction.atomic():
        sf, (alone, many) = make_carrier("SF"), (parse_order(payload(given_, number)) for number in ("A1", "B1"))
        make_customer(phone="13900001111")
        shipped_at = alone.placed_at + dt.timedelta(minutes=1)
        start = last()
        one = services.take_order(alone, CLERK).order
        if given_["paid"]:
            shipping.ship(one, carrier=sf, waybill_no="SF0000000001", shipped_at=shipped_at, actor=CLERK)
        middle = last()
        [other] = taking_many.take_new([many], CLERK)
        parcel = shipping_many.Parcel(other, sf, "SF0000000002", shipped_at)
        plain = shipping_many.plain([parcel])
        assert bool(plain) == given_["paid"]
        shipping_many.ship_all(plain, CLERK)
        first = OutboxMessage.objects.filter(pk__gt=start, pk__lte=middle).values_list("topic", flat=True)
        one_state, other_state = state(one), state(other)
        assert {k: (v, other_state[k]) for k, v in one_state.items() if v != other_state[k]} == {}
        assert topics(after=middle) == sorted(first)
        transaction.set_rollback(True)


def test_only_a_paid_orders_first_parcel_under_a_fresh_number_is_plain():
    sf, at = make_carrier("SF"), clock.now()
    paid, placed, twice = make_order("paid"), make_order(), make_order("paid")
    shipped = make_order("paid")
    shipping.ship(shipped, carrier=sf, waybill_no="SF0000000001", shipped_at=at, actor=CLERK)
    asked = [(paid, "SF0000000002"), (placed, "SF0000000003"), (shipped, "SF0000000004"), (twice, "SF0000000001")]
    asked += [(twice, "bad number"), (twice, "SF0000000002")]
    with transaction.atomic():
        found = shipping_many.plain([shipping_many.Parcel(order, sf, number, at) for order, number in asked])
    assert [(parcel.order.order_no, parcel.waybill_no) for parcel in found] == [(paid.order_no, "SF0000000002")]


def test_a_number_that_lies_in_the_archive_is_not_plain():
    sf, order, at = make_carrier("SF"), make_order("paid"), clock.now()
    ArchivedWaybill.objects.create(order_id=1, shipment_id=9, carrier=sf, waybill_no="SF0000000002", shipped_at=at)
    with transaction.atomic():
        assert shipping_many.plain([shipping_many.Parcel(order, sf, "SF0000000002", at)]) == []


def test_an_alert_about_the_wait_is_resolved():
    sf, order = make_carrier("SF"), make_order("paid")
    Alert.objects.create(
        kind=AlertKind.NOT_SHIPPED,
        subject=order.order_no,
        order=order,
        open_key=alerting.open_key(AlertKind.NOT_SHIPPED, order.order_no),
        severity="2high",
        due_at=clock.now(),
    )
    with transaction.atomic():
        shipping_many.ship_all([shipping_many.Parcel(order, sf, "SF0000000002", clock.now())], CLERK)
    assert Alert.objects.get().resolved_at


def test_queries_do_not_grow_with_the_orders(frozen):
    sf = make_carrier("SF")

    def count(first: int, size: int) -> int:
        inputs = [
            parse_order(order_payload(order_no=f"Q{first + n}", paid_at=clock.now().isoformat())) for n in range(size)
        ]
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            orders = taking_many.take_new(inputs, CLERK)
            parcels = [shipping_many.Parcel(order, sf, f"SF00{order.pk:010}", clock.now()) for order in orders]
            shipping_many.ship_all(shipping_many.plain(parcels), CLERK)
        return len(captured)

    count(0, 1)  # what was learnt is read once
    assert count(5, 3) == count(10, 20)
    assert Order.objects.filter(status=OrderStatus.SHIPPED).count() == 24


def test_an_order_that_somebody_made_meanwhile_undoes_all():
    made = make_order()
    with pytest.raises(IntegrityError), transaction.atomic():
        taking_many.take_new([parse_order(order_payload()), parse_order(order_payload(order_no=made.order_no))], CLERK)
    assert Order.objects.count() == 1
