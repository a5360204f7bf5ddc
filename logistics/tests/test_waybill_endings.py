"""Every way of writing a waybill keeps its reversed form, by which its ending is found."""

import pytest

from frozenshop.kernel import outbox
from frozenshop.kernel.models import OutboxMessage
from logistics import tasks, waybill_endings  # noqa: F401 (registers the job)
from logistics.models import Shipment
from logistics.search import search_orders
from logistics.tests.factories import make_carrier, make_shipment
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def endings() -> list[str]:
    return list(Shipment.objects.order_by("pk").values_list("waybill_reversed", flat=True))


def test_a_shipped_and_a_bulk_inserted_parcel_are_found_by_their_ending():
    order = make_shipment(make_order("paid", order_no="A"), waybill_no="SF0000123456").orders.get()
    Shipment.objects.bulk_create(
        [Shipment(carrier=make_carrier(), waybill_no="YT99é", shipped_at=order.placed_at)],
    )
    assert endings() == ["6543210000FS", "é99TY"]
    assert [found.order_no for found in search_orders("0123456").orders] == ["A"]


def test_a_changed_waybill_changes_its_ending():
    shipment = make_shipment(waybill_no="SF0000123456")
    shipment.waybill_no = "SF0000999999"
    assert shipment.waybill_reversed == "9999990000FS"
    shipment.save()
    assert endings() == ["9999990000FS"]


def test_rows_of_the_release_before_are_filled_batch_by_batch():
    for _ in range(3):
        make_shipment()
    Shipment.objects.update(waybill_reversed="")
    assert [waybill_endings.fill(batch=2) for _ in range(3)] == [2, 1, 0]
    assert all(row.waybill_no[::-1] == end for row, end in zip(Shipment.objects.order_by("pk"), endings(), strict=True))


def test_a_full_batch_asks_for_another_run(monkeypatch):
    monkeypatch.setattr(waybill_endings, "BATCH", 1)
    make_shipment()
    Shipment.objects.update(waybill_reversed="")
    topic = "logistics.fill_waybill_endings"
    outbox.enqueue(topic, {"slot": "x"})
    outbox.deliver(OutboxMessage.objects.get(topic=topic).pk)
    assert OutboxMessage.objects.filter(topic=topic).count() == 2
    assert "" not in endings()
