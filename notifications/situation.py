"""What notices are about, as it stands now, and whether they are still true; read for many at once."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Q

from logistics.models import Shipment, ShipmentOrder
from notifications.models import Audience, Milestone, Notice, OptOut, StaffContact
from notifications.occasions import ARRIVING_WITHIN, OCCASIONS
from orders.models import Alert, AlertSeverity, Customer, Order, OrderStatus, TemperatureClass

M = Milestone
SMS_TOPIC = "sms"
LINK = ("shipment_id", "order_id", "shipment__voided_at")
_OVER = frozenset({OrderStatus.CANCELLED, OrderStatus.REFUNDED})
_COLD = frozenset({TemperatureClass.FROZEN, TemperatureClass.CHILLED})


@dataclass(frozen=True, slots=True)
class Situation:
    """`linked`: the order still travels in the shipment. `parcels`: among how many its goods are parted.

    `unwanted`: what the person doesn't want to be told.
    """

    order: Order | None = None
    customer: Customer | None = None
    shipment: Shipment | None = None
    linked: bool = False
    parcels: int = 0
    alert: Alert | None = None
    contact: StaffContact | None = None
    unwanted: Collection[str] = ()

    @property
    def cold(self) -> bool:
        return self.shipment is not None and self.shipment.temperature_class in _COLD


def part_of(name: str, kind: str) -> str:
    """Return what stands after `kind:` in a recipient or subject; "" if it is another kind."""
    found, _, rest = name.partition(":")
    return rest if found == kind else ""


def load(notices: Collection[Notice]) -> dict[int, Situation]:
    """Return what each (saved) notice is about, in a handful of queries."""
    orders = Order.objects.in_bulk({n.order_id for n in notices if n.order_id})
    shipment_ids = _ids(notices, "shipment")
    shipments = Shipment.objects.select_related("carrier").in_bulk(shipment_ids)
    travelling = ShipmentOrder.objects.filter(order_id__in=orders) if shipments else ShipmentOrder.objects.none()
    links = {(one, order): voided for one, order, voided in travelling.values_list(*LINK)}
    parcels = Counter(order for (_, order), voided in links.items() if voided is None)
    alerts = Alert.objects.select_related("order").in_bulk(_ids(notices, "alert"))
    people = _people(notices)
    staff = contacts(notices)
    unwanted = opt_outs(people.values())
    found = {}
    for notice in notices:
        customer = people.get(notice.recipient)
        shipment = shipments.get(int(part_of(notice.subject, "shipment") or 0))
        found[notice.pk] = Situation(
            order=orders.get(notice.order_id or 0),
            customer=customer,
            shipment=shipment,
            linked=shipment is not None and (shipment.pk, notice.order_id) in links,
            parcels=parcels[notice.order_id or 0],
            alert=alerts.get(int(part_of(notice.subject, "alert") or 0)),
            contact=staff.get(int(part_of(notice.recipient, "staff") or 0)),
            unwanted=unwanted.get(customer.pk, frozenset()) if customer else frozenset(),
        )
    return found


def holds(milestone: str, about: Situation, *, now: dt.datetime) -> bool:
    """Say whether what is to be told is still true, and nothing has overtaken it."""
    rule = OCCASIONS[M(milestone)]
    if rule.while_order:
        return about.order is not None and about.order.status in rule.while_order
    if milestone == M.ALERT:
        return _stands_open(about.alert, now)
    return not rule.while_parcel or _parcel_holds(milestone, about, now)


def too_early(milestone: str, about: Situation, *, now: dt.datetime) -> dt.datetime | None:
    """Return from when it may be told, if that has moved into the future."""
    if milestone != M.ARRIVING or about.shipment is None:
        return None
    begins = arriving_at(about.shipment)
    return begins if begins and begins > now else None


def arriving_at(shipment: Shipment) -> dt.datetime | None:
    """Return when it may be announced that a parcel arrives soon."""
    arrives = shipment.eta_likely or shipment.eta_earliest
    return arrives - ARRIVING_WITHIN if arrives else None


def cant_wait(milestone: str, about: Situation) -> bool:
    """Say whether neither night nor cap may hold it back."""
    if about.alert is not None:
        return about.alert.severity == AlertSeverity.URGENT
    return OCCASIONS[M(milestone)].cold_cant_wait and about.cold


def opt_outs(customers: Iterable[Customer]) -> dict[int, frozenset[str]]:
    """Return what each of these buyers doesn't want to be told."""
    ids = {customer.pk for customer in customers}
    topics: dict[int, set[str]] = {}
    for customer_id, topic in OptOut.objects.filter(customer_id__in=ids).values_list("customer_id", "topic"):
        topics.setdefault(customer_id, set()).add(topic)
    return {customer_id: frozenset(found) for customer_id, found in topics.items()}


def _parcel_holds(milestone: str, about: Situation, now: dt.datetime) -> bool:
    shipment, order = about.shipment, about.order
    if shipment is None or shipment.voided_at is not None or not about.linked:
        return False
    if order is None or order.status in _OVER or shipment.status not in OCCASIONS[M(milestone)].while_parcel:
        return False
    if milestone == M.DELAYED:
        return shipment.delayed_since is not None
    if milestone == M.RECOVERED:
        return shipment.delayed_since is None
    return milestone != M.ARRIVING or (shipment.eta_latest is not None and now <= shipment.eta_latest)


def _stands_open(alert: Alert | None, now: dt.datetime) -> bool:
    if alert is None or alert.resolved_at is not None or alert.incident_id is not None:
        return False
    return alert.snoozed_until is None or alert.snoozed_until <= now


def _ids(notices: Iterable[Notice], kind: str) -> set[int]:
    return {int(rest) for notice in notices if (rest := part_of(notice.subject, kind)).isdecimal()}


def _people(notices: Iterable[Notice]) -> Mapping[str, Customer]:
    """Return the buyers behind recipients, by recipient: by number, or by the phone that they verified."""
    names = {notice.recipient for notice in notices if notice.audience in (Audience.BUYER, Audience.CONSIGNEE)}
    ids = {int(rest) for name in names if (rest := part_of(name, "customer"))}
    phones = {rest for name in names if (rest := part_of(name, "phone"))}
    if not names:
        return {}
    found = Customer.objects.filter(Q(pk__in=ids) | Q(phone_index__in=phones)) if phones else None
    people: dict[str, Customer] = {}
    for customer in found if found is not None else Customer.objects.filter(pk__in=ids):
        people[f"customer:{customer.pk}"] = customer
        if customer.phone_index:
            people[f"phone:{customer.phone_index}"] = customer
    return people


def contacts(notices: Iterable[Notice]) -> Mapping[int, StaffContact]:
    """Return where the members of staff among the recipients are told, by user."""
    ids = {int(rest) for notice in notices if (rest := part_of(notice.recipient, "staff"))}
    if not ids:
        return {}
    active = get_user_model().objects.filter(is_active=True, pk__in=ids)
    return {contact.user_id: contact for contact in StaffContact.objects.filter(user__in=active)}
