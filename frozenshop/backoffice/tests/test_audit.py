"""审计: who did what to an order, what somebody did, found by key; and its export, itself on record."""

import csv
import datetime as dt
import io
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frozenshop.backoffice import audit_export
from frozenshop.backoffice.tests.pages import text
from frozenshop.kernel import audit, clock
from frozenshop.kernel.models import AuditEntry
from logistics.tests.factories import make_shipment
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
PAGE = "/admin/audit/"


def act(action="order.unmasked", subject="", actor="staff:1", ago=0, **more):
    entry = audit.record(actor, action, subject, **more)
    AuditEntry.objects.filter(pk=entry.pk).update(at=clock.now() - dt.timedelta(minutes=ago))
    return entry.pk


def shown(response):
    return [int(pk) for pk in re.findall(r"/admin/kernel/auditentry/(\d+)/change/", text(response))]


def exported(client, **asked):
    response = client.post("/admin/audit/export/", asked)
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


@pytest.mark.parametrize(
    "asked",
    [{"actor": "staff:8"}, {"actor": "lin"}, {"action": "order.exported"}, {"subject": "S-1"}, {"request_id": "r-1"}],
    ids=lambda asked: str(asked),
)
def test_each_filter_leaves_its_own(lead, asked):
    User.objects.create_user("lin", pk=8)
    mine = act("order.exported", "S-1", "staff:8")
    AuditEntry.objects.filter(pk=mine).update(request_id="r-1")
    act()
    assert shown(lead.get(PAGE, asked)) == [mine]


def test_a_stretch_of_time_leaves_what_was_done_in_it(lead):
    early, middle, _late = act(ago=300), act(ago=100), act()
    stamp = f"{clock.shanghai(clock.now() - dt.timedelta(minutes=50)):%Y-%m-%dT%H:%M}"
    assert shown(lead.get(PAGE, {"to": stamp})) == [middle, early]


def test_pages_follow_each_other_both_ways(lead):
    all_of_them = [act(ago=minutes) for minutes in range(120)]
    first = lead.get(PAGE)
    second = lead.get(PAGE + first.context["older"])
    third = lead.get(PAGE + second.context["older"])
    assert shown(first) + shown(second) + shown(third) == all_of_them
    assert third.context["older"] == first.context["newer"] == ""
    assert shown(lead.get(PAGE + third.context["newer"])) == shown(second)


def test_a_made_up_cursor_leads_nowhere(lead):
    assert lead.get(PAGE, {"after": "nonsense"}).status_code == 404


def test_what_was_done_to_many_orders_is_found_from_each(lead):
    many = act("batch.marked", details={"order_nos": ["A-1", "A-2"]})
    act("order.unmasked", "A-3")
    assert shown(lead.get(PAGE, {"subject": "A-2"})) == [many]


def test_an_orders_page_tells_acts_on_it_on_many_and_on_its_parcels(lead):
    order = make_order("paid", order_no="A-1")
    shipment = make_shipment(order)
    acts = [
        act("order.unmasked", "A-1", ago=3),
        act("order.exported", details={"order_nos": ["A-1", "A-9"]}, ago=2),
        act("shipment.reported", f"shipment:{shipment.pk}", ago=1),
    ]
    act("order.unmasked", "A-9")
    page = lead.get(f"{PAGE}order/A-1/")
    assert shown(page) == acts[::-1]
    assert "查看完整收件人" in text(page)
    assert "导出订单" in text(page)


def test_the_page_of_an_order_that_is_archived_still_tells(lead):
    done = act("order.unmasked", "GONE-1")
    assert shown(lead.get(f"{PAGE}order/GONE-1/")) == [done]
    assert lead.get(f"{PAGE}order/NEVER-1/").status_code == 404


def test_a_persons_page_tells_what_they_did_under_their_name(lead):
    user = User.objects.create_user("lin", last_name="林", first_name="小明", is_staff=True)
    mine = act(actor=f"staff:{user.pk}")
    act(actor="staff:999")
    page = lead.get(f"{PAGE}person/staff:{user.pk}/")
    assert shown(page) == [mine]
    assert user.get_full_name() in text(page)
    assert lead.get(f"{PAGE}person/staff:12345/").status_code == 404
    assert lead.get(f"{PAGE}person/staff:{'9' * 30}/").status_code == 404


