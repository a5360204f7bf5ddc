"""What we hold of somebody, and that it goes: found again in no column, and nothing of anybody else is touched."""

import io
import json
import secrets
import stat
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import transaction

from frozenshop.api import sessions
from frozenshop.api.models import BuyerSession
from frozenshop.backoffice.batches import files
from frozenshop.backoffice.models import Batch, BatchFile, BatchRow, OrderNote
from frozenshop.backoffice.rotation import TABLES
from frozenshop.backoffice.subjects import erasure, held, person
from frozenshop.backoffice.subjects.words import GONE, Words
from frozenshop.kernel import clock, crypto
from frozenshop.kernel.errors import Problem
from frozenshop.kernel.logstore import Kind, stores
from frozenshop.kernel.logstore.entries import Entry, new_id
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics import messages
from logistics.models import ProviderMessage, TrackingEvent, UnreadText
from logistics.tests.factories import event, make_shipment, report
from logistics.tests.test_kdniao import parcel, push_of, trace
from notifications.models import (
    Addressee,
    Consent,
    ConsentEntry,
    Delivery,
    Notice,
    OfficialFollower,
    OptOut,
    ShippingReport,
    SmsCode,
    SmsPush,
    Unionid,
    WechatEvent,
)
from notifications.sms import pushes
from notifications.wechat import events
from orders import alerting, services
from orders.intake import parse_order
from orders.models import Alert, AlertKind, AlertNote, Customer, Order, OrderAccess, OrderEvent, OrderStatus
from orders.tests.factories import SHOP, make_customer, make_order, order_payload
from tests import canary
from tests.canary import NAME, PHONE, SPACED, STREET

pytestmark = pytest.mark.django_db
OPENID = "o-canary-4711-openid"
OURS = ("kernel", "orders", "logistics", "notifications", "api", "backoffice")
WHY = ["--reason", "工单 2026-118"]
Rows = dict[tuple[str, object], dict[str, object]]


def live(openid: str, phone: str, name: str, street: str) -> Order:
    """Somebody buys, is told, complains, is talked about; every table that may hold something of them does."""
    buyer = make_customer(openid, phone)
    order = make_order(
        "paid", name=name, phone=phone, address=street, buyer_openid=openid, note=f"放门口，{name} {phone}"
    )
    shipment = make_shipment(order)
    report(shipment, event("in_transit", text=f"快件发往 {street}", location=street), "delivered")
    # What was written before its shipment was known is not masked.
    TrackingEvent.objects.filter(shipment=shipment).update(
        text=f"已签收，签收人 {name} {phone[:3]} {phone[3:7]} {phone[7:]}"
    )
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.DELIVERED)
    ShippingReport.objects.update_or_create(
        order=order, defaults={"state": "uploaded", "said": f"{openid} 不是付款人", "content": {"openid": openid}}
    )
    OrderEvent.objects.filter(order=order).update(reason=f"{name}来电 {phone}")
    OrderNote.objects.create(order_no=order.order_no, author="staff:1", text=f"{name}，{phone} 要求放驿站")
    alerting.open_alert(
        AlertKind.REFUSED, subject=f"order:{order.order_no}", order=order, detail=f"{name} 拒收 {phone}"
    )
    AlertNote.objects.create(alert=Alert.objects.get(order=order), author="staff:1", text=f"已电话 {phone}")
    sealed(openid, phone, name, street, shipment.waybill_no)
    told(buyer, order, openid, phone)
    return order


