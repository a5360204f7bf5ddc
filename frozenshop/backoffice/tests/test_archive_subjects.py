"""What the archive holds of a person: it is told, it goes with proof or after its term, unless the law holds it."""

import datetime as dt

import pytest
import time_machine

from frozenshop.backoffice import rotation
from frozenshop.backoffice.subjects import erasure, held, person
from frozenshop.backoffice.tests.test_rotation import BOTH, NEW, OLD
from frozenshop.kernel import clock, crypto
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import NotPossible, OrderNotFound
from frozenshop.kernel.models import AuditEntry
from logistics.archive import bodies, overdue, restoring, retention
from logistics.archive.models import ArchivedOrder, ArchiveMonth
from logistics.archive.tests.factories import archive, archived, finished
from logistics.models import TrackingEvent
from logistics.shipping import join
from logistics.tests.factories import STAFF, event, make_shipment, report
from orders import holds
from orders.consignee import name_key
from orders.models import LegalHold, Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
OPERATOR = Actor(Source.STAFF, "shell:test")
PHONE, NAME = "15566667777", "慕容绝"
WHO = {"phone": PHONE, "name": NAME, "address": "静安寺路 8 号", "note": f"{NAME} 收，{PHONE}"}


def erase():
    return erasure.erase(person.find(phone=PHONE), actor=OPERATOR, reason="工单 7")


def told():
    """Return all that the archive says, bodies opened."""
    rows = ArchivedOrder.objects.all()
    return str([bodies.inflate(bytes(row.body)) for row in rows]) + "".join(row.open_note() for row in rows)


def reading(order):
    body = restoring.opened(ArchivedOrder.objects.get(pk=order.pk))
    return [one.text for one in body.of(TrackingEvent)]


def test_on_request_it_goes_with_proof_and_the_facts_stay():
    order = finished(**WHO)
    TrackingEvent.objects.update(text=f"{NAME}已签收")
    archive()
    counts = erase()
    row = ArchivedOrder.objects.get()
    assert (row.consignee_sealed, row.phone_index, row.total_fen, row.status) == ("", "", order.total_fen, "delivered")
    assert NAME not in told()
    assert PHONE not in told()
    assert counts["archived"] == 1
    assert (row.note_sealed, row.erased_at is None, ArchiveMonth.objects.get().erased) == ("", False, 1)
    assert AuditEntry.objects.filter(action="order.erased", subject=order.order_no).exists()


def test_what_was_erased_comes_back_without_it():
    order = archived(**WHO)
    erase()
    restoring.restore(order.order_no, by=STAFF, reason="查账")
    back = Order.objects.get()
    assert (back.consignee_sealed, back.phone_index, back.lines_summary) == ("", "", order.lines_summary)


def test_erasing_twice_changes_nothing_more():
    archived(**WHO)
    erase()
    before = ArchivedOrder.objects.values().get()
    erase()
    assert ArchivedOrder.objects.values().get() == before


def test_what_was_erased_here_is_marked_so_when_it_is_archived_and_again_after_it_came_back():
    order, other = finished(**WHO), finished()
    erase()
    proof = AuditEntry.objects.get(action="order.erased", subject=order.order_no)
    for _ in range(2):
        archive()
        marks = dict(ArchivedOrder.objects.values_list("pk", "erased_at"))
        assert marks == {order.pk: proof.at, other.pk: None}
        assert ArchiveMonth.objects.get().erased == 1
        restoring.restore(order.order_no, by=STAFF, reason="查账")
        assert ArchiveMonth.objects.get().erased == 0


@pytest.mark.parametrize("where", ["orders", "archived"])
def test_what_has_had_its_term_loses_its_keys_on_request_and_keeps_its_mark(where):
    make = archived if where == "archived" else finished
    order = make(**WHO)
    with later(1096):
        expire()
        list(overdue.erase_overdue())
    marks = list(ArchivedOrder.objects.values_list("erased_at", flat=True))
    assert erase()[where] == 1
    (row,) = [*Order.objects.all(), *ArchivedOrder.objects.all()]
    assert (row.phone_index, row.name_index, row.tail_index) == ("", "", "")
    assert list(ArchivedOrder.objects.values_list("erased_at", flat=True)) == marks
    assert AuditEntry.objects.get(action="person.erased").details[where] == 1
    assert AuditEntry.objects.filter(action="order.erased", subject=order.order_no).exists()


def test_who_travelled_in_the_same_box_keeps_what_is_theirs():
    first, second = make_order("paid", **WHO), make_order("paid", name="李四", phone="13900000000")
    box = make_shipment(first)
    join(box, second, actor=STAFF)
    report(box, event("delivered", text="已签收"))
    TrackingEvent.objects.update(text=f"{NAME}代李四签收")
    archive()
    erase()
    assert reading(second) == reading(first) == ["***代李四签收"]
    assert ArchivedOrder.objects.get(pk=second.pk).open_consignee().name == "李四"


def test_what_is_held_of_a_person_includes_the_archive():
    order = archived(**WHO)
    (one,) = held.held(person.find(phone=PHONE))["archived_orders"]
    assert (one["order_no"], one["consignee"]["name"], one["note"]) == (order.order_no, NAME, WHO["note"])
    assert len(one["history"]) >= 4
    assert one["scans"]


@pytest.mark.parametrize("about", ["person", "order"])
def test_a_hold_forbids_erasing_on_request(about):
    order = archived(**WHO)
    hold = holds.on_person(PHONE, "案号", STAFF) if about == "person" else holds.on_order(order.order_no, "案号", STAFF)
    with pytest.raises(NotPossible, match="法律保留"):
        erase()
    holds.release(hold, "结案", STAFF)
    erase()
    assert ArchivedOrder.objects.get().consignee_sealed == ""


