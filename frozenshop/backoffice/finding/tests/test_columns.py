import pytest
from django.contrib.auth.models import User

from frozenshop.backoffice.finding import columns, views
from frozenshop.backoffice.finding.models import ListColumns, SavedView
from frozenshop.backoffice.orders import OFFERED, USUAL
from frozenshop.backoffice.tests.pages import ORDERS, text
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
COLUMNS = f"{ORDERS}columns/"


def shown(client, **query) -> list[str]:
    names = client.get(ORDERS, query).context["cl"].list_display
    return [name for name in names if name != "action_checkbox"]


def test_columns_are_chosen_in_an_order_and_put_back(lead, service):
    make_order()
    lead.post(COLUMNS, {"shown": ["placed", "place", "total"], "total": "2", "place": "3", "placed": "9"})
    assert shown(lead) == ["order_no", "total", "place", "placed"]
    assert shown(service) == list(USUAL)
    lead.post(COLUMNS, {"reset": "1"})
    assert shown(lead) == list(USUAL)


@pytest.mark.parametrize("names", [["consignee_sealed"], ["__class__", "x"], ["placed", "placed", "note"]])
def test_only_what_the_list_offers_is_shown(lead, names):
    make_order()
    lead.post(COLUMNS, {"shown": names})
    assert set(shown(lead)) <= set(OFFERED)
    assert shown(lead)[0] == "order_no"


def test_every_offered_column_shows_itself(lead):
    make_order("paid")
    lead.post(COLUMNS, {"shown": OFFERED})
    assert shown(lead) == list(OFFERED)
    assert "应发货时间" in text(lead.get(ORDERS))


def test_the_form_marks_what_is_shown_now(lead):
    lead.post(COLUMNS, {"shown": ["place"]})
    rows = lead.get(COLUMNS).context["rows"]
    assert [row["name"] for row in rows if row["shown"]] == ["order_no", "place"]
    assert {row["name"] for row in rows} == set(OFFERED)


def test_a_view_brings_the_columns_it_was_saved_with(lead, service):
    lead.post(COLUMNS, {"shown": ["place"]})
    lead.post(f"{ORDERS}views/", {"name": "城市", "todo": "late", "shared": "1"})
    lead.post(COLUMNS, {"reset": "1"})
    view = SavedView.objects.get()
    assert shown(service, view=view.pk) == shown(lead, view=view.pk) == ["order_no", "place"]
    assert shown(service) == list(USUAL)


def test_a_column_that_is_no_longer_offered_is_passed_over():
    user = User.objects.create_user("somebody")
    ListColumns.objects.create(user=user, list_name="x", columns=["gone", "b"])
    assert columns.chosen(user.pk, "x", ["a", "b"], ["a"]) == ["a", "b"]
    ListColumns.objects.update(columns=["gone"])
    assert columns.chosen(user.pk, "x", ["a", "b"], ["a"]) == ["a"]


def test_what_a_view_keeps_of_columns_may_be_anything():
    assert columns.valid({"a": 1}, ["a"]) == columns.valid(None, ["a"]) == []
    assert views.allowed("x") == {}