def sealed(openid: str, phone: str, name: str, street: str, waybill_no: str) -> None:
    scans = parcel(trace(text=f"{name} {phone} {street}"), LogisticCode=waybill_no, EBusinessID="1237100")
    message = messages.keep_push("kdniao", push_of(scans))
    ProviderMessage.objects.filter(pk=message.pk).update(waybill_no=waybill_no, outcome="applied")
    for model, field, purpose_of in ((SmsPush, "digest", pushes.purpose_of), (WechatEvent, "key", events.purpose_of)):
        key = secrets.token_hex(16)
        text = json.dumps([{"phone_number": phone, "FromUserName": openid}, {"phone_number": "13900009999"}])
        model.objects.create(**{field: key, "body_sealed": crypto.seal(text, purpose=purpose_of(key))})
    UnreadText.objects.create(digest=secrets.token_hex(16), shape="…", sample=f"交给{name}")
    at = clock.now()
    entry = Entry(new_id(at), Kind.RAW, at, "r", "kdniao", "push", "kept", subject=waybill_no, body="v1|x|y")
    stores.current().insert([entry])


def told(buyer: Customer, order: Order, openid: str, phone: str) -> None:
    index = crypto.blind_index(phone, purpose="phone")
    for recipient in (f"customer:{buyer.pk}", f"phone:{index}"):
        times = {"occurred_at": clock.now(), "due_at": clock.now()}
        who = {"audience": "buyer", "recipient": recipient, "subject": f"order:{order.order_no}"}
        notice = Notice.objects.create(order=order, milestone="recovered", round=9, **who, **times)
        Delivery.objects.create(
            notice=notice, channel="sms_aliyun", reference=secrets.token_hex(8), said=f"{phone} 停机"
        )
        Addressee.objects.get_or_create(recipient=recipient)
        at = clock.now()
        entry = Entry(new_id(at), Kind.EXCHANGE, at, "r", "sms_aliyun", "recovered", "sent", who=recipient)
        stores.current().insert([entry])
    consent = Consent.objects.create(openid=openid, template_id="t", balance=1)
    ConsentEntry.objects.create(consent=consent, key=f"{openid}:1", change=1, cause="asked")
    OptOut.objects.create(customer=buyer, topic="sms")
    Unionid.objects.create(customer=buyer, unionid=f"union-{openid}")
    OfficialFollower.objects.create(unionid=f"union-{openid}", openid=f"official-{openid}")
    OutboxMessage.objects.create(topic="notifications.learn_follower", payload={"openid": f"official-{openid}"})
    SmsCode.objects.create(phone_index=index, digest="x", expires_at=clock.now())
    sessions.start(buyer)


@pytest.fixture
def others() -> set[tuple[str, object]]:
    """Somebody else, who lives the same life; return which rows that made."""
    live("o-other-openid", "13777770000", "司马相如", "成都临邛县琴台路一号")
    return set(rows())


@pytest.fixture
def theirs(others) -> Order:
    return live(OPENID, PHONE, NAME, STREET)


def rows() -> Rows:
    """Return every row of every table of ours."""
    found: Rows = {}
    for model in (model for label in OURS for model in apps.get_app_config(label).get_models()):
        for row in model._default_manager.values():
            found[model._meta.db_table, row[model._meta.pk.attname]] = row
    return found


def opened() -> list[tuple[str, str]]:
    """Return what is sealed, open: whoever has the keys must not find them either."""
    found = []
    for table in TABLES:
        for row in table.model._default_manager.all():
            for name in table.sealed:
                if value := getattr(row, name):
                    found.append((f"{table.model.__name__}.{name}", _open(row, value)))
    return found


def _open(row, value: str) -> str:
    if isinstance(row, ProviderMessage):
        return crypto.open_sealed(value, purpose=messages.purpose_of(row.digest)).encode("latin-1").decode()
    if isinstance(row, SmsPush):
        return crypto.open_sealed(value, purpose=pushes.purpose_of(row.digest))
    if isinstance(row, WechatEvent):
        return crypto.open_sealed(value, purpose=events.purpose_of(row.key))
    if isinstance(row, Order):
        return crypto.open_sealed(value, purpose=f"consignee:{row.order_no}")
    return row.open_phone() if isinstance(row, Customer) else ""


