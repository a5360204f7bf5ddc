"""A consignee goes through everything that the program does, and nothing of them is left in plain text anywhere."""

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client
from django.utils.module_loading import autodiscover_modules

from frozenshop.api.tests.client import log_in, shop
from frozenshop.backoffice.tests.pages import BATCH, ORDERS, act, page
from frozenshop.kernel import audit, clock, metrics, outbox
from frozenshop.kernel import logging as json_logging
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox.relay import Relay
from logistics import document
from logistics.models import ProviderMessage, TrackingEvent
from logistics.tests.factories import make_carrier
from logistics.tests.test_kdniao import parcel, push_of, trace
from notifications.wechat import client as wechat
from orders.importing import COLUMNS
from orders.models import Alert, Customer, Order
from orders.tests.factories import make_customer, order_payload
from orders.tests.test_importing import ROW, as_csv, as_xlsx
from tests import canary
from tests.canary import DASHED, LATIN, NAME, PHONE, SPACED, STREET

CONSIGNEE = {"name": NAME, "phone": PHONE, "address": STREET}
QUOTES = (
    f"快件已送达，签收人：{NAME}，电话 {PHONE}",
    f"派送至{STREET}，收件人{NAME}({SPACED})，派件员 李师傅 13700001111",
    f"{NAME} {DASHED} 本人签收",
)


# --- the finder itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("word", canary.WORDS)
def test_the_finder_knows_every_form_of_a_word(word):
    for form in canary.forms(word):
        assert canary.found_in(b"..." + form + b"...")


@pytest.mark.parametrize("text", [SPACED, DASHED, "198\u30007650\u30003917", "(198) 7650.3917"])
def test_the_finder_knows_a_number_however_it_is_grouped(text):
    assert canary.found_in(text)


def test_the_finder_is_content_with_what_is_masked():
    assert not canary.found_in("欧* 198****3917 上海市浦东新区****")


# --- the journey ----------------------------------------------------------------------------------


@pytest.fixture
def carrier_service(settings) -> Iterator[list[dict]]:
    """A 快递鸟 on this machine that answers what is put before it, quoting the consignee."""
    answers: list[dict] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    settings.KDNIAO_BASE_URL = f"http://127.0.0.1:{server.server_port}"
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


