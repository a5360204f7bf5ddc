"""Seeded orders can't be told from orders that lived."""

import json
import stat
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from frozenshop.backoffice.demo import credentials, seeding
from frozenshop.kernel.actor import SYSTEM
from logistics import tracking
from logistics.models import Shipment
from logistics.progress import refresh_order
from orders.models import Order, OrderStatus

pytestmark = pytest.mark.django_db
MILESTONES = [f"{status.value}_at" for status in OrderStatus]


@pytest.fixture
def shop(settings, tmp_path):
    settings.DEBUG, settings.VAR_DIR = True, tmp_path
    call_command("load_base_data", verbosity=0)


def planned(orders, buyer, with_events=None):
    return seeding.plan(orders, days=3, seed=1, buyer=buyer, buyer_phone="13800001111", with_events=with_events)


def standing(order):
    return [order.status, *(getattr(order, name) for name in MILESTONES)]


def test_a_seeded_order_stands_where_its_parcels_bring_it(shop, capsys):
    call_command("seed_demo", orders=150, seed=7)
    before = {order.pk: standing(order) for order in Order.objects.all()}
    for shipment in Shipment.objects.select_related("carrier"):
        tracking.settle(shipment, tracking.orders_of(shipment), actor=SYSTEM)
    for order in Order.objects.all():
        refresh_order(order, actor=SYSTEM)
    assert {order.pk: standing(order) for order in Order.objects.all()} == before


def test_every_status_occurs_among_the_demo_buyers_newest_orders(shop, capsys):
    call_command("seed_demo", orders=60)
    openid = credentials.known()["buyer"]["openid"]
    newest = Order.objects.filter(customer__openid=openid).order_by("-placed_at")[:25]
    assert {order.status for order in newest} == set(OrderStatus.values)


def test_the_same_seed_gives_the_same_orders(shop):
    _, buyer = credentials.prepare()
    for _ in range(2):
        seeding.seed(planned(20, buyer))
    numbers = list(Order.objects.order_by("pk").values_list("lines_summary", "city"))
    assert numbers[:20] == numbers[20:]


def test_seeding_is_refused_outside_a_demo(shop, settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG=False"):
        call_command("seed_demo", orders=1)


def test_seeding_is_refused_where_real_orders_are(shop):
    from orders.tests.factories import make_order

    make_order()
    with pytest.raises(CommandError, match="不是演示产生的订单"):
        call_command("seed_demo", orders=1)


def test_credentials_are_kept_and_readable_by_the_owner_only(shop):
    first, _ = credentials.prepare()
    second, _ = credentials.prepare()
    path = Path(credentials.path())
    assert first == second == json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