def traces(indexes: list[str]) -> list[tuple[str, str]]:
    """Return where the person still stands: by name, phone, address, openid, or by a blind index of the phone."""
    hits = []
    for (table, _), row in rows().items():
        for column, value in row.items():
            text = json.dumps(value, ensure_ascii=False, default=str)
            if canary.found_in(text) or OPENID in text or any(index in text for index in indexes):
                hits.append((table, column))
    return [*hits, *((place, "sealed") for place, text in opened() if canary.found_in(text) or OPENID in text)]


def erase(**options: object) -> None:
    call_command("erase_person", *WHY, **options)


@pytest.mark.parametrize("by", [{"phone": f"+86 {SPACED}"}, {"openid": OPENID}])
def test_nothing_that_names_them_is_left_and_nobody_else_is_touched(others, theirs, by, capsys):
    indexes = crypto.blind_indexes(PHONE, purpose="phone")
    assert len({table for table, _ in traces(indexes)}) >= 18
    before = rows()
    erase(**by)
    assert traces(indexes) == []
    after = rows()
    assert [key for key in others if after.get(key) != before[key]] == []
    assert "已清除：" in capsys.readouterr().out


def test_the_order_its_history_and_the_money_stay(theirs):
    facts = ("status", "total_fen", "placed_at", "paid_at", "shipped_at", "transaction_id", "city", "lines_summary")
    before = Order.objects.values(*facts).get(pk=theirs.pk)
    history = list(OrderEvent.objects.filter(order=theirs).values("kind", "to_status", "occurred_at", "amount_fen"))
    scans = TrackingEvent.objects.filter(shipment__orders=theirs).count()
    erase(phone=PHONE)
    assert Order.objects.values(*facts).get(pk=theirs.pk) == before
    now = OrderEvent.objects.filter(order=theirs).values("kind", "to_status", "occurred_at", "amount_fen")
    assert list(now) == history
    assert TrackingEvent.objects.filter(shipment__orders=theirs).count() == scans
    assert TrackingEvent.objects.filter(shipment__orders=theirs, text=f"已签收，签收人 {GONE} {GONE}").exists()
    theirs.refresh_from_db()
    assert theirs.consignee_sealed == theirs.phone_index == theirs.name_index == theirs.tail_index == ""


def test_their_sessions_end_and_their_orders_are_no_more_theirs_to_see(theirs):
    erase(openid=OPENID)
    customer = Customer.objects.get(pk=theirs.customer_id)
    assert (customer.openid, customer.phone_index, customer.phone_sealed) == (None, None, "")
    assert not BuyerSession.objects.filter(customer=customer, revoked_at=None).exists()
    assert not OrderAccess.objects.filter(customer=customer).exists()
    assert Customer.objects.get_or_create(openid=OPENID)[1]


def test_the_audit_proves_it_without_naming_them(theirs):
    who = person.find(phone=PHONE)
    erase(phone=PHONE)
    done = AuditEntry.objects.get(action="person.erased")
    assert (done.subject, done.reason) == (who.subject, WHY[1])
    assert done.details["orders"] == done.details["customers"] == 1
    assert done.details["notices"] >= 2
    assert AuditEntry.objects.filter(action="order.erased", subject=theirs.order_no).exists()


@pytest.mark.parametrize("status", erasure.OPEN)
def test_an_order_under_way_keeps_them(theirs, status):
    Order.objects.filter(pk=theirs.pk).update(status=status)
    before = rows()
    with pytest.raises(CommandError, match=f"还有没有完成的订单：{theirs.order_no}"):
        erase(phone=PHONE)
    assert rows() == before


def test_money_that_wechat_waits_to_hear_of_keeps_them(theirs):
    ShippingReport.objects.filter(order=theirs).update(state="waiting")
    with pytest.raises(CommandError, match="货款结算之后再清除"):
        erase(phone=PHONE)


def test_a_look_beforehand_changes_nothing(theirs, capsys):
    before = rows()
    erase(phone=PHONE, dry_run=True)
    assert rows() == before
    assert "将清除：买家 1，订单收件人 1" in capsys.readouterr().out