class Journey:
    """What happens to the consignee's orders. `shown` keeps every answer that must be masked."""

    def __init__(self, folder: Path, staff: Client, carrier_service: list[dict]) -> None:
        autodiscover_modules("tasks")  # as the worker does
        self.folder, self.staff, self.carrier_service = folder, staff, carrier_service
        self.shop = shop("orders:write", "orders:read", "shipments:write", "events:write")
        self.trusted = shop("orders:read", "orders:read_unmasked")
        self.customer = make_customer("canary-openid")
        self.placed_at = (clock.now() - dt.timedelta(hours=30)).isoformat()
        self.shown: list[tuple[str, bytes]] = []
        self.broker = folder / "broker"
        self.relay = Relay(self._file_broker())

    def _file_broker(self) -> Celery:
        self.broker.mkdir()
        app = Celery("canary", broker="filesystem://", set_as_current=False)
        app.conf.broker_write_url = "filesystem://"  # the environment goes before the argument
        app.conf.broker_transport_options = {
            "data_folder_in": str(self.broker),
            "data_folder_out": str(self.broker),
            "control_folder": str(self.folder / "control"),
        }
        return app

    def see(self, what: str, response: HttpResponse, status: int = 200) -> HttpResponse:
        assert response.status_code == status, (what, response.status_code, response.content[:500])
        # A search box says again what was typed into it, and how it was taken, to who typed it.
        echo = rb'name="q" value="[^"]*"|[?&;]q=[^"&]*|_changelist_filters=[^"&]*|<p class="understood">[^<]*</p>'
        body = re.sub(echo, b"", response.getvalue())
        self.shown.append((what, body))
        return response

    def order(self, order_no: str, **changes: object) -> dict:
        bought = {"placed_at": self.placed_at, "paid_at": self.placed_at, "buyer_openid": "canary-openid"}
        return order_payload(order_no=order_no, **{**bought, **CONSIGNEE, **changes})

    def scans(self, waybill_no: str, *texts: str) -> dict:
        local = [clock.shanghai(clock.now() - dt.timedelta(minutes=40 - n)) for n in range(len(texts))]
        told = zip(local, texts, strict=True)
        traces = [trace(f"{at:%Y-%m-%d %H:%M:%S}", text, "2") | {"Location": STREET} for at, text in told]
        return parcel(*traces, LogisticCode=waybill_no, State="2", EBusinessID="1237100")

    def push(self, waybill_no: str, *texts: str) -> HttpResponse:
        body = push_of(self.scans(waybill_no, *texts))
        form = "application/x-www-form-urlencoded"
        return Client().post("/callbacks/kdniao", body, content_type=form)

    def work(self) -> None:
        """Publish what is due, and do it, until nothing is left to do now."""
        for _ in range(5):
            self.relay.run_once()
            due = OutboxMessage.objects.filter(status__in=["pending", "sent"], due_at__lte=clock.now())
            for pk in due.order_by("pk").values_list("pk", flat=True):
                outbox.deliver(pk)

    # --- chapters ---------------------------------------------------------------------------------

    def is_ordered_and_shipped(self) -> None:
        send = self.shop.post
        self.see("ordered", send("/merchant/orders", self.order("CAN-1"), idempotency_key="canary-key-1"), 201)
        self.see("again", send("/merchant/orders", self.order("CAN-1"), idempotency_key="canary-key-1"), 201)
        self.see("list", send("/merchant/orders", [self.order("CAN-2"), self.order("CAN-3", name=LATIN)]))
        at = (clock.now() - dt.timedelta(hours=1)).isoformat()
        box = {"carrier_code": "SF", "waybill_no": "SF7000000000001", "shipped_at": at}
        self.see("shipped", send("/merchant/orders/CAN-1/shipments", box), 201)
        late = self.order("CAN-1", phone="13912345678", updated_at=clock.now().isoformat())
        self.see("changed after shipping", send("/merchant/orders", late), 409)

    def is_quoted_by_the_carrier(self) -> None:
        self.carrier_service[:] = [self.scans("SF7000000000001", *QUOTES) | {"Success": True}]
        self.work()
        self.see("push", self.push("SF7000000000001", *QUOTES))
        self.see("held push", self.push("SF7000000000002", *QUOTES))
        self.work()
        self.see("held push of another", self.push("SF7000000000003", f"{LATIN} 代收"))
        for number in (2, 3):
            box = {"carrier_code": "SF", "waybill_no": f"SF700000000000{number}", "shipped_at": clock.now().isoformat()}
            self.see("shipped late", self.shop.post(f"/merchant/orders/CAN-{number}/shipments", box), 201)
        self.work()
        strange = self.scans("SF7000000000002", f"不明 {NAME} {PHONE}")
        strange["Traces"][0]["Action"] = "98765"
        body = push_of(strange)
        self.see("unknown code", Client().post("/callbacks/kdniao", body, content_type="application/octet-stream"))
        self.work()

    def is_imported(self) -> None:
        person = {"consignee_name": NAME, "consignee_phone": SPACED, "address": STREET, "carrier_code": "SF"}
        paid = {"paid_at": "2026-01-05 09:00", "shipped_at": "2026-01-06"}
        for number, (name, make) in enumerate({"a.csv": as_csv, "b.xlsx": as_xlsx, "bad.csv": as_csv}.items()):
            row = ROW | person | paid | {"order_no": f"CAN-1{number}", "waybill_no": f"SF700000000001{number}"}
            if name == "bad.csv":
                row |= {"consignee_phone": f"{PHONE}9", "quantity": NAME, "placed_at": STREET}
            table = make([list(COLUMNS), [row[column] for column in COLUMNS]])
            (self.folder / name).write_bytes(table if isinstance(table, bytes) else table.encode("gb18030"))
            printed = StringIO()
            try:
                call_command("import_orders", self.folder / name, stdout=printed)
            except CommandError as error:
                assert name == "bad.csv"
                printed.write(str(error))
            self.shown.append((f"import of {name}", printed.getvalue().encode()))
            (self.folder / name).unlink()
        self.work()

    def is_looked_for_by_staff(self) -> None:
        for typed in (PHONE, SPACED, NAME, LATIN, f"{PHONE[-4:]} {NAME}", PHONE[-4:], "CAN-1"):
            found = self.see(f"search {typed}", self.staff.get(ORDERS, {"q": typed}))
            assert list(found.context["cl"].result_list), typed
        order = Order.objects.get(order_no="CAN-1")
        self.see("order page", self.staff.get(page(order)))
        rows = Order.objects.filter(order_no__startswith="CAN-")
        numbers = {"numbers": " ".join(order.order_no for order in rows), "order": [order.pk for order in rows]}
        self.see("batch", self.staff.post(BATCH, numbers))
        export = self.staff.post(BATCH, numbers | {"action": "export"})
        self.work()
        self.see("export", self.staff.get(export.url))
        self.see("export's file", self.staff.get(export.url.replace("change/", "file/")))
        assert NAME in act(self.staff, order, "unmask", reason="客户来电核对").content.decode()
        self.see("order page afterwards", self.staff.get(page(order)))
        act(self.staff, order, "sync")
        for model in ("shipment", "providermessage", "providercall", "unknowncode"):
            self.see(model, self.staff.get(f"/admin/logistics/{model}/"))
        for url in ("/admin/", "/admin/orders/alert/", "/admin/kernel/auditentry/", "/admin/kernel/outboxmessage/"):
            self.see(url, self.staff.get(url))

    def is_read_by_the_buyer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wechat, "phone_number", lambda code, openid=None: PHONE)
        buyer = log_in(self.customer)
        self.see("phone", buyer.post("/api/auth/phone", {"code": "code"}))
        for _ in ("cold", "warm"):
            self.see("document", buyer.get("/api/orders/CAN-1"))
        for url in ("/api/orders", "/api/orders/counts", "/api/orders?q=CAN-1", f"/api/orders?q={PHONE}"):
            self.see(url, buyer.get(url))
        self.see("statuses", buyer.post("/api/orders/statuses", {"order_nos": ["CAN-1"]}))
        self.see("refresh", buyer.post("/api/orders/CAN-1/refresh"))
        self.see("confirm", buyer.post("/api/orders/CAN-1/confirm"))
        self.see("for the shop", self.shop.get("/merchant/orders/CAN-1"))
        assert self.trusted.get("/merchant/orders/CAN-1").json()["consignee"]["phone"] == PHONE
        self.see("shop's webhook fact", self.fact("CAN-1"))

    def fact(self, order_no: str) -> HttpResponse:
        fact = {"type": "refunded", "occurred_at": clock.now().isoformat(), "reference": "r-1", "amount_fen": 1}
        return self.shop.post(f"/merchant/orders/{order_no}/events", fact)

    def meets_errors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = Client(raise_request_exception=False)
        for path in (f"/nothing/{PHONE}", f"/api/orders/{NAME}", f"/api/nothing/{PHONE}", f"/callbacks/kdniao/{PHONE}"):
            self.see(path, client.get(path), 401 if "orders" in path else 404)
        self.see("nowhere", client.get(f"/nothing/{NAME}"), 404)
        self.see("staff's nonsense", self.staff.get(f"{ORDERS}{PHONE}/change/"), 404)
        broken = self.shop.send("POST", "/merchant/orders", f'{{"name": "{NAME}", "phone": "{PHONE}'.encode())
        self.see("no JSON", broken, 400)
        self.see("bad phone", self.shop.post("/merchant/orders", self.order("CAN-9", phone=f"{PHONE}7")), 400)
        forged = push_of(self.scans("SF7000000000001", *QUOTES)).replace(b"DataSign=", b"DataSign=x")
        self.see("forged", client.post("/callbacks/kdniao", forged, content_type="text/plain"), 401)
        self._provider_refuses()
        self._program_fails(monkeypatch)

    def _provider_refuses(self) -> None:
        reason = f"手机尾号不能为空：{PHONE}"
        self.carrier_service[:] = [{"EBusinessID": "1237100", "Success": False, "Reason": reason}]
        order = self.order("CAN-4")
        self.see("fourth", self.shop.post("/merchant/orders", order), 201)
        box = {"carrier_code": "SF", "waybill_no": "SF7000000000004", "shipped_at": clock.now().isoformat()}
        self.see("fourth shipped", self.shop.post("/merchant/orders/CAN-4/shipments", box), 201)
        self.work()

    def _program_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise RuntimeError(f"cannot build for {PHONE}")

        with monkeypatch.context() as patched:
            patched.setattr(document, "build", fail)
            self.see("500", self.shop.get("/merchant/orders/CAN-2"), 500)
            patched.setattr("logistics.messages.apply_message", fail)
            self.see("push that fails later", self.push("SF7000000000001", *QUOTES, "又一条"))
            self.work()

    def is_asked_about_by_operators(self) -> None:
        printed = StringIO()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("frozenshop.kernel.management.commands.doctor.broker_findings", list)
            try:
                call_command("doctor", stdout=printed)
            except SystemExit:
                printed.write("exit")
        audit.seal_pending()
        self.shown += [("doctor", printed.getvalue().encode()), ("metrics", metrics.render())]
        self.see("readyz", Client().get("/readyz"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(180)
def test_nothing_of_a_consignee_is_left_in_plain_text(tmp_path, own_stores, login, carrier_service, monkeypatch):
    make_carrier("SF")
    with canary.Log() as log:
        journey = Journey(tmp_path, login("主管"), carrier_service)
        journey.is_ordered_and_shipped()
        journey.is_quoted_by_the_carrier()
        journey.is_imported()
        journey.is_looked_for_by_staff()
        journey.is_read_by_the_buyer(monkeypatch)
        journey.meets_errors(monkeypatch)
        journey.is_asked_about_by_operators()
    _all_of_it_happened(journey, log)
    places = [
        *canary.database(), *canary.cached(own_stores), *canary.files(journey.broker), *journey.shown,
        *(("log", line) for line in log.lines),
    ]  # fmt: skip
    hits = [(place, hit) for place, data in places for hit in canary.found_in(data)]
    assert not hits, "\n".join(f"{place}: {hit}" for place, hit in hits[:30])
    _labels_are_words(dict(journey.shown)["metrics"].decode())


def _all_of_it_happened(journey: Journey, log: canary.Log) -> None:
    """Nothing found where nothing was would prove nothing."""
    orders = {order.order_no: order for order in Order.objects.all()}
    assert set(orders) == {"CAN-1", "CAN-2", "CAN-3", "CAN-4", "CAN-10", "CAN-11"}
    assert {orders[no].open_consignee().phone for no in orders} == {PHONE}
    texts = set(TrackingEvent.objects.values_list("text", flat=True))
    assert any("欧*" in text and "198****3917" in text for text in texts)
    assert any("13700001111" in text for text in texts)  # the courier's number stays
    assert set(ProviderMessage.objects.values_list("kind", "outcome")) >= {("push", "applied"), ("push", "received")}
    assert Customer.objects.get(openid="canary-openid").open_phone() == PHONE
    assert Alert.objects.exists()
    assert OutboxMessage.objects.exclude(last_error="").exists()
    assert list(canary.files(journey.broker))
    assert {"http.call", "outbox.failed"} <= {json.loads(line).get("event") for line in log.lines}
    assert list(canary.cached([])) or settings.REDIS_URL


def _labels_are_words(page: str) -> None:
    """Each series is one of a bounded set: no label grows with orders, people, parcels or addresses."""
    series = [line for line in page.splitlines() if line.startswith("frozenshop_")]
    # The process may have run any other test before: every route, task and channel in turn.
    assert 200 < len(series) < 15000
    labels = {label for line in series for label in re.findall(r'(\w+)="([^"]*)"', line) if label[0] != "le"}
    odd = {value for _, value in labels if not value.isascii() or re.search(r"[0-9]{5}|CAN-|SF7", value)}
    assert odd == set()


def test_no_setting_lets_templates_log_their_contexts():
    loggers = json_logging.configure("DEBUG")["loggers"]
    assert "django.template" not in loggers
    assert loggers["django"]["level"] == "INFO"