def test_a_key_and_a_job_have_their_pages_too(lead):
    done = act(actor="key:demo")
    assert shown(lead.get(f"{PAGE}person/key:demo/")) == [done]


@pytest.mark.parametrize("role", ["查看", "客服"])
def test_who_may_not_see_the_audit_sees_none_of_it(login, role):
    act(subject="A-1")
    client = login(role)
    for page in ("", "order/A-1/", "person/staff:1/"):
        assert client.get(PAGE + page).status_code == 403
    assert client.post(f"{PAGE}export/").status_code == 403


def test_seeing_is_not_exporting(login):
    act()
    page = login("主管").get(PAGE)
    assert "导出为 CSV" not in text(page)
    assert "导出为 CSV" in text(login("审计").get(PAGE))


def test_an_export_has_what_was_asked_and_is_itself_on_record(login):
    mine = act("order.exported", "S-1", reason="=cmd|' /C calc'!A0", details={"count": 3})
    act()
    client = login("审计")
    header, row = exported(client, subject="S-1")
    assert row[0] == str(mine)
    assert row[header.index("理由")].startswith("'=")
    entry = AuditEntry.objects.get(action="audit.exported")
    assert entry.details["filters"] == {"subject": "S-1"}


def test_a_phone_that_was_searched_for_is_masked_on_record(login):
    exported(login("审计"), subject="13812345678")
    assert "13812345678" not in str(AuditEntry.objects.get(action="audit.exported").details)


def test_an_export_is_bounded_and_says_so(login, monkeypatch):
    monkeypatch.setattr(audit_export, "MOST", 4)
    monkeypatch.setattr(audit_export, "AT_ONCE", 2)
    all_of_them = [act(action="x", ago=minutes) for minutes in range(6)]
    _header, *rows, last = exported(login("审计"), action="x")
    assert [int(row[0]) for row in rows] == all_of_them[:4]
    assert "只导出了最新的 4 条" in last[0]


def test_an_export_in_batches_has_each_row_once(login, monkeypatch):
    monkeypatch.setattr(audit_export, "AT_ONCE", 2)
    all_of_them = [act(action="x", ago=minutes // 2) for minutes in range(7)]
    assert sorted(int(row[0]) for row in exported(login("审计"), action="x")[1:]) == sorted(all_of_them)


@pytest.mark.parametrize("page", ["", "?subject=A-1", "?actor=staff:1&action=x", "order/A-1/", "person/staff:1/"])
def test_a_page_asks_as_little_for_many_rows_as_for_few(lead, page):
    make_order("paid", order_no="A-1")
    act(subject="A-1", action="x")
    lead.get(PAGE + page)
    with CaptureQueriesContext(
        connection,
    ) as few:
        lead.get(PAGE + page)
    for number in range(40):
        act(subject="A-1", action="x", actor=f"staff:{number % 3 + 1}")
    with CaptureQueriesContext(connection) as many:
        lead.get(PAGE + page)
    assert len(many) <= len(few) <= 15


def test_a_wrong_password_is_on_record_without_what_was_typed(client):
    user = User.objects.create_user("lin", password="right-password-1", is_staff=True)
    for name in ("lin", "typed-secret"):
        client.post("/admin/login/", {"username": name, "password": "wrong-one"})
    known, unknown = AuditEntry.objects.filter(action="signin.refused").order_by("pk")
    assert (known.subject, unknown.subject) == (f"staff:{user.pk}", "")
    assert "typed-secret" not in str(AuditEntry.objects.values())


def test_leaving_is_on_record(lead):
    lead.post("/admin/logout/")
    entry = AuditEntry.objects.get(action="signin.left")
    assert entry.subject == entry.actor


def test_an_entry_says_where_in_the_chain_it_is(lead):
    pk = act()
    assert "还没有封印" in text(lead.get(f"/admin/kernel/auditentry/{pk}/change/"))
    audit.seal_pending()
    assert "链上第 1 位" in text(lead.get(f"/admin/kernel/auditentry/{pk}/change/"))


def test_from_an_account_one_comes_to_what_its_person_did(login):
    auditor = login("审计")
    user = User.objects.get(username="审计")
    assert (
        f"/admin/audit/person/staff:{user.pk}/" in auditor.get(f"/admin/auth/user/{user.pk}/change/").content.decode()
    )
