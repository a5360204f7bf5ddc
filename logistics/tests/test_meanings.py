"""Codes and wordings without a meaning: read, counted, mapped by staff, and read anew."""

import pytest

from frozenshop.kernel import clock
from logistics import meanings, rereading
from logistics.models import ShipmentStatus as S
from logistics.models import TrackingEvent, UnknownCode, UnreadText
from logistics.providers.base import Overall
from logistics.tests.factories import event, make_report, make_shipment, report
from logistics.tests.tracked import deliver
from logistics.tracking import record_events
from orders.models import Alert

pytestmark = pytest.mark.django_db
STRANGE = "快件状态码甲乙丙"


def codeless(text: str, **changes):
    return event("unknown", text=text, code="", **changes)


def test_a_scan_without_a_code_is_read_from_its_text():
    shipment = report(make_shipment(), codeless("因电话无人接听，派件不成功"))
    scan = TrackingEvent.objects.get(shipment=shipment)
    assert (shipment.status, scan.reason) == (S.DELIVERY_FAILED, "unreachable")


def test_a_scan_with_a_code_is_not():
    assert report(make_shipment(), event("in_transit", text="快件已签收")).status == S.IN_TRANSIT


def test_a_scan_that_was_read_is_still_known_when_it_comes_again():
    shipment, scan = make_shipment(), codeless("快件已签收")
    report(shipment, scan)
    assert record_events(shipment, make_report(scan), provider="kdniao").new_events == 0


def test_a_place_is_found_where_none_was_told():
    assert report(make_shipment(), codeless("快件到达【长沙黄花集散中心】")).location == "长沙黄花集散中心"


def test_what_cant_be_read_is_counted_by_shape_without_numbers():
    for number in ("13900001111", "13900002222"):
        report(make_shipment(), codeless(f"{STRANGE}，电话{number}"))
    text = UnreadText.objects.get()
    assert (text.count, text.carrier_code) == (2, "SF")
    assert "1390000" not in text.sample + text.shape


def test_a_mapped_wording_is_read_anew_and_from_then_on():
    shipment = report(make_shipment(), codeless(STRANGE))
    meanings.map_text(UnreadText.objects.get(), S.OUT_FOR_DELIVERY, "", by="staff")
    deliver("logistics.read_anew")
    shipment.refresh_from_db()
    assert shipment.status == S.OUT_FOR_DELIVERY
    assert report(make_shipment(), codeless(STRANGE)).status == S.OUT_FOR_DELIVERY


def test_a_wrong_reading_is_corrected_for_its_whole_shape():
    shipment = report(make_shipment(), codeless("快件已签收"))
    meanings.correct("SF", "快件已签收", S.AWAITING_PICKUP, "locker", by="staff")
    deliver("logistics.read_anew")
    scan = TrackingEvent.objects.get(shipment=shipment)
    assert (scan.status, scan.reason, scan.text) == (S.AWAITING_PICKUP, "locker", "快件已签收")


def test_a_mapped_code_is_read_anew_and_opens_no_more_alerts():
    scan = event("unknown", code="777", text="?")
    shipment = make_shipment()
    record_events(shipment, make_report(scan, unknown_codes=(("777", "?"),)), provider="kdniao")
    meanings.map_code(UnknownCode.objects.get(), S.IN_TRANSIT, "", by="staff")
    deliver("logistics.read_anew")
    shipment.refresh_from_db()
    other = make_shipment()
    record_events(other, make_report(scan, unknown_codes=(("777", "?"),)), provider="kdniao")
    other.refresh_from_db()
    assert (shipment.status, other.status) == (S.IN_TRANSIT, S.IN_TRANSIT)
    assert not Alert.objects.filter(kind="unknown_code", resolved_at=None).exists()


def test_reading_anew_goes_in_batches_and_ends(monkeypatch):
    monkeypatch.setattr(rereading, "BATCH", 2)
    shipments = [report(make_shipment(), codeless(STRANGE)) for _ in range(5)]
    meanings.map_text(UnreadText.objects.get(), S.CUSTOMS, "", by="staff")
    while deliver("logistics.read_anew"):
        pass
    assert {type(s).objects.get(pk=s.pk).status for s in shipments} == {S.CUSTOMS}


def test_a_decision_that_is_gone_reads_nothing():
    assert rereading.read_anew("text", 0) is None
    assert rereading.read_anew("code", 0) is None


def test_where_the_provider_states_the_whole_the_text_may_only_say_how_it_is_under_way():
    overall = Overall(S.IN_TRANSIT, "2", now := clock.now(), weak=True)
    assert report(make_shipment(), codeless("快件已签收", at=now), overall=overall).status == S.IN_TRANSIT
    assert report(make_shipment(), codeless("快递员正在派件", at=now), overall=overall).status == S.OUT_FOR_DELIVERY
    assert report(make_shipment(), codeless("快件退回中", at=now), overall=overall).status == S.RETURNING


def test_a_provider_that_is_sure_of_the_whole_is_believed_rather_than_a_text():
    overall = Overall(S.IN_TRANSIT, "2", now := clock.now())
    shipment = report(make_shipment(), codeless("快递员正在派件", at=now), overall=overall)
    assert shipment.status == S.IN_TRANSIT
    assert TrackingEvent.objects.get(shipment=shipment, overall=False).status == S.OUT_FOR_DELIVERY


def test_whichever_overall_status_comes_first_the_scans_are_read_the_same():
    scan, ends = codeless("【上海市】快件正在派送，请保持电话畅通", at=clock.now()), set()
    said = [Overall(status, code, scan.occurred_at) for status, code in ((S.IN_TRANSIT, "2"), (S.DELIVERED, "3"))]
    for order in (said, said[::-1]):
        shipment = make_shipment()
        for overall in order:
            shipment = report(shipment, scan, overall=overall)
        ends.add((shipment.status, shipment.events.get(overall=False).status))
    assert ends == {(S.DELIVERED, S.OUT_FOR_DELIVERY)}


def test_what_cant_be_read_is_counted_once_however_often_it_is_told():
    shipment, scan = make_shipment(), codeless(STRANGE, at=clock.now())
    for _ in range(3):
        report(shipment, scan)
    assert UnreadText.objects.get().count == 1
