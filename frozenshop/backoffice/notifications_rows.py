"""How notices are shown: to whom, about what, what became of them and why; never with a phone, name or openid."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import F
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from frozenshop.backoffice.wording import clock, label
from logistics.models import Shipment
from notifications.models import Audience, Delivery, Notice
from notifications.situation import part_of
from orders.models import Order

State, Why, Sent = Notice.State, Notice.Why, Delivery.State
SHOWN = 30
VIEW = "notifications.view_notice"
STATE_TONES: Mapping[str, str] = {State.TOLD: "good", State.WAITING: "cool"}
WHY_TONES: Mapping[str, str] = {
    Why.SUPERSEDED: "quiet",
    Why.OPTED_OUT: "quiet",
    Why.EXPIRED: "quiet",
    Why.CAPPED: "warm",
    Why.BUDGET: "bad",
    Why.NO_CHANNEL: "warm",
    Why.FAILED: "bad",
    Why.UNKNOWN: "bad",
}
SENT_TONES: Mapping[str, str] = {
    Sent.SENDING: "cool",
    Sent.SENT: "good",
    Sent.DELIVERED: "good",
    Sent.FAILED: "bad",
    Sent.UNKNOWN: "warm",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as a row. `person_url` is empty for who is no buyer; `about_url` where nothing can be opened."""

    notice: Notice
    what: str
    whom: str
    person_url: str
    about: str
    about_url: str
    state: SafeString
    deliveries: list[tuple[Delivery, SafeString]]

    @property
    def again(self) -> bool:
        return "resent" in self.notice.facts


Sendings = Mapping[int, list[Delivery]]


def attach(
    notices: Collection[Notice],
    order: Order | None = None,
    waybills: Mapping[int, str] | None = None,
    sent: Sendings | None = None,
) -> list[Told]:
    """Return the rows, in four queries at most. `order`, `waybills`, `sent`: what is known of them already."""
    sent = _sendings(notices) if sent is None else sent
    staff = staff_names(notices)
    waybills = _waybills(notices) if waybills is None else waybills
    wanted = {one.order_id for one in notices if one.order_id}
    orders = {order.pk: order} if order else Order.objects.only("order_no").in_bulk(wanted)
    return [_row(one, staff, waybills, orders.get(one.order_id or 0), sent.get(one.pk, [])) for one in notices]


def of_order(order: Order, waybills: Mapping[int, str] | None = None) -> list[Told]:
    """Return what the buyer and the consignee of an order were told, newest first; `waybills` by id, if known.

    Notices and what was sent of them come as one question's rows: an order's page asks many already.
    """
    told = Notice.objects.filter(order=order, audience__in=(Audience.BUYER, Audience.CONSIGNEE))
    columns = {f"sent_{name}": F(f"deliveries__{name}") for name in _SHOWN_OF_DELIVERY}
    notices: dict[int, Notice] = {}
    sent: dict[int, list[Delivery]] = defaultdict(list)
    for row in told.annotate(**columns).order_by("-created_at", "-id", "deliveries__id")[: 4 * SHOWN]:
        notices.setdefault(row.pk, row)
        values = {name: getattr(row, f"sent_{name}") for name in _SHOWN_OF_DELIVERY}
        if values["id"] is not None:
            sent[row.pk].append(Delivery(notice_id=row.pk, **values))
    return attach(list(notices.values())[:SHOWN], order, waybills, sent)


_SHOWN_OF_DELIVERY = ("id", "channel", "state", "said", "code")


def _sendings(notices: Collection[Notice]) -> dict[int, list[Delivery]]:
    sent: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in Delivery.objects.filter(notice__in=[one.pk for one in notices]).order_by("id"):
        sent[delivery.notice_id].append(delivery)
    return sent


def state_label(notice: Notice) -> SafeString:
    if notice.state == State.NOT_TOLD:
        return label(f"未告知 · {notice.get_why_display()}", WHY_TONES.get(notice.why, "quiet"))
    return label(notice.get_state_display(), STATE_TONES.get(notice.state, "quiet"))


def sent_label(delivery: Delivery) -> SafeString:
    return label(delivery.get_state_display(), SENT_TONES.get(delivery.state, "quiet"))


def person_label(recipient: str) -> str:
    """Return who is a buyer or a consignee in words that show nobody; empty for all others."""
    if number := part_of(recipient, "customer"):
        return f"买家 {number}"
    index = part_of(recipient, "phone")
    return f"收件人（号码 #{index[:6]}）" if index else ""


def whom(notice: Notice, staff: Mapping[int, str]) -> str:
    """Return the recipient in words that show nobody."""
    name = notice.recipient
    if person := person_label(name):
        return person
    if user := part_of(name, "staff"):
        return staff.get(int(user), f"员工 {user}") if user.isdecimal() else user
    if role := part_of(name, "role"):
        return f"{role}群"
    return notice.get_audience_display()


def person_url(recipient: str) -> str:
    known = part_of(recipient, "customer") or part_of(recipient, "phone")
    return reverse("admin:messages_person", args=[recipient]) if known else ""


def staff_names(notices: Iterable[Notice]) -> dict[int, str]:
    found = {part_of(one.recipient, "staff") for one in notices}
    ids = {int(one) for one in found if one.isdecimal()}
    users = get_user_model().objects.in_bulk(ids) if ids else {}
    return {pk: user.get_full_name() or user.get_username() for pk, user in users.items()}


def about_link(row: Told) -> SafeString | str:
    return format_html('<a href="{}">{}</a>', row.about_url, row.about) if row.about_url else row.about


def said(delivery: Delivery) -> str:
    """Return what the channel said, with its code where the words don't hold it."""
    parts = [delivery.said] if delivery.said else []
    if delivery.code and delivery.code not in delivery.said:
        parts.append(f"（{delivery.code}）")
    return "".join(parts)


def waits_for(notice: Notice) -> str:
    """Return for what a notice waits."""
    if notice.state != State.WAITING:
        return ""
    if not notice.channel:
        return "正在发送，或在等渠道回音"
    return f"等待{notice.get_channel_display()}，{clock(notice.due_at)} 起发送"


def _row(
    notice: Notice, staff: Mapping[int, str], waybills: Mapping[int, str], order: Order | None, sent: list[Delivery]
) -> Told:
    parcel, alert = int(part_of(notice.subject, "shipment") or 0), part_of(notice.subject, "alert")
    about, about_url = notice.subject, ""
    if order is not None:
        about, about_url = order.order_no, reverse("admin:orders_order_change", args=[order.pk])
    elif alert:
        about, about_url = f"预警 {alert}", reverse("admin:orders_alert_change", args=[alert])
    elif day := part_of(notice.subject, "day"):
        about = day
    if parcel in waybills:
        about = f"{about} / {waybills[parcel]}" if order is not None else waybills[parcel]
    return Told(
        notice,
        notice.get_milestone_display(),
        whom(notice, staff),
        person_url(notice.recipient),
        about,
        about_url,
        state_label(notice),
        [(delivery, sent_label(delivery)) for delivery in sent],
    )


def _waybills(notices: Iterable[Notice]) -> dict[int, str]:
    found = {part_of(one.subject, "shipment") for one in notices}
    ids = {int(one) for one in found if one.isdecimal()}
    return dict(Shipment.objects.filter(pk__in=ids).values_list("pk", "waybill_no")) if ids else {}
