"""What is held of a person goes; what happened to the orders, and the money, stays.

In steps that each commit, the person's own names last: who breaks it off repeats it, and it goes on with what is left.
"""

from collections import Counter
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from frozenshop.api import sessions
from frozenshop.backoffice.batches.models import BatchFile, BatchRow
from frozenshop.backoffice.finding.models import RecentSearch
from frozenshop.backoffice.subjects import archived
from frozenshop.backoffice.subjects.person import NAMING, Person, archived_of, names_somebody, orders_of, receives
from frozenshop.backoffice.subjects.texts import BATCH, cleaned, staying
from frozenshop.backoffice.subjects.words import Words
from frozenshop.kernel import audit, clock, crypto, logstore
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.crypto import SealBroken
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import OutboxMessage
from logistics import messages
from logistics.archive import places, restoring
from logistics.archive.models import ArchivedOrder
from logistics.models import ProviderMessage, Shipment, Subscription, TrackingEvent, UnknownCode, UnreadText
from notifications.models import (
    Addressee,
    Consent,
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
from orders import holds, versions
from orders.models import Alert, AlertNote, Customer, LegalHold, Order, OrderAccess, OrderEvent, OrderStatus

OPEN = (OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.IN_TRANSIT)
UNTOLD = (ShippingReport.State.WAITING, ShippingReport.State.UPLOADING, ShippingReport.State.UNKNOWN)
NAMED = 5


def refuse_if_needed(person: Person) -> None:
    """Raise NotPossible while an order is under way, or its money is not settled: both need to know who it is for."""
    under_way = _numbers(orders_of(person).filter(status__in=OPEN))
    if under_way:
        raise NotPossible(f"还有没有完成的订单：{under_way}。完成、取消或退款之后再清除")
    if numbers := held_numbers(person):
        raise NotPossible(f"有法律保留，不能清除：{numbers}")
    held = orders_of(person).filter(shipping_report__settled_at=None, shipping_report__state__in=UNTOLD)
    if numbers := _numbers(held):
        raise NotPossible(f"微信还没有收到这些订单的发货信息：{numbers}。货款结算之后再清除")


def held_numbers(person: Person) -> str:
    """Return which of their orders a legal hold covers, or that it covers the person; empty where none does."""
    standing = holds.standing()
    if not standing.phone_indexes.isdisjoint(person.indexes):
        return "此人"
    covered = [rows.filter(order_no__in=standing.order_nos) for rows in (orders_of(person), archived_of(person))]
    return "、".join(filter(None, map(_numbers, covered)))


def _numbers(orders: QuerySet[Any]) -> str:
    found = list(orders.values_list("order_no", flat=True)[: NAMED + 1])
    return "、".join(found[:NAMED]) + (" 等" if len(found) > NAMED else "")


def erase(person: Person, *, actor: Actor, reason: str) -> Counter[str]:
    """Erase, and return how many rows of each kind were changed or deleted; the audit keeps the same numbers.

    Raises NotPossible before anything is done. Raises StoreDown where the logs can't be reached: repeat it later.
    """
    refuse_if_needed(person)
    audit.record(actor, "person.erasing", person.subject, reason=reason)
    counts: Counter[str] = Counter()
    theirs = [order for order in orders_of(person) if receives(person, order)]
    away = [row for row in archived_of(person) if receives(person, row)]
    waybills = [*_waybills(theirs), *archived.waybills(away)]
    every: list[Order | ArchivedOrder] = [*theirs, *away]
    words = Words(person.phones, person.openids, every)
    _samples(words, counts)
    _sealed_bodies(waybills, words, counts)
    numbers = [order.order_no for order in every]
    counts["logs"] += logstore.forget([*waybills, *numbers], person.recipients)
    for order in orders_of(person):
        _order(order.pk, person, actor, counts)
    for row in archived_of(person):
        archived.erase(row.pk, person, actor, counts)
    _told(person, words, counts)
    _batches(numbers, counts)
    _gone(person, counts)
    _the_person(person, actor, reason, counts)
    return counts


def preview(person: Person) -> Counter[str]:
    """Return how many orders would be erased, and how many be without their buyer only. Raises NotPossible."""
    refuse_if_needed(person)
    counts: Counter[str] = Counter(customers=len(person.customers))
    for order in orders_of(person):
        counts["orders" if receives(person, order) else "bought_for_others"] += 1
    for row in archived_of(person):
        counts["archived" if receives(person, row) else "bought_for_others"] += 1
    counts["notices"] = Notice.objects.filter(recipient__in=person.recipients).count()
    return counts


# --- orders ---------------------------------------------------------------------------------------


def _order(pk: int, person: Person, actor: Actor, counts: Counter[str]) -> None:
    """One order in one transaction: its consignee, if that is the person, and every text about it."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=pk)
        restoring.reached(lambda: places.forget([pk]))
        theirs = receives(person, order)
        words = Words(person.phones, person.openids, [order] if theirs else [])
        Order.objects.filter(pk=pk).update(note="" if theirs else words(order.note))
        _texts(order, words, counts)
        gone = OrderAccess.objects.filter(order=order, customer__in=person.customers)
        counts["accesses"] += gone.delete()[0]
        if theirs and names_somebody(order):
            Order.objects.filter(pk=pk).update(**dict.fromkeys(NAMING, ""))
            audit.record(actor, "order.erased", order.order_no)
            counts["orders"] += 1
        versions.bump([pk])


def _texts(order: Order, words: Words, counts: Counter[str]) -> None:
    shipments = list(order.shipments.values_list("pk", flat=True))
    places: list[tuple[QuerySet[Any], tuple[str, ...]]] = [
        (OrderEvent.objects.filter(order=order), ("reason",)),
        (Alert.objects.filter(order=order), ("detail", "resolution")),
        (AlertNote.objects.filter(alert__order=order), ("text",)),
        (Shipment.objects.filter(pk__in=shipments), ("void_reason",)),
        (Subscription.objects.filter(shipment__in=shipments), ("detail",)),
        (TrackingEvent.objects.filter(shipment__in=shipments), ("text", "location")),
    ]
    for rows, columns in [*places, *staying(order.pk, order.order_no)]:
        counts["texts"] += cleaned(rows, columns, words)


# --- what names them elsewhere --------------------------------------------------------------------


def _samples(words: Words, counts: Counter[str]) -> None:
    for model in (UnreadText, UnknownCode):
        for literal in words.literal:
            found = model._default_manager.filter(sample__contains=literal)
            counts["samples"] += cleaned(found, ("sample",), words)


def _sealed_bodies(waybills: list[str], words: Words, counts: Counter[str]) -> None:
    """Messages as they came, which may speak of others too: only the person's own words are taken out."""
    near = ProviderMessage.objects.filter(waybill_no__in=[*waybills, ""])
    for message in near.order_by("pk").iterator(chunk_size=BATCH):
        counts["raw_messages"] += _resealed(message, messages.purpose_of(message.digest), words)
    for push in SmsPush.objects.order_by("pk").iterator(chunk_size=BATCH):
        counts["raw_messages"] += _resealed(push, pushes.purpose_of(push.digest), words)
    for event in WechatEvent.objects.order_by("pk").iterator(chunk_size=BATCH):
        counts["raw_messages"] += _resealed(event, events.purpose_of(event.key), words)


def _resealed(row: Any, purpose: str, words: Words) -> int:
    """Return 1 where the person stood in it. Bodies hold bytes as latin-1; words are looked for as they read."""
    try:
        body = crypto.open_sealed(row.body_sealed, purpose=purpose)
    except SealBroken:
        return 0
    clean = _without(body, words)
    if clean == body:
        return 0
    fresh = crypto.seal(clean, purpose=purpose)
    changed: int = type(row)._default_manager.filter(pk=row.pk, body_sealed=row.body_sealed).update(body_sealed=fresh)
    return changed


def _without(body: str, words: Words) -> str:
    try:
        text = body.encode("latin-1").decode()
    except UnicodeError:
        return words.in_any_form(body)
    return words.in_any_form(text).encode().decode("latin-1")


def _told(person: Person, words: Words, counts: Counter[str]) -> None:
    """Notices stay, told to nobody in particular; what still waits is told no more."""
    waiting = Notice.objects.filter(recipient__in=person.recipients, state=Notice.State.WAITING)
    waiting.update(state=Notice.State.NOT_TOLD, why=Notice.Why.EXPIRED, channel="", settled_at=clock.now())
    for name in person.recipients:
        while ids := list(Notice.objects.filter(recipient=name).values_list("pk", flat=True)[:BATCH]):
            cleaned(Delivery.objects.filter(notice__in=ids), ("said",), words)
            for pk in ids:
                counts["notices"] += Notice.objects.filter(pk=pk).update(recipient=f"erased:{pk}")


def _batches(order_nos: list[str], counts: Counter[str]) -> None:
    """What files brought in about their orders, and the files. What was taken out of here ends by itself in a day."""
    rows = BatchRow.objects.filter(about__in=order_nos)
    uploads = BatchFile.objects.filter(batch__in=rows.values("batch"), kind=BatchFile.Kind.UPLOAD)
    counts["batch_files"] += uploads.count()
    uploads.delete()
    counts["batch_rows"] += rows.exclude(given_sealed="", before_sealed="").update(given_sealed="", before_sealed="")


def _gone(person: Person, counts: Counter[str]) -> None:
    """Rows that exist only because of who they are."""
    about = [one.pk for one in person.customers]
    names = list(person.openids)
    rows: list[tuple[str, QuerySet[Any]]] = [
        ("addressees", Addressee.objects.filter(recipient__in=person.recipients)),
        ("consents", Consent.objects.filter(openid__in=names)),
        ("sms_codes", SmsCode.objects.filter(phone_index__in=person.indexes)),
        ("opt_outs", OptOut.objects.filter(customer__in=about)),
        ("tasks", OutboxMessage.objects.filter(topic="notifications.learn_follower", payload__openid__in=names)),
        ("followers", OfficialFollower.objects.filter(Q(unionid__in=names) | Q(openid__in=names))),
        # Whom a search was for isn't known without opening it: all of them go, a convenience of a month at most.
        ("searches", RecentSearch.objects.all()),
    ]
    for name, found in rows:
        counts[name] += found.delete()[0]


def _the_person(person: Person, actor: Actor, reason: str, counts: Counter[str]) -> None:
    """Last, and with the proof: until then a repetition finds them again."""
    about = [one.pk for one in person.customers]
    with transaction.atomic():
        counts["followers"] += Unionid.objects.filter(customer__in=about).delete()[0]
        counts["accesses"] += OrderAccess.objects.filter(customer__in=about).delete()[0]
        # Released, or we would not be here: the record stays, without whom it was about.
        LegalHold.objects.filter(phone_index__in=person.indexes).update(phone_sealed="", phone_index="")
        counts["customers"] += Customer.objects.filter(pk__in=about).update(
            openid=None, phone_sealed="", phone_index=None, phone_verified_at=None
        )
        audit.record(actor, "person.erased", person.subject, reason=reason, details=dict(counts))
        for customer in person.customers:
            sessions.phone_moved(customer)


def _waybills(orders: list[Order]) -> list[str]:
    found = Shipment.objects.filter(orders__in=[order.pk for order in orders])
    return list(found.values_list("waybill_no", flat=True).distinct())
