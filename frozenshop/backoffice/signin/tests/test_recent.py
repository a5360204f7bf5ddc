"""What matters most asks again who is there, and loses nothing of what was under way."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse

from frozenshop.backoffice.signin import recent
from frozenshop.kernel import clock
from frozenshop.kernel.models import AuditEntry
from orders.models import Order
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
AGAIN = "/admin/account/again/"


@pytest.fixture
def order() -> Order:
    return make_order(phone="15566667777")


@pytest.fixture
def late(service, frozen) -> Client:
    """A clerk who signed in longer ago than the window."""
    session = service.session
    session[recent.PROVED_AT] = (clock.now() - dt.timedelta(minutes=15)).timestamp()
    session.save()
    return service


def unmask(client: Client, order: Order, **given: str):
    address = reverse("admin:orders_order_act", args=[order.pk, "unmask"])
    return client.post(address, {"reason": "买家来电 <核对>", **given})


def test_within_the_window_nobody_is_asked(service, order):
    assert "15566667777" in unmask(service, order).content.decode()


def test_after_the_window_the_password_is_asked_for_and_nothing_shown(late, order):
    answer = unmask(late, order)
    assert answer[recent.ASKED_HEADER] == "required"
    assert "15566667777" not in answer.content.decode()
    assert not AuditEntry.objects.filter(action="order.unmasked").exists()


def test_the_page_carries_on_what_was_being_posted(late, order):
    body = unmask(late, order).content.decode()
    assert '<input type="hidden" name="reason" value="买家来电 &lt;核对&gt;">' in body


def test_with_the_password_the_act_goes_on_and_the_window_is_new(late, order):
    assert "15566667777" in unmask(late, order, _again_password="x").content.decode()
    assert "15566667777" in unmask(late, order).content.decode()


def test_a_wrong_password_gets_nothing(late, order):
    assert "15566667777" not in unmask(late, order, _again_password="y").content.decode()


def test_a_session_that_never_gave_a_password_is_asked(login):
    client = login("客服")
    session = client.session
    del session[recent.PROVED_AT]
    session.save()
    assert client.get(AGAIN)[recent.ASKED_HEADER] == "required"


@pytest.mark.parametrize(("wanted", "lands"), [
    ("/admin/batch/", "/admin/batch/"), ("https://evil.example/", "/admin/"), ("//evil.example/", "/admin/"),
    ("javascript:alert(1)", "/admin/"),
])  # fmt: skip
def test_the_way_back_stays_on_this_site(late, wanted, lands):
    assert late.post(AGAIN, {"next": wanted, "_again_password": "x"}).url == lands
