"""Exports from the list to the file: what is in it, who may have it, and what is on record."""

import csv
import datetime as dt
import io
import re
from types import SimpleNamespace
from urllib.parse import quote

import openpyxl
import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from frozenshop.backoffice.batches import expiry, files, moves, running
from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece, BatchRow
from frozenshop.backoffice.batches.tests.doing import work
from frozenshop.backoffice.batches.tests.test_pages import sign_in
from frozenshop.backoffice.exporting import kinds, views
from frozenshop.backoffice.signin import recent
from frozenshop.backoffice.tests.pages import text
from frozenshop.backoffice.worklists import WORKLISTS
from frozenshop.kernel import clock
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics import problems
from logistics.models import Shipment
from logistics.tests.factories import make_carrier, make_shipment
from orders import alerting
from orders.models import Alert, AlertKind, Order, OrderLine, Product, ProductCategory
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
FORM = "/admin/backoffice/batch/export/orders/"
WHO = {"name": "欧阳雪", "phone": "13812347788", "address": "世纪大道 1 号"}


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch):
    monkeypatch.setattr(kinds.Export, "size", 3)
    monkeypatch.setattr(kinds, "PLANNED_AT_ONCE", 2)


@pytest.fixture
def client(owner):
    return sign_in(owner)


def export(client, query="", *, follow=True, **data):
    return client.post(f"{FORM}?{query}", {"query": query, "form": "csv", **data}, follow=follow)


def address(batch, name="file", *more):
    return reverse(f"admin:backoffice_batch_{name}", args=[batch.pk, *more])


def taken(client):
    return b"".join(client.get(address(Batch.objects.get())))


def lines(client):
    return list(csv.DictReader(io.StringIO(taken(client).decode("utf-8-sig"))))


def listed(client):
    return [line["订单号"] for line in lines(client)]


def make_orders(count, status="placed", **more):
    placed = clock.now() - dt.timedelta(days=3)
    times = (placed + dt.timedelta(minutes=n // 2) for n in range(count))
    return [
        make_order(status, order_no=f"A-{n:02}", placed_at=clock.isoformat(at), **more) for n, at in enumerate(times)
    ]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6, 7, 17])
def test_every_order_of_the_list_is_in_the_file_once_and_in_its_order(client, count):
    made = make_orders(count)
    export(client)
    work()
    assert Batch.objects.get().state == "done"
    newest_first = Order.objects.order_by("-placed_at", "-id").values_list("order_no", flat=True)
    assert listed(client) == list(newest_first)
    assert len(made) == count


def test_both_formats_say_the_same(client, owner):
    make_shipment(make_order("paid", order_no="A-1", **WHO), waybill_no="773000000000001")
    for form in ("csv", "xlsx"):
        export(client, form=form)
    work()
    second, first = Batch.objects.order_by("-id")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(client.get(address(second)))))
    rows = list(csv.reader(io.StringIO(b"".join(client.get(address(first))).decode("utf-8-sig"))))
    heading, row = ([cell.value for cell in line] for line in book.active)
    assert heading == rows[0]
    found = dict(zip(heading, row, strict=True))
    assert (found["收件人"], found["手机号"], found["运单号"]) == ("欧*", "138****7788", "773000000000001")
    assert isinstance(found["下单时间"], dt.datetime)
    assert dict(zip(*rows, strict=True))["收件人"] == "欧*"


def test_filters_and_search_mean_what_they_mean_in_the_list(client):
    make_order("paid", order_no="A-1", **WHO)
    make_order("paid", order_no="B-1", phone="13900001111")
    make_order("delivered", order_no="C-1", **WHO)
    export(client, "status__exact=paid&q=13812347788")
    work()
    assert listed(client) == ["A-1"]


SHOWN_SO = (
    *("", "status__exact=paid", "placed_within=1", "placed_within=7", "placed_from=2020-01-01", "placed_to=2020-01-01"),
    *("placed_from=2026-02-30", "alert=stale", "alert=money_conflict", "carrier=SF", "category=fish", "o=1", "view=7"),
    *("category=fish&carrier=SF&alert=stale", "q=FD2026", "q=FD20260001", "q=13812347788", "q=7788", "q=7788+张"),
    *("q=张三", "q=杭州", "q=虾仁", "q=XR-1", "q=SF0000000000002", "q=000000000002", "q=今天", "q=没有此人"),
    *("q=张三&status__exact=paid", "q=777777", "q=777777&as=waybill_suffix", "q=7788&placed_within=30"),
    *(f"todo={key}" for key in WORKLISTS),
)


