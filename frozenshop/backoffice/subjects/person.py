"""Who somebody is to us, found by phone or by openid, and which orders are theirs."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from frozenshop.kernel import crypto
from frozenshop.kernel.errors import Invalid
from logistics.archive.models import ArchivedOrder
from notifications import opening
from notifications.models import OfficialFollower, Unionid
from orders import phones
from orders.models import Customer, Order

NAMING = ("consignee_sealed", "phone_index", "name_index", "tail_index")
"""Columns of an order, here or archived, that say who receives it."""


@dataclass(frozen=True, slots=True)
class Person:
    """The buyers that somebody is, all their phones in the one form, and every openid and unionid that names them."""

    customers: tuple[Customer, ...]
    phones: tuple[str, ...]
    openids: tuple[str, ...]

    @property
    def indexes(self) -> list[str]:
        """The blind indexes of their phones, under every live key."""
        return [index for phone in self.phones for index in crypto.blind_indexes(phone, purpose="phone")]

    @property
    def recipients(self) -> list[str]:
        """The names under which they were told something."""
        return [*(f"customer:{one.pk}" for one in self.customers), *(f"phone:{index}" for index in self.indexes)]

    @property
    def subject(self) -> str:
        """How the audit names them: keyed, so that it says to nobody who it was, and shows that it was done."""
        return f"person:{crypto.blind_index((self.phones or self.openids)[0], purpose='erased')}"


def find(*, phone: str = "", openid: str = "") -> Person:
    """Return who this is, also where nothing is held. Raises Invalid for what is no phone, or for nothing at all."""
    if not phone and not openid:
        raise Invalid("请给出手机号（--phone）或 openid（--openid）")
    numbers = [phones.normalise(phone)] if phone else []
    known = Q(openid=openid) if openid else Q(pk=None)
    indexes = [index for number in numbers for index in crypto.blind_indexes(number, purpose="phone")]
    customers = tuple(Customer.objects.filter(known | Q(phone_index__in=indexes)).order_by("pk"))
    verified = (opening.phone_of(one) for one in customers)
    names = [openid, *(one.openid for one in customers)]
    return Person(customers, _once([*numbers, *verified]), _once([*names, *_elsewhere(customers)]))


def _elsewhere(customers: Iterable[Customer]) -> list[str]:
    """Their names with the official account."""
    unions = list(Unionid.objects.filter(customer__in=list(customers)).values_list("unionid", flat=True))
    return [*unions, *OfficialFollower.objects.filter(unionid__in=unions).values_list("openid", flat=True)]


def _once(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def orders_of(person: Person) -> QuerySet[Order]:
    """Return what they bought, and what was sent to them."""
    bought = Q(customer__in=[one.pk for one in person.customers])
    return Order.objects.filter(bought | Q(phone_index__in=person.indexes)).order_by("pk")


def archived_of(person: Person) -> QuerySet[ArchivedOrder]:
    """Return those of them that lie in the archive."""
    bought = Q(customer_id__in=[one.pk for one in person.customers])
    return ArchivedOrder.objects.filter(bought | Q(phone_index__in=person.indexes)).order_by("pk")


def receives(person: Person, order: Order | ArchivedOrder) -> bool:
    """Say whether the consignee is this person: by the phone; for a buyer who never proved one, nothing says otherwise.

    Who receives a present is somebody else, whose name and address stay. Of an order whose consignee has had its term
    the indexes are left.
    """
    return order.phone_index in person.indexes if person.phones else names_somebody(order)


def names_somebody(order: Order | ArchivedOrder) -> bool:
    return any(getattr(order, name) for name in NAMING)