def test_a_released_hold_forgets_whom_it_was_about():
    archived(**WHO)
    holds.release(holds.on_person(PHONE, "案号", STAFF), "结案", STAFF)
    erase()
    assert LegalHold.objects.values_list("phone_sealed", "phone_index").get() == ("", "")


# --- terms ----------------------------------------------------------------------------------------


def later(days):
    return time_machine.travel(clock.now() + dt.timedelta(days=days))


def expire():
    return [(one.what, one.orders) for one in retention.erase_expired()]


def test_after_its_term_the_consignee_goes_and_the_key_stays(settings):
    settings.ARCHIVE_KEEP_TEXTS_DAYS = 0
    order = archived(**WHO)
    with later(1094):
        assert expire() == []
    with later(1096):
        assert expire() == [("personal", 1)]
        assert expire() == []
    row = ArchivedOrder.objects.get()
    assert (row.consignee_sealed, row.note_sealed, row.phone_index) == ("", "", order.phone_index)
    assert ArchiveMonth.objects.get().erased == 1


def test_after_their_term_texts_go_and_instants_stay(settings):
    settings.ARCHIVE_KEEP_PERSONAL_DAYS = 0
    order = archived(**WHO)
    with later(1096):
        assert expire() == [("texts", 1)]
    body = restoring.opened(ArchivedOrder.objects.get())
    assert set(reading(order)) == {""}
    assert {one.status for one in body.of(TrackingEvent)} == {"picked_up", "delivered"}
    assert body.order.note == WHO["note"]


def test_a_term_of_nought_has_no_end(settings):
    settings.ARCHIVE_KEEP_PERSONAL_DAYS = settings.ARCHIVE_KEEP_TEXTS_DAYS = 0
    archived()
    with later(9000):
        assert expire() == []


def test_a_hold_outlasts_the_term_and_blocks_nobody_else(settings, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 1)
    settings.ARCHIVE_KEEP_TEXTS_DAYS = 0
    order, other = archived(**WHO), archived()
    holds.on_order(order.order_no, "案号", STAFF)
    with later(1096):
        expire()
    assert [row.pk for row in ArchivedOrder.objects.filter(consignee_sealed="")] == [other.pk]


def test_a_damaged_body_keeps_no_others_and_stays_overdue(settings):
    settings.ARCHIVE_KEEP_PERSONAL_DAYS = 0
    damaged, other = archived(**WHO), archived()
    ArchivedOrder.objects.filter(pk=damaged.pk).update(body=b"\x01damaged")
    with later(1096):
        assert expire() == [("texts", 1)]
        assert retention.WORDING.due(clock.now()).get().pk == damaged.pk
    assert set(reading(other)) == {""}


def test_erasing_on_request_names_the_damaged_one_and_is_done_when_it_is_mended():
    order = archived(**WHO)
    good = bytes(ArchivedOrder.objects.get().body)
    ArchivedOrder.objects.update(body=b"\x01damaged")
    with pytest.raises(NotPossible, match=order.order_no):
        erase()
    assert not AuditEntry.objects.filter(action="person.erased").exists()
    ArchivedOrder.objects.update(body=good)
    erase()
    assert ArchivedOrder.objects.get().consignee_sealed == ""


def test_whoever_has_orders_here_and_archived_loses_both():
    away = archived(**WHO)
    here = finished(**WHO)
    counts = erase()
    assert (counts["orders"], counts["archived"]) == (1, 1)
    assert (
        Order.objects.get(pk=here.pk).consignee_sealed == ArchivedOrder.objects.get(pk=away.pk).consignee_sealed == ""
    )


def test_a_hold_keeps_what_lies_under_another_key(settings):
    """As long as a rotation isn't through, a hold and what it covers may stand under two keys."""
    for name, value in OLD.items():
        setattr(settings, name, value)
    archived(**WHO)
    here = finished(**WHO)
    for name, value in BOTH.items():
        setattr(settings, name, value)
    holds.on_person(PHONE, "案号", STAFF)
    with later(1096):
        expire()
    assert archive().orders == 0
    assert ArchivedOrder.objects.get().consignee_sealed
    assert Order.objects.get().pk == here.pk


def test_what_lost_its_consignee_comes_back_without(settings):
    order = archived(**WHO)
    with later(1096):
        expire()
        restoring.restore(order.order_no, by=STAFF, reason="查账")
    back = Order.objects.get()
    assert (back.consignee_sealed, back.note, back.phone_index) == ("", "", order.phone_index)


# --- new keys -------------------------------------------------------------------------------------


def test_the_archive_comes_under_new_keys_too(settings):
    for name, value in OLD.items():
        setattr(settings, name, value)
    order = archived(**WHO)
    hold = holds.on_person("13900000000", "案号", STAFF)
    for name, value in BOTH.items():
        setattr(settings, name, value)
    list(rotation.rotate())
    for name, value in NEW.items():
        setattr(settings, name, value)
    row = ArchivedOrder.objects.get(pk=order.pk)
    assert (row.open_consignee().name, row.open_note()) == (NAME, WHO["note"])
    assert row.name_index in crypto.blind_indexes(name_key(NAME), purpose="name")
    assert LegalHold.objects.get(pk=hold.pk).phone_index in crypto.blind_indexes("13900000000", purpose="phone")


def test_there_is_no_such_order():
    with pytest.raises(OrderNotFound):
        restoring.hot("NOPE-1", "新的事实")
