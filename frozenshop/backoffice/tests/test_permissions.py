"""Who gets in where: every address of the site, by every kind of visitor."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from frozenshop.backoffice.signin import rights
from frozenshop.backoffice.tests.pages import ALERTS, BATCH, ORDERS
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db

SIGNING_IN = "account verify totp passkey recovery remove leave again end_sessions"
OPEN_TO_ALL_STAFF = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n"} | {
    f"signin_{name}" for name in SIGNING_IN.split()
}
# These answer 403 or 404 for what they aren't told or may not show; they are tested by themselves below.
NEEDS_ARGUMENTS = {"autocomplete", "view_on_site", "app_list"}


def addresses() -> list[str]:
    """Return every named address of the site, with a number where one is wanted."""
    found = []
    for pattern in admin.site.urls[0]:
        for one in getattr(pattern, "url_patterns", [pattern]):
            name = getattr(one, "name", None)
            if not name or name in OPEN_TO_ALL_STAFF | NEEDS_ARGUMENTS:
                continue
            wanted = one.pattern.converters
            given = {"app_label": "orders", "name": "note", "id": "1"}
            found.append(reverse(f"admin:{name}", kwargs={key: given.get(key, "1") for key in wanted}))
    return sorted(found)


def test_there_are_addresses_to_walk():
    assert len(addresses()) > 80
    assert {ORDERS, ALERTS, BATCH} <= set(addresses())


@pytest.mark.parametrize("address", addresses())
def test_a_stranger_is_sent_to_the_login(address):
    answer = Client().get(address)
    assert answer.status_code == 302
    assert "/admin/login/" in answer.url


@pytest.mark.long
def test_staff_without_rights_get_in_nowhere(login):
    nobody = login()
    make_order()
    let_in = {}
    for address in addresses():
        for method in ("get", "post"):
            status = getattr(nobody, method)(address).status_code
            if status not in (403, 404, 405):
                let_in[method, address] = status
    assert not let_in


def test_the_own_pages_say_403(login):
    nobody = login()
    order = make_order()
    pages = [ORDERS, ALERTS, BATCH, f"{ORDERS}add/", reverse("admin:orders_order_change", args=[order.pk])]
    acts = [reverse("admin:orders_order_act", args=[order.pk, name]) for name in ("ship", "note", "unmask", "nonsense")]
    assert {nobody.get(page).status_code for page in pages} == {403}
    assert {nobody.post(act).status_code for act in acts} == {403}


def test_the_index_of_somebody_without_rights_has_no_numbers(login):
    assert login().get("/admin/").context["tiles"] == []


@pytest.mark.parametrize("name", ["ship", "correct", "void", "sync", "mark", "note"])
def test_a_viewer_changes_nothing(viewer, name):
    order = make_order("paid")
    assert viewer.post(reverse("admin:orders_order_act", args=[order.pk, name])).status_code == 403
    assert viewer.get(f"{ORDERS}add/").status_code == 403


def test_an_apps_own_index_is_hidden_from_who_may_see_nothing_in_it(login):
    assert login().get("/admin/orders/").status_code in (403, 404)


def test_autocomplete_asks_for_the_right_to_view(login):
    asked = {"app_label": "orders", "model_name": "product", "field_name": "category", "term": ""}
    assert login().get("/admin/autocomplete/", asked).status_code == 403


def test_the_groups_are_made_once_and_keep_what_was_added():
    call_command("ensure_roles")
    group = Group.objects.get(name="查看")
    before = group.permissions.count()
    call_command("ensure_roles")
    assert Group.objects.count() == 5
    assert group.permissions.count() == before


@pytest.mark.parametrize(("role", "right", "has"), [
    ("查看", "orders.unmask_order", False),
    ("客服", "orders.unmask_order", True),
    ("客服", "orders.export_order", False),
    ("主管", "orders.export_order", True),
    ("主管", "kernel.add_merchantkey", True),
    ("客服", "kernel.view_merchantkey", False),
])  # fmt: skip
def test_each_role_has_its_rights(login, role, right, has):
    user = login(role).get("/admin/").context["user"]
    assert user.has_perm(right) is has


def test_rights_of_ones_own_and_of_groups_are_asked_for_once(login, django_assert_num_queries):
    login("客服")
    user = User.objects.get(username="客服")
    user.user_permissions.add(Permission.objects.get(codename="share_savedview"))
    known = User.objects.get(pk=user.pk)
    with django_assert_num_queries(1):
        rights.ask_at_once(known)
    with django_assert_num_queries(0):
        found = known.get_all_permissions(), known.get_user_permissions(), known.get_group_permissions()
    afresh = User.objects.get(pk=user.pk)
    assert found == (afresh.get_all_permissions(), afresh.get_user_permissions(), afresh.get_group_permissions())
    assert found[1] == {"backoffice.share_savedview"}


@pytest.mark.parametrize("changes", [{"is_active": False}, {"is_superuser": True}])
def test_of_who_has_all_or_no_rights_nothing_else_is_believed(login, changes):
    login("客服")
    User.objects.filter(username="客服").update(**changes)
    user, afresh = User.objects.get(username="客服"), User.objects.get(username="客服")
    rights.ask_at_once(user)
    assert user.get_all_permissions() == afresh.get_all_permissions()