def test_a_repetition_finds_nothing_more(theirs, capsys):
    erase(phone=PHONE)
    capsys.readouterr()
    erase(phone=PHONE)
    assert "没有找到这个人的资料" in capsys.readouterr().out


STEPS = ("_samples", "_sealed_bodies", "_order", "_told", "_gone", "_the_person")


@pytest.mark.parametrize("step", STEPS)
def test_broken_off_anywhere_it_goes_on_when_repeated(others, theirs, step, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(erasure, step, killed)
        with pytest.raises(Killed):
            erase(phone=PHONE)
    erase(phone=PHONE)
    assert traces(crypto.blind_indexes(PHONE, purpose="phone")) == []


def test_who_receives_a_present_stays_and_whoever_gave_it_goes():
    giver = make_customer(OPENID, PHONE)
    order = make_order("paid", name="卓文君", phone="13777770000", address="成都琴台路", buyer_openid=OPENID)
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.DELIVERED)
    erase(openid=OPENID)
    order.refresh_from_db()
    assert order.open_consignee().name == "卓文君"
    assert order.customer_id == giver.pk
    assert not OrderAccess.objects.filter(order=order).exists()


def test_who_received_a_present_goes_and_whoever_gave_it_still_sees_the_order():
    giver = make_customer("o-giver", "13777770000")
    order = make_order("paid", name=NAME, phone=PHONE, address=STREET, buyer_openid="o-giver")
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.DELIVERED)
    erase(phone=PHONE)
    order.refresh_from_db()
    assert order.consignee_sealed == ""
    assert OrderAccess.objects.filter(order=order, customer=giver).exists()
    giver.refresh_from_db()
    assert giver.openid == "o-giver"


def test_the_shop_cannot_bring_an_erased_consignee_back(theirs):
    erase(phone=PHONE)
    sent = order_payload(order_no=theirs.order_no, name=NAME, phone=PHONE, buyer_openid=OPENID)
    with pytest.raises(Problem, match="已结束"), transaction.atomic():
        services.take_order(parse_order(sent), SHOP)
    assert traces(crypto.blind_indexes(PHONE, purpose="phone")) == []


def test_what_a_file_brought_in_about_their_order_goes_with_the_file(theirs):
    for order_no in (theirs.order_no, "SOMEBODY-ELSES"):
        batch = Batch.objects.create(kind="import_orders", title="导入", owner_name="staff:1")
        BatchRow.objects.create(batch=batch, number=1, about=order_no, given_sealed="sealed", before_sealed="sealed")
        files.keep(batch, BatchFile.Kind.UPLOAD, "a.csv", "text/csv", io.BytesIO(b"x"))
    erase(phone=PHONE)
    assert BatchFile.objects.get().batch.rows.get().about == "SOMEBODY-ELSES"
    assert BatchRow.objects.get(about=theirs.order_no).given_sealed == ""


ERASED = {
    "Customer", "Order", "OrderAccess", "OrderEvent", "OrderNote", "Alert", "AlertNote", "BuyerSession", "Shipment",
    "Subscription", "TrackingEvent", "ProviderMessage", "UnknownCode", "UnreadText", "Notice", "Addressee", "Delivery",
    "OptOut", "ShippingReport", "SmsCode", "SmsPush", "Consent", "ConsentEntry", "OfficialFollower", "Unionid",
    "WechatEvent", "LogEntry", "OutboxMessage", "ArchivedOrder", "ArchivedWaybill", "LegalHold",
    "BatchRow", "BatchFile", "BatchFilePiece", "RecentSearch",
}  # fmt: skip
HARMLESS = {
    "of the program itself": "ArchiveMonth Restoration JobRun CalendarDay ShopCalendar Nonce Lease Heartbeat AuditSeal",
    "of the shop": "MerchantKey ProductCategory Product ArchivedProduct OrderLine ShipmentOrder ShipmentLine "
    "StaffContact WebhookEndpoint",
    "of carriers, channels and their use": "Carrier ProviderCall ProviderState ProviderRefusal ProviderUsage "
    "ProviderNews TransitModel ChannelState MessageTemplate SettlementFigure WechatCompany SmsBudget",
    "of staff alone": "Authenticator RecoveryCode StaffSession SignInAttempts SavedView ListColumns Batch",
    "counts of many": "Figure FigureDay FigureMark",
    "a driver's, ended with the parcel": "DriverLink",
    "holds ids, statuses and instants, and nothing of a person": "WebhookMessage",
    "masked, and gone after 7 days": "IdempotencyKey",
    "the proof itself, sealed in a chain; no names by rule": "AuditEntry AuditSubject",
}


