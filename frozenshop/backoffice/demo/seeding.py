"""Which demo orders there are: how many, placed when, whose. Here they are written row by row."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from frozenshop.backoffice.demo.catalogue import CATEGORIES, GOODS
from frozenshop.backoffice.demo.journeys import Journey, make_journey
from frozenshop.backoffice.demo.seeder import Seeder
from frozenshop.kernel import clock, crypto
from orders.models import Customer, Order, Product, ProductCategory

PREFIX = "DEMO"

# The demo buyer's newest orders, oldest first: every status occurs.
SHOWCASE = (
    *("delivered", "cancelled", "returned", "refunded", "locker", "problem", "silent", "delivered", "delivered"),
    *("fresh", "unshipped", "unpaid"),
)
"""Kinds of life, with how long ago the order was placed chosen so that each has just reached what it shows."""
SHOWCASE_AGE = {
    "unpaid": dt.timedelta(minutes=20),
    "unshipped": dt.timedelta(hours=1),
    "fresh": dt.timedelta(hours=21),
    "silent": dt.timedelta(days=4),
    "returned": dt.timedelta(days=12),
}
SHOWCASE_BEGINS = dt.timedelta(days=13)
EACH_THIRTIETH = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """`orders` orders placed over the last `days`, oldest first; the demo buyer gets the newest of them.

    The demo buyer also gets every thirtieth order from before those, so that long lists can be tried. Only the newest
    `with_events` orders have scans and their whole history. The same seed gives the same lives.
    """

    orders: int
    days: int
    seed: int
    now: dt.datetime
    first: int
    buyer_id: int
    buyer_phone: str
    with_events: int

    @property
    def crowd(self) -> int:
        """Return how many orders come before the demo buyer's newest."""
        return self.orders - min(len(SHOWCASE), self.orders)

    def placed_at(self, number: int) -> dt.datetime:
        return self.now - dt.timedelta(days=self.days) * (1 - number / max(self.crowd, 1))

    def customer_id(self, number: int, placed_at: dt.datetime) -> int | None:
        """Return the demo buyer's, or None where the order has a buyer of its own."""
        return self.buyer_id if number % EACH_THIRTIETH == 0 and placed_at < self.now - SHOWCASE_BEGINS else None

    def is_light(self, number: int) -> bool:
        return number < self.orders - self.with_events

    def journey(self, number: int, rng: Random) -> Journey:
        return make_journey(rng, self.placed_at(number), self.now, self.first + number)

    def order_number(self, number: int, placed_at: dt.datetime) -> str:
        return f"{PREFIX}{clock.shanghai(placed_at):%Y%m%d}{self.first + number:08d}"

    def showcase(self) -> Iterator[tuple[int, Journey]]:
        """Yield the demo buyer's newest orders, each with its number."""
        rng, many = Random(f"{self.seed}:showcase"), self.orders - self.crowd  # noqa: S311 (demo data)
        for number, kind in enumerate(SHOWCASE[-many:] if many else (), self.crowd):
            age = SHOWCASE_AGE.get(kind, dt.timedelta(days=8))
            placed_at = self.now - age + dt.timedelta(minutes=number % 20)
            journey = make_journey(rng, placed_at, self.now, self.first + number, kind=kind)
            journey.phone = self.buyer_phone
            yield number, journey


def plan(orders: int, *, days: int, seed: int, buyer: Customer, buyer_phone: str, with_events: int | None) -> Plan:
    return Plan(
        orders=orders,
        days=days,
        seed=seed,
        now=clock.now(),
        first=next_serial(),
        buyer_id=buyer.pk,
        buyer_phone=buyer_phone,
        with_events=orders if with_events is None else with_events,
    )


def seed(made: Plan, progress: Callable[[int], None] = lambda done: None) -> None:
    """Write all of the plan, row by row, into whatever database there is."""
    load_goods()
    seeder, rng = Seeder(made.now), Random(made.seed)  # noqa: S311 (demo data)
    for number in range(made.crowd):
        journey = made.journey(number, rng)
        add(seeder, made, number, journey, made.customer_id(number, journey.placed_at))
        if seeder.full:
            seeder.flush()
            progress(number)
    seeder.flush()
    seed_showcase(made)
    progress(made.orders)


def seed_showcase(made: Plan) -> None:
    seeder = Seeder(made.now)
    for number, journey in made.showcase():
        add(seeder, made, number, journey, made.buyer_id)
    seeder.flush()


def add(seeder: Seeder, made: Plan, number: int, journey: Journey, customer_id: int | None) -> None:
    order_no = made.order_number(number, journey.placed_at)
    seeder.add(order_no, journey, customer_id, light=made.is_light(number))


def load_goods() -> None:
    """The demo shop's categories and products; safe to repeat."""
    for code, name in CATEGORIES.items():
        ProductCategory.objects.get_or_create(code=code, defaults={"name": name})
    categories = {category.code: category for category in ProductCategory.objects.all()}
    for goods in GOODS:
        Product.objects.get_or_create(
            sku=goods.sku,
            defaults={
                "name": goods.name,
                "category": categories[goods.category],
                "temperature_class": goods.temperature_class,
            },
        )


def next_serial() -> int:
    """Return a serial that no seeded order has: one past the table's newest key."""
    newest = Order.objects.order_by("-pk").values_list("pk", flat=True).first()
    return (newest or 0) + 1


def openid_of(rng: Random) -> str:
    return "oDemo" + "".join(rng.choices("abcdefghijkmnpqrstuvwxyz23456789", k=23))


def seal_phone(customer: Customer, phone: str) -> None:
    """Give the demo buyer a verified phone without asking WeChat."""
    customer.phone_sealed = customer.seal_phone(phone)
    customer.phone_index = phone_index(phone)
    customer.phone_verified_at = clock.now()


def phone_index(phone: str) -> str:
    return crypto.blind_index(phone, purpose="phone")