@pytest.fixture
def crowd(db):
    """Orders of which each filter keeps some and leaves others."""
    days = dt.timedelta(days=1)
    category = ProductCategory.objects.create(code="fish", name="鱼")
    for n in range(12):
        order = make_order(
            "paid" if n % 6 else "placed",
            order_no="777777-1" if n == 5 else f"FD2026{n:04}",
            placed_at=clock.isoformat(clock.now() - n * days),
            promised_by=clock.isoformat(clock.now() - days),
            name="张三" if n % 2 else "李四",
            phone="13812347788" if n < 8 else "13900000000",
            city="杭州市" if n % 4 else "上海市",
        )
        if n % 3:
            number = "SF00777777" if n == 4 else f"SF{n:013}"
            box = make_shipment(order, carrier=make_carrier("SF" if n % 2 else "JD"), waybill_no=number)
            kind = (AlertKind.STALE, AlertKind.RETURNED, AlertKind.EXCEPTION)[n // 3 % 3]
            alerting.open_alert(kind, subject=problems.subject(box), order=order)
            latest = clock.start_of_day(clock.shanghai(clock.now()).date())
            state = "awaiting_pickup" if n == 7 else "no_trace"
            Shipment.objects.filter(pk=box.pk).update(eta_latest=latest, status=state)
    Product.objects.create(sku="XR-1", name="虾仁", category=category, temperature_class="frozen")
    OrderLine.objects.filter(order__order_no__lt="FD20260005").update(category="fish")


def shown_on_pages(client, monkeypatch, model, query):
    """Return the list row by row, page after page."""
    monkeypatch.setattr(admin.site._registry[model], "list_per_page", 4)
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    more = f"?{query}"
    while more:
        page = client.get(address + more).context["cl"]
        yield from page.result_list
        more = page.older_query


def read_in_stretches(owner, model, query):
    view, places = views.View(model, owner, query), [""]
    while place := view.boundary(places[-1], 3):
        places.append(place)
    for after, until in zip(places, [*places[1:], ""], strict=True):
        for rows in view.between(after, until, 3):
            yield from rows


def test_a_file_holds_what_the_list_shows_whatever_narrows_it(client, owner, crowd, monkeypatch):
    for query in SHOWN_SO:
        written_out = client.get(f"{FORM}?{query}").context["query"]
        shown = list(shown_on_pages(client, monkeypatch, Order, query))
        assert list(read_in_stretches(owner, Order, written_out)) == shown, query


ALERTS_SHOWN_SO = (
    *("", "state=resolved", "state=snoozed", "state=overdue", "due=later", "owner=me", "owner=nobody", "acts=service"),
    *("severity=2high", "incident=any", "kind=stale", "q=FD20260001", "q=NOBODY", "kind=x&state=x"),
)


def test_a_file_holds_the_alerts_that_the_queue_shows(client, owner, crowd, monkeypatch):
    ids = list(Alert.objects.order_by("id").values_list("pk", flat=True))
    Alert.objects.filter(pk__in=ids[::4]).update(resolved_at=clock.now())
    Alert.objects.filter(pk__in=ids[1::4]).update(snoozed_until=clock.now() + dt.timedelta(hours=1), owner=owner)
    Alert.objects.filter(pk__in=ids[2::4]).update(due_at=clock.now() - dt.timedelta(hours=1), owner=owner)
    Alert.objects.filter(pk=ids[3]).update(incident_id=ids[0])
    for query in ALERTS_SHOWN_SO:
        shown = list(shown_on_pages(client, monkeypatch, Alert, query))
        assert list(read_in_stretches(owner, Alert, query)) == shown, query


def test_some_of_what_narrows_a_list_keeps_some_and_leaves_others(owner, crowd):
    kept = {query: len(list(views.View(Order, owner, query).rows)) for query in SHOWN_SO}
    assert {query for query, count in kept.items() if not count} == {
        *("placed_to=2020-01-01", "alert=money_conflict", "q=没有此人"),
    }


def test_days_that_move_stay_those_that_the_list_showed(client, frozen):
    made = make_order(order_no="A-1", placed_at=clock.isoformat(clock.now() - dt.timedelta(hours=1)))
    for query in ("placed_within=1", f"q={quote('今天')}"):
        export(client, client.get(f"{FORM}?{query}").context["query"])
    frozen.shift(dt.timedelta(days=2))
    work()
    for batch in Batch.objects.all():
        sealed = b"".join(files.read(BatchFile.objects.get(batch=batch)))
        assert made.order_no in sealed.decode(), batch.pk


def test_no_address_of_an_exports_pages_names_anybody(client, second):
    make_order(order_no="A-1", **WHO)
    found = client.post("/admin/orders/order/find/", {"q": "13812347788", "status__exact": "placed"})["Location"]
    form = client.get(f"{FORM}?{found.partition('?')[2]}")
    export(client, form.context["query"])
    page = sign_in(second).get(address(Batch.objects.get(), "change"))
    for shown in (form, page):
        assert not [url for url in re.findall(r'(?:href|action)="([^"]*)"', text(shown)) if "13812347788" in url]
    asked = dict(page.context["more"]["search"][2])
    assert asked == {"q": "13812347788", "status__exact": "placed"}
    shown = sign_in(second).post(page.context["more"]["search"][1], asked, follow=True)
    assert [str(row) for row in shown.context["cl"].result_list] == ["A-1"]
    assert "13812347788" not in shown.redirect_chain[-1][0]


def test_what_was_typed_to_search_lies_sealed_and_not_on_record(client):
    make_order(order_no="A-1", **WHO)
    export(client, "q=13812347788&status__exact=placed&todo=欧阳雪")
    details = AuditEntry.objects.get(action="export.requested").details
    assert details["filters"] == {"q": "…", "status__exact": "placed", "todo": "…"}
    batch = Batch.objects.get()
    assert "13812347788" not in f"{batch.parameters}{batch.title}{batch.message}{BatchRow.objects.get().given_sealed}"


def test_values_that_may_name_somebody_are_not_told():
    query = "placed_from=2026-01-02&carrier=SF&x=13812347788&y=%E5%BC%A0%E4%B8%89&z=1234567"
    assert views.told(query) == {"placed_from": "2026-01-02", "carrier": "SF", "x": "…", "y": "…", "z": "…"}


def test_a_masked_file_holds_no_whole_name_phone_or_address(client):
    make_order(order_no="A-1", **WHO)
    export(client)
    work()
    content = taken(client).decode()
    assert not [value for value in WHO.values() if value in content]
    assert lines(client)[0]["手机号"] == "138****7788"


def test_nothing_of_a_file_lies_open_in_the_database(client):
    make_order(order_no="ORDER-A-1", **WHO)
    export(client)
    work()
    assert not [piece for piece in BatchFilePiece.objects.all() if "ORDER-A-1" in piece.sealed]


# --- unmasked -----------------------------------------------------------------------------------------


def unmasked(client, **data):
    return export(client, people="whole", reason="仓库代发", **data)


def test_whole_names_need_a_second_person_and_mark_every_row(client, second):
    make_order(order_no="A-1", **WHO)
    unmasked(client)
    work()
    batch = Batch.objects.get()
    assert batch.state == "waiting"
    moves.approve(batch, second)
    work()
    heading, *rows = csv.reader(io.StringIO(taken(client).decode("utf-8-sig")))
    assert heading == [f"未打码 · 批量任务 #{batch.pk} · 导出 owner · 批准 second · {rows[1][-1][-16:]}"]
    found = dict(zip(*rows, strict=True))
    assert (found["收件人"], found["手机号"]) == ("欧阳雪", "13812347788")
    assert found["地址"].endswith("世纪大道 1 号")
    assert found["导出标记"].startswith(f"#{batch.pk} owner ")


def test_an_unmasked_sheet_has_its_mark_in_its_properties(client, second):
    make_order(order_no="A-1", **WHO)
    unmasked(client, form="xlsx")
    moves.approve(Batch.objects.get(), second)
    work()
    book = openpyxl.load_workbook(io.BytesIO(taken(client)))
    assert "未打码" in book.properties.description
    assert book.properties.creator == "owner"
    assert book.active["A1"].value == book.properties.description


def test_whose_data_was_taken_is_on_record_order_by_order(client, owner, second):
    make_orders(4, **WHO)
    unmasked(client)
    moves.approve(Batch.objects.get(), second)
    work()
    entries = AuditEntry.objects.filter(action="order.exported_unmasked").order_by("subject")
    assert [entry.subject for entry in entries] == ["A-00", "A-01", "A-02", "A-03"]
    assert (entries[0].actor, entries[0].reason) == (f"staff:{owner.pk}", "仓库代发")
    assert entries[0].details["approved_by"] == "second"


def test_whole_names_need_a_reason(client):
    assert "必须写明原因" in text(export(client, people="whole"))
    assert not Batch.objects.exists()


@pytest.mark.parametrize("right", ["export_unmasked", "unmask_order", "export_order"])
def test_whole_names_need_each_of_three_rights(owner, right):
    from django.contrib.auth.models import Group, Permission

    Group.objects.get(name="主管").permissions.remove(*Permission.objects.filter(codename=right))
    client = sign_in(type(owner).objects.get(pk=owner.pk))
    assert export(client, people="whole", reason="x").status_code == 403


def test_a_right_that_is_lost_meanwhile_ends_it(client, owner, second):
    make_order(order_no="A-1", **WHO)
    unmasked(client)
    moves.approve(Batch.objects.get(), second)
    owner.groups.clear()
    work()
    assert Batch.objects.get().state == "failed"
    assert not BatchFile.objects.exists()


def test_so_many_whole_names_and_no_more(client, second, settings):
    settings.EXPORT_UNMASKED_ROWS = 4
    make_orders(6, **WHO)
    unmasked(client)
    moves.approve(Batch.objects.get(), second)
    work()
    batch = Batch.objects.get()
    assert (batch.state, "最多 4 行" in batch.message) == ("failed", True)


def test_what_is_not_said_to_be_unmasked_is_masked(client, owner):
    make_order(order_no="A-1", **WHO)
    export(client)
    Batch.objects.update(parameters={"format": "csv"})
    work()
    assert lines(client)[0]["收件人"] == "欧*"


# --- whose it is --------------------------------------------------------------------------------------


def test_only_its_owner_takes_the_file(client, person):
    make_order(order_no="A-1")
    export(client)
    work()
    assert sign_in(person("boss")).get(address(Batch.objects.get())).status_code == 403
    assert client.get(address(Batch.objects.get())).status_code == 200


def test_who_lost_the_right_does_not_get_the_file_any_more(client, owner):
    make_order(order_no="A-1")
    export(client)
    work()
    owner.groups.clear()
    assert client.get(address(Batch.objects.get())).status_code == 403


def test_taking_the_file_is_on_record(client, owner):
    make_orders(2)
    export(client)
    work()
    answer = client.get(address(Batch.objects.get()))
    content = b"".join(answer)
    entry = AuditEntry.objects.get(action="batch.file_taken")
    assert (entry.actor, entry.details["rows"], entry.details["bytes"]) == (f"staff:{owner.pk}", 2, len(content))
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Length"] == str(len(content))


@pytest.mark.parametrize("what", ["begin", "take"])
def test_who_has_not_shown_lately_that_they_are_there_is_asked(client, owner, what):
    make_order(order_no="A-1")
    export(client)
    work()
    absent = Client()
    absent.force_login(owner)
    answer = export(absent) if what == "begin" else absent.get(address(Batch.objects.get()))
    assert answer[recent.ASKED_HEADER] == "required"
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("role", ["查看", "客服"])
def test_exporting_needs_its_right(person, role):
    other = sign_in(person("other", role))
    assert other.get(FORM).status_code == 403
    assert export(other).status_code == 403
    assert FORM not in text(other.get("/admin/orders/order/"))


def test_there_is_no_file_before_the_end_or_after_its_time(client, frozen, settings):
    make_order(order_no="A-1")
    export(client)
    assert client.get(address(Batch.objects.get())).status_code == 404
    work()
    frozen.shift(dt.timedelta(hours=settings.EXPORT_KEEP_HOURS, seconds=1))
    assert expiry.expire() == 1
    assert not BatchFilePiece.objects.exists()
    assert "已到期删除" in text(sign_in(Batch.objects.get().owner).get(address(Batch.objects.get(), "change")))
    assert client.get(address(Batch.objects.get())).status_code in (404, 302)


# --- how it runs --------------------------------------------------------------------------------------


def test_a_cancelled_export_goes_on_where_it_stood(client, monkeypatch):
    make_orders(10)
    export(client)
    monkeypatch.setattr(running, "STRETCH_SECONDS", 1.5)
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=iter(range(10_000)).__next__))
    messages = OutboxMessage.objects.filter(topic=running.TOPIC, status="pending")
    for _ in range(3):
        running.outbox.deliver(messages.latest("id").pk)
    moves.cancel(Batch.objects.get())
    monkeypatch.setattr(running, "STRETCH_SECONDS", 1e9)
    assert client.get(address(Batch.objects.get())).status_code == 404
    assert BatchFile.objects.exists()
    with transaction.atomic():
        moves.run_again(Batch.objects.get())
    work()
    assert sorted(listed(client)) == [f"A-{n:02}" for n in range(10)]


