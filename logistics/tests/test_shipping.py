"""Registering, joining, withdrawing and correcting waybills."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics.models import Shipment, ShipmentOrder
from logistics.shipping import check_waybill_no, join, ship, void
from logistics.tests.factories import STAFF, event, make_carrier, make_shipment, report
from orders.alerting import open_alert
from orders.models import Alert, AlertKind, OrderStatus
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db
NUMBER = "SF1234567890123"


def days(number: float) -> dt.timedelta:
    return dt.timedelta(days=number)


def parcel(order=None, **changes) -> Shipment:
    return make_shipment(order, **{"waybill_no": NUMBER} | changes)


def old_order(**changes):
    return make_order("paid", placed_at=(clock.now() - days(100)).isoformat(), **changes)


@pytest.mark.parametrize(
    "text", ["7.31E+13", "7.31e13", "7310000000001.0", "731E12", "1234", "x" * 41, "SF 12345", "运单12345", ""]
)
def test_a_number_that_no_carrier_gives_is_refused(text):
    with pytest.raises(Invalid) as refusal:
        check_waybill_no(text)
    assert "waybill_no" in refusal.value.fields


@pytest.mark.parametrize("text", ["SF1234567890123", " 73100000000001 ", "yt-0001", "JD0000000000E-1-1"])
def test_a_number_is_kept_as_given_but_for_blanks(text):
    assert check_waybill_no(text) == text.strip()


def test_shipping_moves_a_paid_order():
    shipment = parcel(order := make_order("paid"))
    assert (order.status, order.shipped_at) == (OrderStatus.SHIPPED, shipment.shipped_at)


def test_repeating_returns_the_same_shipment():
    assert parcel(order := make_order("paid")) == parcel(order)
    assert order.events.filter(kind="shipped").count() == 1


def test_repeating_with_other_lines_is_refused():
    parcel(order := make_order("paid", lines=[line(quantity=2)]), lines={"XR-1": 1})
    with pytest.raises(NotPossible):
        parcel(order, lines={"XR-1": 2})


def test_no_lines_means_all_that_remain():
    order = make_order("paid", lines=[line(sku="A", quantity=3), line(sku="B", quantity=1)])
    make_shipment(order, lines={"A": 2})
    rest = make_shipment(order)
    loaded = rest.links.get().lines.values_list("order_line__sku", "quantity")
    assert dict(loaded) == {"A": 1, "B": 1}


def test_a_further_parcel_is_a_row_of_the_history():
    order = make_order("paid", lines=[line(quantity=2)])
    make_shipment(order, lines={"XR-1": 1})
    make_shipment(order)
    rows = order.events.filter(kind="shipped").order_by("id").values_list("from_status", "to_status")
    assert list(rows) == [("paid", "shipped"), ("shipped", "shipped")]


def test_more_than_was_bought_can_not_be_shipped():
    with pytest.raises(NotPossible) as refusal:
        make_shipment(make_order("paid"), lines={"XR-1": 3})
    assert refusal.value.fields == {"lines.XR-1": "只剩 2 件未发"}


@pytest.mark.parametrize("lines", [{}, {"NO": 1}, {"XR-1": 0}])
def test_lines_that_make_no_sense_are_refused(lines):
    with pytest.raises(Invalid):
        make_shipment(make_order("paid"), lines=lines)
    assert not Shipment.objects.exists()


def test_a_fully_shipped_order_has_nothing_left_to_ship():
    parcel(order := make_order("paid"))
    with pytest.raises(NotPossible):
        make_shipment(order)


def test_one_sku_on_two_lines_is_shipped_over_both():
    order = make_order("paid", lines=[line(quantity=1), line(quantity=2)])
    assert sum(make_shipment(order, lines={"XR-1": 3}).links.get().lines.values_list("quantity", flat=True)) == 3


@pytest.mark.parametrize("off", [dt.timedelta(hours=2), -days(3)])
def test_an_instant_that_can_not_be_is_refused(off):
    with pytest.raises(Invalid):
        parcel(shipped_at=clock.now() + off)


def test_the_most_delicate_goods_decide_how_cold_the_box_is():
    warm = make_order("paid", lines=[line(temperature_class="ambient")])
    shipment = parcel(warm)
    assert shipment.temperature_class == "ambient"
    assert parcel(make_order("paid", lines=[line(temperature_class="chilled")])).temperature_class == "chilled"


def test_a_number_of_a_live_parcel_is_the_same_box():
    first, second = parcel(), parcel()
    assert (first, first.orders.count()) == (second, 2)


def test_an_order_that_joins_a_moving_box_is_where_the_box_is():
    shipment = report(parcel(), "in_transit")
    join(shipment, order := make_order("paid"), actor=STAFF)
    order.refresh_from_db()
    assert order.status == OrderStatus.IN_TRANSIT


def test_an_order_registered_after_its_box_arrived_was_in_the_box():
    shipment = report(parcel(shipped_at=clock.now() - dt.timedelta(minutes=50)), "delivered")
    join(shipment, order := make_order("paid"), actor=STAFF)
    order.refresh_from_db()
    assert order.status == OrderStatus.DELIVERED


def test_a_number_is_not_reused_within_thirty_days():
    report(parcel(old_order(), shipped_at=clock.now() - days(30)), event("delivered", clock.now() - days(29)))
    with pytest.raises(NotPossible):
        parcel()


def test_a_recycled_number_starts_a_new_generation():
    report(old := parcel(old_order(), shipped_at=clock.now() - days(40)), event("delivered", clock.now() - days(31)))
    new = parcel()
    assert (old.generation, new.generation, new.orders.count()) == (1, 2, 1)


def test_a_parcel_that_never_arrived_keeps_its_number():
    report(old := parcel(old_order(), shipped_at=clock.now() - days(60)), event("in_transit", clock.now() - days(50)))
    assert parcel() == old


def test_another_carrier_may_have_the_same_number():
    assert parcel() != parcel(carrier=make_carrier("ZTO"))


def test_numbers_compare_byte_by_byte():
    assert parcel(waybill_no="sf12345") != parcel(waybill_no="SF12345")


def test_voiding_before_the_first_scan_takes_the_order_back_to_paid():
    shipment = parcel(order := make_order("paid"))
    voided = void(shipment, order=order, reason="填错", actor=STAFF)
    assert (order.status, order.shipped_at, voided.next_poll_at) == (OrderStatus.PAID, None, None)
    assert order.not_shipped_after is not None


def test_voiding_twice_is_voiding_once():
    shipment = parcel(order := make_order("paid"))
    for _ in range(2):
        void(shipment, order=order, reason="填错", actor=STAFF)
    assert order.events.filter(kind="voided").count() == 1


def test_after_the_first_scan_nothing_can_be_voided():
    shipment = report(parcel(order := make_order("paid")), "unknown")
    with pytest.raises(NotPossible):
        void(shipment, order=order, reason="填错", actor=STAFF)


def test_voiding_needs_a_reason():
    with pytest.raises(Invalid):
        void(parcel(order := make_order("paid")), order=order, reason=" ", actor=STAFF)


def test_an_order_with_another_live_parcel_stays_shipped():
    order = make_order("paid", lines=[line(quantity=2)])
    first, _ = make_shipment(order, lines={"XR-1": 1}), make_shipment(order)
    void(first, order=order, reason="漏发", actor=STAFF)
    assert order.status == OrderStatus.SHIPPED
    assert make_shipment(order).links.get().lines.get().quantity == 1


def test_one_order_leaves_a_box_that_goes_on_with_the_other():
    shipment, order = parcel(), make_order("paid")
    join(shipment, order, actor=STAFF)
    void(shipment, order=order, reason="填错", actor=STAFF)
    shipment.refresh_from_db()
    assert (order.status, shipment.voided_at, shipment.orders.count()) == (OrderStatus.PAID, None, 1)


def test_correcting_takes_over_lines_and_time():
    shipment = parcel(order := make_order("paid", lines=[line(quantity=2)]), lines={"XR-1": 1})
    new = void(shipment, order=order, reason="抄错", actor=STAFF, replacement=(make_carrier("ZTO"), "73100000000001"))
    assert (new.shipped_at, new.links.get().lines.get().quantity) == (shipment.shipped_at, 1)
    assert order.status == OrderStatus.SHIPPED


def test_correcting_twice_is_correcting_once():
    shipment, replacement = parcel(order := make_order("paid")), (make_carrier(), "SF0000000000009")
    first, again = (void(shipment, order=order, reason="抄错", actor=STAFF, replacement=replacement) for _ in range(2))
    assert first == again


def test_a_replacement_that_is_refused_leaves_the_waybill_standing():
    shipment = parcel(order := make_order("paid"))
    with pytest.raises(Invalid):
        void(shipment, order=order, reason="抄错", actor=STAFF, replacement=(make_carrier(), "bad"))
    shipment.refresh_from_db()
    assert shipment.voided_at is None


def test_a_withdrawn_waybill_can_be_used_after_all():
    shipment = parcel(order := make_order("paid"))
    void(shipment, order=order, reason="填错", actor=STAFF)
    again = parcel(order)
    assert (again, again.voided_at, order.status) == (shipment, None, OrderStatus.SHIPPED)


def test_a_waybill_withdrawn_from_one_order_can_serve_another():
    void(parcel(wrong := make_order("paid")), order=wrong, reason="填错", actor=STAFF)
    parcel(right := make_order("paid"))
    assert list(ShipmentOrder.objects.values_list("order_id", flat=True)) == [right.pk]


def test_voiding_resolves_what_was_open_about_the_parcel():
    shipment = parcel(order := make_order("paid"))
    report(shipment, event("delivered", clock.now() - days(50)))
    void(shipment, order=order, reason="填错", actor=STAFF)
    assert not Alert.objects.filter(resolved_at=None).exists()


def test_shipping_an_order_ends_the_alert_that_it_was_not_shipped():
    order = make_order("paid")
    open_alert(AlertKind.NOT_SHIPPED, subject=order.order_no, order=order)
    parcel(order)
    assert not Alert.objects.filter(resolved_at=None).exists()


def test_ship_does_not_touch_the_order_when_the_number_is_bad():
    order = make_order("paid")
    with pytest.raises(Invalid):
        ship(order, carrier=make_carrier(), waybill_no="1E5", shipped_at=clock.now(), actor=STAFF)
    assert order.status == OrderStatus.PAID
