"""What reading costs at one size: lists, documents and searches, each beside the bare SQL of the same rows.

Runs in the environment of one database (`benchmarks.database`), prints JSON lines; `benchmarks.run` compares sizes.
"""

import gc
import io
import json
import statistics
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.renderers import JSONRenderer  # noqa: E402

from benchmarks.client import Buyer  # noqa: E402
from benchmarks.wrk import show  # noqa: E402
from frozenshop.api import sessions  # noqa: E402
from frozenshop.backoffice.demo import credentials  # noqa: E402
from frozenshop.kernel import crypto  # noqa: E402
from frozenshop.wsgi import application  # noqa: E402
from logistics import document  # noqa: E402
from logistics.models import Carrier, Shipment, TrackingEvent  # noqa: E402
from logistics.search import search_orders  # noqa: E402
from orders.models import Customer, Order, OrderAccess, OrderEvent, OrderLine  # noqa: E402

PAGE = 20
ROUNDS = 40


def medians_us(*acts: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Return the median of each, taken in turns, so that what else the machine does meets them alike."""
    times: list[list[float]] = [[] for _ in acts]
    for act in acts:
        act()
    gc.disable()
    for _ in range(rounds):
        for act, taken in zip(acts, times, strict=True):
            started = time.perf_counter()
            act()
            taken.append(time.perf_counter() - started)
    gc.enable()
    return [round(statistics.median(taken) * 1e6, 1) for taken in times]


def queries(act: Callable[[], object]) -> int:
    act()
    with CaptureQueriesContext(connection) as caught:
        act()
    return len(caught)


class Api:
    """The demo buyer over WSGI in this process: all of the program, without a server. One session per 150 requests."""

    def __init__(self) -> None:
        self.customer = Customer.objects.get(openid=credentials.known()["buyer"]["openid"])
        self.used = 0
        self._login()

    def _login(self) -> None:
        login = sessions.start(self.customer)
        self.buyer = Buyer(login.token, login.sign_secret)

    def get(self, target: str) -> dict[str, Any]:
        self.used += 1
        if self.used % 150 == 0:
            self._login()
        url = urlsplit(target)
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": "http",
            **{"HTTP_" + k.upper().replace("-", "_"): v for k, v in self.buyer.headers("GET", target).items()},
        }
        status: list[str] = []
        body = b"".join(application(environ, lambda line, headers: status.append(line)))  # type: ignore[arg-type]
        if not status[0].startswith("200"):
            raise SystemExit(f"{target}: {status[0]} {body[:300]!r}")
        return dict(json.loads(body))


def raw(sql: str, parameters: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


ORDER_COLUMNS = ", ".join(f"o.{field.column}" for field in Order._meta.concrete_fields)
LIST_SQL = f"""SELECT {ORDER_COLUMNS} FROM orders_orderaccess a JOIN orders_order o ON o.id = a.order_id
WHERE a.customer_id = %s AND (a.placed_at < %s OR (a.placed_at = %s AND a.order_id < %s))
ORDER BY a.placed_at DESC, a.order_id DESC LIMIT {PAGE + 1}"""
PARCELS_SQL = """SELECT s.*, c.code, c.name FROM logistics_shipmentorder l
JOIN logistics_shipment s ON s.id = l.shipment_id
JOIN logistics_carrier c ON c.id = s.carrier_id WHERE l.order_id IN %s AND s.voided_at IS NULL"""


def lists(api: Api) -> None:
    cursors = [""]
    for _ in range(1000):
        if not (following := api.get(f"/api/orders?limit={PAGE}&cursor={cursors[-1]}")["next"]):
            break
        cursors.append(following)
    cursors = cursors[:-1] or cursors  # the last page may not be a full one
    last = OrderAccess.objects.filter(customer=api.customer).order_by("-placed_at", "-order_id")[
        (len(cursors) - 1) * PAGE
    ]
    newest = [api.customer.pk, "2100-01-01", "2100-01-01", 0]
    at = [api.customer.pk, last.placed_at, last.placed_at, last.order_id + 1]
    for title, cursor, place in (("first page", "", newest), (f"page {len(cursors)}", cursors[-1], at)):
        target = f"/api/orders?limit={PAGE}&cursor={cursor}"

        def bare(place: list[Any] = place) -> None:
            ids = [row[0] for row in raw(LIST_SQL, place)]
            raw(PARCELS_SQL, [tuple(ids)])

        ours, theirs = medians_us(lambda target=target: api.get(target), bare)
        show(
            f"list: {title.split()[0]}",
            page=len(cursors) if cursor else 1,
            ours_us=ours,
            bare_us=theirs,
            queries=queries(lambda target=target: api.get(target)),
        )


class LineSerializer(serializers.ModelSerializer[OrderLine]):
    class Meta:
        model = OrderLine
        fields = ("sku", "name", "quantity", "unit_price_fen", "temperature_class")


class EventSerializer(serializers.ModelSerializer[OrderEvent]):
    class Meta:
        model = OrderEvent
        fields = ("from_status", "to_status", "occurred_at", "recorded_at", "source")


class CarrierSerializer(serializers.ModelSerializer[Carrier]):
    class Meta:
        model = Carrier
        fields = ("code", "name", "phone")


class ScanSerializer(serializers.ModelSerializer[TrackingEvent]):
    class Meta:
        model = TrackingEvent
        fields = ("occurred_at", "status", "text", "location")


class ParcelSerializer(serializers.ModelSerializer[Shipment]):
    carrier = CarrierSerializer()
    events = ScanSerializer(many=True)
    status_label = serializers.CharField(source="get_status_display")
    eta = serializers.SerializerMethodField()
    stale = serializers.SerializerMethodField()

    class Meta:
        model = Shipment
        fields = (
            *("carrier", "waybill_no", "status", "status_label", "location"),
            *("eta", "last_event_at", "stale", "checked_at", "events"),
        )

    def get_eta(self, shipment: Shipment) -> dict[str, Any] | None:
        if shipment.eta_latest is None:
            return None
        return {
            "earliest": timezone.localtime(shipment.eta_earliest),
            "latest": timezone.localtime(shipment.eta_latest),
            "confidence": shipment.eta_confidence,
            "basis": shipment.eta_basis,
        }

    def get_stale(self, shipment: Shipment) -> bool:
        return shipment.stale_since is not None


class OrderSerializer(serializers.ModelSerializer[Order]):
    consignee = serializers.SerializerMethodField()
    lines = LineSerializer(many=True)
    history = EventSerializer(many=True, source="events")
    shipments = ParcelSerializer(many=True)
    alerts = serializers.SerializerMethodField()
    status_label = serializers.CharField(source="get_status_display")
    milestones = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = (
            *("order_no", "status", "status_label", "placed_at", "total_fen", "version", "updated_at"),
            *("consignee", "lines", "milestones", "history", "shipments", "alerts"),
        )

    def get_milestones(self, order: Order) -> list[dict[str, Any]]:
        return [
            {"status": step.value, "label": step.label, "occurred_at": getattr(order, f"{step.value}_at")}
            for step in document.STEPS
        ]

    def get_consignee(self, order: Order) -> dict[str, str]:
        return order.open_consignee().masked()

    def get_alerts(self, order: Order) -> list[dict[str, Any]]:
        return [{"kind": alert.kind, "since": alert.opened_at} for alert in order.alerts.all() if not alert.resolved_at]


def nested(order_no: str) -> bytes:
    rows = Order.objects.prefetch_related("lines", "events", "alerts", "shipments__carrier", "shipments__events")
    return bytes(JSONRenderer().render(OrderSerializer(rows.get(order_no=order_no)).data))


def documents(api: Api) -> None:
    order_no = str(
        OrderAccess.objects.filter(customer=api.customer, order__status="delivered")
        .order_by("-placed_at")
        .values_list("order__order_no", flat=True)[0]
    )
    target = f"/api/orders/{order_no}"
    keys = document.cache_keys(order_no)

    def cold() -> None:
        cache.delete_many(keys)
        api.get(target)

    def built() -> bytes:
        return document.serialise(document.build(Order.objects.get(order_no=order_no)))

    show("document: cold", ours_us=medians_us(cold)[0], queries=queries(cold))
    show("document: warm", ours_us=medians_us(lambda: api.get(target))[0], queries=queries(lambda: api.get(target)))
    shipment = Shipment.objects.get(links__order__order_no=order_no)
    with transaction.atomic():
        for scans in (shipment.event_count, 30):
            add_scans(shipment, scans - shipment.event_count)
            ours, theirs = medians_us(built, lambda: nested(order_no), rounds=100)
            show(
                f"document: built against nested ModelSerializers, {'few' if scans < 30 else 'many'} scans",
                scans=scans,
                ours_us=ours,
                bare_us=theirs,
                ratio=round(theirs / ours, 2),
            )
        transaction.set_rollback(True)


def add_scans(shipment: Shipment, count: int) -> None:
    """Carriers report ten to thirty scans of a real parcel; the demo's have half a dozen."""
    first = shipment.shipped_at
    TrackingEvent.objects.bulk_create(
        TrackingEvent(
            shipment=shipment,
            key=f"bench{number}",
            provider="kdniao",
            status="in_transit",
            code="2",
            occurred_at=first + number * (shipment.status_at - first) / (count + 1),  # type: ignore[operator]
            text=f"【杭州市】快件离开 第 {number} 转运中心，已发往 【上海浦东中心】",
            location="杭州市",
        )
        for number in range(count)
    )


def searches() -> None:
    sample = Order.objects.filter(status="delivered").order_by("-placed_at")[2000:2001].get()
    consignee = sample.open_consignee()
    waybill = sample.shipments.all()[0].waybill_no
    index = dict.fromkeys(("phone", "name"), crypto.blind_index)
    of = f"SELECT {ORDER_COLUMNS} FROM orders_order o WHERE"
    newest = "ORDER BY o.placed_at DESC, o.id DESC LIMIT 51"
    month = f"{sample.placed_at:%Y-%m}"
    tails = [crypto.blind_index(f"{m}|{consignee.phone[-4:]}", purpose="tail") for m in months(12)]
    kinds: dict[str, tuple[str, str, list[Any]]] = {
        "order number": (sample.order_no, f"{of} o.order_no = %s", [sample.order_no]),
        "order number, first 14": (
            sample.order_no[:14],
            f"{of} o.order_no >= %s AND o.order_no < %s {newest}",
            [sample.order_no[:14], sample.order_no[:13] + chr(ord(sample.order_no[13]) + 1)],
        ),
        "waybill": (
            waybill,
            f"SELECT {ORDER_COLUMNS} FROM logistics_shipment s JOIN logistics_shipmentorder l ON l.shipment_id = s.id "
            "JOIN orders_order o ON o.id = l.order_id WHERE s.waybill_no = %s",
            [waybill],
        ),
        "phone": (
            consignee.phone,
            f"{of} o.phone_index = %s {newest}",
            [index["phone"](consignee.phone, purpose="phone")],
        ),
        "name": (consignee.name, f"{of} o.name_index = %s {newest}", [index["name"](consignee.name, purpose="name")]),
        "last four digits": (consignee.phone[-4:], f"{of} o.tail_index IN %s {newest}", [tuple(tails)]),
    }
    staff = Client()
    staff.force_login(get_user_model().objects.get(username=credentials.USERNAME))
    for kind, (text, sql, parameters) in kinds.items():
        page = f"/admin/orders/order/?q={text}"
        if staff.get(page, HTTP_HOST="127.0.0.1").status_code != 200:
            raise SystemExit(f"{page} did not answer")
        found, bare, whole = medians_us(
            lambda text=text: list(search_orders(text).orders[:51]),
            lambda sql=sql, parameters=parameters: raw(sql, parameters),
            lambda page=page: staff.get(page, HTTP_HOST="127.0.0.1"),
            rounds=20,
        )
        show(
            f"search: {kind}",
            rows=len(raw(sql, parameters)),
            search_us=found,
            bare_us=bare,
            page_us=whole,
            ratio=round(whole / (max(whole - found, 0) + bare), 2),
            queries=queries(lambda page=page: staff.get(page, HTTP_HOST="127.0.0.1")),
            month=month,
        )


def months(count: int) -> list[str]:
    from logistics.search import Period

    return list(Period().months())[:count]


api = Api()
lists(api)
documents(api)
searches()