def test_of_every_table_it_is_known_what_becomes_of_a_person_in_it():
    models = {model.__name__ for label in OURS for model in apps.get_app_config(label).get_models()}
    harmless = {name for names in HARMLESS.values() for name in names.split()}
    assert models - ERASED - harmless == set(), "add it to subjects.erasure and here, or say here why it is harmless"
    assert (ERASED | harmless) - models == set()


# --- what is held ---------------------------------------------------------------------------------


def test_all_that_is_held_is_given_in_a_file_for_its_owner_alone(others, theirs, tmp_path, capsys, monkeypatch):
    path = tmp_path / "person.json"
    monkeypatch.setattr(held, "PAGE", 1)
    call_command("person_data", *WHY, phone=PHONE, output=path)
    given = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (order,) = given["orders"]
    assert order["consignee"]["name"] == NAME
    assert order["order_no"] == theirs.order_no
    assert given["buyers"][0]["phone"] == PHONE
    assert {one["topic"] for one in given["buyers"][0]["opt_outs"]} == {"sms"}
    assert given["consents"]
    assert given["messages"]
    assert [one["what"] for one in given["logs"]] == ["recovered", "recovered"]
    assert "司马相如" not in path.read_text()
    assert AuditEntry.objects.get(action="person.read").reason == WHY[1]
    assert not canary.found_in(capsys.readouterr().out)


def test_a_consignee_who_is_somebody_else_is_given_masked(tmp_path):
    make_customer(OPENID, PHONE)
    make_order("paid", name="卓文君", phone="13777770000", address="成都琴台路", buyer_openid=OPENID)
    call_command("person_data", *WHY, openid=OPENID, output=tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["orders"][0]["consignee"]["name"] == "卓*"


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("mine")
    with pytest.raises(CommandError, match="无法写入"):
        call_command("person_data", *WHY, phone=PHONE, output=path)
    assert path.read_text() == "mine"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("command", ["person_data", "erase_person"])
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [({}, "请给出手机号"), ({"phone": "123"}, "电话号码无法识别"), ({"phone": PHONE, "reason": " "}, "请写明依据")],
    ids=["nobody", "no phone", "no reason"],
)
def test_nonsense_is_refused_with_a_sentence(command, asked, sentence, tmp_path):
    more = {"output": Path(tmp_path / "x")} if command == "person_data" else {}
    with pytest.raises(CommandError, match=sentence):
        call_command(command, **({"reason": "x"} | asked | more))
    assert not list(tmp_path.iterdir())


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [PHONE, SPACED, "198-7650-3917", "(198) 7650.3917", f"+86{PHONE}", f"a{OPENID}b"])
def test_words_are_found_however_they_are_written(text):
    assert GONE in Words([PHONE], [OPENID])(text)


@pytest.mark.parametrize("word", [NAME, STREET])
def test_words_are_found_in_messages_as_they_came(word):
    order = make_order(name=NAME, phone=PHONE, address=STREET)
    words = Words([], [], [order])
    for form in canary.forms(word):
        if b"%" in form or b"\\u" in form:
            assert words.in_any_form(f"x={form.decode()}&y") == f"x={GONE}&y"


def test_a_longer_number_is_another_one():
    assert Words([PHONE], [])(f"1{PHONE}0") == f"1{PHONE}0"
