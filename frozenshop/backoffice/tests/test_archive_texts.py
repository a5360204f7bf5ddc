"""What staff noted about an order has the term of its other texts, in the archive and out of it."""

import datetime as dt

import pytest
import time_machine

from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel import clock
from logistics.archive import overdue, retention
from logistics.archive.tests.factories import archive, finished
from logistics.tests.factories import STAFF
from orders import holds
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
TERM = 1095


def noted(order):
    OrderNote.objects.create(order_no=order.order_no, author="staff:1", text="慕容女士要求放门卫室")
    return order


def notes():
    return list(OrderNote.objects.order_by("id").values_list("author", "text"))


def expire(days):
    with time_machine.travel(clock.now() + dt.timedelta(days=days)):
        return sum(one.orders for erase in (retention.erase_expired, overdue.erase_overdue) for one in erase())


@pytest.mark.parametrize("archived", [True, False])
def test_a_note_goes_with_the_texts_of_its_order(archived):
    noted(finished())
    if archived:
        archive()
    expire(TERM - 1)
    assert notes() == [("staff:1", "慕容女士要求放门卫室")]
    expire(TERM + 1)
    assert notes() == [("staff:1", "")]
    assert expire(TERM + 60) == 0


@pytest.mark.parametrize("archived", [True, False])
def test_a_note_stays_while_its_order_is_held(archived):
    order = noted(finished())
    holds.on_order(order.order_no, "案号", STAFF)
    if archived:
        archive()
    expire(TERM + 1)
    assert notes() == [("staff:1", "慕容女士要求放门卫室")]


def test_texts_without_a_term_keep_notes_too(settings):
    settings.ARCHIVE_KEEP_TEXTS_DAYS = 0
    noted(make_order("paid"))
    expire(TERM + 1)
    assert notes() == [("staff:1", "慕容女士要求放门卫室")]
