import datetime as dt

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection

from frozenshop.backoffice.finding import recent
from frozenshop.backoffice.finding.models import RecentSearch
from frozenshop.backoffice.tests.pages import ORDERS, listed, text
from frozenshop.kernel import clock, crypto
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
FIND = f"{ORDERS}find/"


@pytest.fixture
def user() -> int:
    return User.objects.create_user("somebody").pk


def texts(user: int) -> list[str]:
    return [one.text for one in recent.of(user)]


@pytest.mark.parametrize(
    ("typed", "personal"),
    [
        ("13812341234", True),
        ("138 1234 1234", True),
        ("1381234123", True),
        ("138-1234-123", True),
        ("021-1234567", True),
        ("13812341234 2026-11-20", True),
        ("021-12345678", True),
        ("1234", True),
        ("1234 张", True),
        ("张三", True),
        ("Zhang", True),
        ("FD-77", False),
        ("SF7777777777777", False),
        ("2026-11-20", False),
        ("FD2026112000017", False),
    ],
)
def test_only_what_names_nobody_stands_in_an_address(lead, typed, personal):
    led = lead.post(FIND, {"q": typed})
    assert ("find=" in led["Location"]) == personal
    assert ("q=" in led["Location"]) != personal


def test_a_token_finds_what_was_typed_and_goes_on_standing_for_it(lead):
    for number in range(60):
        make_order(order_no=f"N{number:02}", phone="13812341234")
    found = lead.post(FIND, {"q": "13812341234", "status__exact": "placed"}, follow=True)
    assert len(listed(found)) == 50
    cl = found.context["cl"]
    assert "13812341234" not in cl.older_query + cl.last_query
    assert len(listed(lead.get(ORDERS + cl.older_query))) == 10


def test_what_others_searched_is_not_to_be_had(lead, service):
    make_order(phone="13812341234")
    address = lead.post(FIND, {"q": "13812341234"})["Location"]
    shown = service.get(address)
    assert listed(shown) == []
    assert "已经过期，或是别人的查找" in text(shown)
    assert "13812341234" not in text(service.get(ORDERS))
    assert "13812341234" in text(lead.get(ORDERS))


def test_the_newest_ten_are_kept_each_once(user):
    for number in [*range(12), 5]:
        recent.remember(user, f"N{number}")
    assert texts(user) == ["N5", *(f"N{number}" for number in (11, 10, 9, 8, 7, 6, 4, 3, 2))]
    assert RecentSearch.objects.count() == recent.MOST


def test_what_was_typed_lies_sealed(user):
    recent.remember(user, "13812341234 张三")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM backoffice_recentsearch")
        row = repr(cursor.fetchall())
    assert "13812341234" not in row
    assert "张三" not in row
    search = RecentSearch.objects.get()
    assert crypto.open_sealed(search.text_sealed, purpose=recent.purpose_of(search.token)) == "13812341234 张三"


def test_a_search_is_gone_after_thirty_days(user):
    recent.remember(user, "张三")
    with time_machine.travel(clock.now() + recent.KEPT_FOR + dt.timedelta(minutes=1), tick=False):
        assert texts(user) == []
        assert recent.purge() == 1


def test_a_person_clears_only_their_own(lead, service):
    for client in (lead, service):
        client.post(FIND, {"q": "张三"})
    lead.post(f"{FIND}forget/")
    assert RecentSearch.objects.get().user.username == "客服"


@pytest.mark.parametrize("typed", ["", " ", "\x00", "%", "😀", "x" * 5000, "' OR 1=1 --", "‮", "２０２６"])
def test_nonsense_is_answered_with_a_sentence(lead, typed):
    make_order()
    assert lead.post(FIND, {"q": typed, "as": "nonsense", "todo": "nonsense"}, follow=True).status_code == 200


def test_looking_at_a_finding_page_by_get_leads_to_the_list(lead):
    assert lead.get(FIND)["Location"] == ORDERS
    assert lead.get(f"{FIND}forget/")["Location"] == ORDERS