def test_a_stretch_costs_the_same_however_many_orders_are_in_it(client, owner, monkeypatch):
    def count(orders):
        monkeypatch.setattr(kinds.Export, "size", orders)
        Batch.objects.all().delete()
        with transaction.atomic():
            batch = kinds.begin_view("export_orders", owner, "", form="csv")
        kinds.ORDERS.perform(batch, batch.rows.get(number=1), running.staff(owner.pk))
        stretch = batch.rows.filter(number__gte=kinds.FIRST_STRETCH).first()
        with CaptureQueriesContext(connection) as captured:
            kinds.ORDERS.perform(batch, stretch, running.staff(owner.pk))
        return len(captured)

    for order in make_orders(12, "paid"):
        make_shipment(order, waybill_no=f"SF00{order.order_no}")
    assert count(3) == count(6) <= 20


def test_what_concerns_the_whole_file_has_no_row_number_in_the_report(client):
    make_orders(4)
    export(client)
    work()
    report = b"".join(client.get(address(Batch.objects.get(), "report"))).decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in report[1:]] == ["整份文件", "第 1 段", "第 2 段"]


def test_the_form_says_how_many_without_counting_them_all(client, monkeypatch):
    monkeypatch.setattr(views, "COUNTED_TO", 5)
    make_orders(7)
    assert "<strong>5+</strong>" in text(client.get(FORM))
    assert "<strong>1</strong>" in text(client.get(FORM, {"q": "A-01"}))


