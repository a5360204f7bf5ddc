"""All that we hold of a person, as one document that they can be given."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from frozenshop.api.models import BuyerSession
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.subjects import archived
from frozenshop.backoffice.subjects.person import Person, archived_of, orders_of, receives
from frozenshop.kernel import clock, logstore
from frozenshop.kernel.logstore import Entry, Query, StoreDown
from logistics.archive.models import ArchivedOrder
from logistics.models import TrackingEvent
from notifications import opening
from notifications.models import Consent, Notice, OptOut, SmsCode
from orders.models import Alert, Customer, Order, OrderEvent

WEEK, PAGE = dt.timedelta(days=7), 1000


def held(person: Person) -> dict[str, Any]:
    """Return it, ready for JSON. A consignee who is somebody else stays masked."""
    return {
        "made_at": clock.now(),
        "phones": person.phones,
        "wechat": person.openids,
        "buyers": [_buyer(customer) for customer in person.customers],
        "orders": [_order(person, order) for order in orders_of(person).prefetch_related("lines")],
        "archived_orders": [_archived(person, row) for row in archived_of(person)],
        "messages": _rows(
            Notice.objects.filter(recipient__in=person.recipients).order_by("pk"),
            "milestone", "subject", "channel", "state", "occurred_at", "settled_at",
        ),
        "consents": _rows(Consent.objects.filter(openid__in=person.openids), "template_id", "balance", "updated_at"),
        "codes_by_sms": _rows(SmsCode.objects.filter(phone_index__in=person.indexes), "sent_at", "used_at"),
        "logs": _logs(person.recipients),
    }  # fmt: skip


def _buyer(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.pk,
        "openid": customer.openid,
        "phone": opening.phone_of(customer),
        "phone_verified_at": customer.phone_verified_at,
        "since": customer.created_at,
        "sessions": _rows(BuyerSession.objects.filter(customer=customer), "created_at", "expires_at", "revoked_at"),
        "opt_outs": _rows(OptOut.objects.filter(customer=customer), "topic", "created_at"),
    }


_ORDER = (
    "order_no", "status", "placed_at", "paid_at", "shipped_at", "delivered_at", "cancelled_at", "refunded_at",
    "returned_at", "total_fen", "freight_fen", "discount_fen", "transaction_id", "out_trade_no", "note",
)  # fmt: skip


def _order(person: Person, order: Order) -> dict[str, Any]:
    consignee = opening.consignee_of(order)
    shown = None
    if consignee is not None:
        shown = consignee.in_full() if receives(person, order) else consignee.masked()
    return {
        **{name: getattr(order, name) for name in _ORDER},
        "consignee": shown,
        "lines": [{"name": line.name, "quantity": line.quantity} for line in order.lines.all()],
        "history": _rows(OrderEvent.objects.filter(order=order), "kind", "to_status", "occurred_at", "reason"),
        "scans": _rows(
            TrackingEvent.objects.filter(shipment__orders=order).order_by("occurred_at"),
            "occurred_at",
            "text",
            "location",
        ),
        "alerts": _rows(Alert.objects.filter(order=order), "kind", "detail", "opened_at", "resolution"),
        "notes": _rows(OrderNote.objects.filter(order_no=order.order_no), "text", "written_at"),
    }


def _archived(person: Person, row: ArchivedOrder) -> dict[str, Any]:
    notes = OrderNote.objects.filter(order_no=row.order_no)
    return {**archived.held(person, row, _ORDER), "notes": _rows(notes, "text", "written_at")}


def _rows(rows: QuerySet[Any], *names: str) -> list[dict[str, Any]]:
    return list(rows.values(*names))


def _logs(people: Iterable[str]) -> list[dict[str, Any]] | str:
    """The logs are found by their time, not by who: those of a week are looked through, newest first."""
    wanted = set(people)
    try:
        return [{"at": one.at, "what": one.what, "outcome": one.outcome} for one in _week() if one.who in wanted]
    except StoreDown:
        return "日志暂时无法读取"


def _week() -> Iterator[Entry]:
    since, before = clock.now() - WEEK, ""
    while page := logstore.find(Query(since=since, before=before, limit=PAGE)):
        yield from page
        before = page[-1].id