def test_a_search_that_nobody_knows_any_more_is_not_the_whole_list(client):
    make_order(order_no="A-1")
    assert client.get(FORM, {"find": "of-somebody-else"}).status_code == 302


@pytest.mark.parametrize("query", ["q=%00", "status__exact=nonsense", "after=nonsense", "x=1&e=1"])
def test_an_address_that_was_made_up_breaks_nothing(client, query):
    assert client.get(f"{FORM}?{query}").status_code in (200, 302)
    export(client, query)
    work()


def test_the_list_leads_to_its_export_with_its_filters(client):
    make_order("paid", order_no="A-1")
    shown = text(client.get("/admin/orders/order/", {"status__exact": "paid", "after": ""}))
    assert f"{FORM}?status__exact=paid" in shown


def test_the_queue_of_alerts_leads_to_its_export_too(client):
    assert "/admin/backoffice/batch/export/alerts/?kind=stale" in text(client.get("/admin/orders/alert/?kind=stale"))


def test_the_queue_of_alerts_is_exported_too(client):
    order = make_order("paid", order_no="A-1")
    alerting.open_alert(AlertKind.PAID_AFTER_CANCELLED, subject="A-1", order=order, detail="=1+1")
    client.post("/admin/backoffice/batch/export/alerts/", {"query": "", "form": "csv"})
    work()
    assert [(line["订单号"], line["说明"]) for line in lines(client)] == [("A-1", "'=1+1")]


def test_given_numbers_are_exported_in_their_order(client, owner):
    make_orders(5)
    with transaction.atomic():
        kinds.begin_numbers(owner, ["A-03", "NOPE", "A-01", "A-04", "A-00"], form="csv")
    work()
    assert listed(client) == ["A-03", "A-01", "A-04", "A-00"]
