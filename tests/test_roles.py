"""Every address of the admin × every role × GET and POST, from the URL configuration: let in as the matrix says."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern

from frozenshop.backoffice.roles import ANYBODY, NOBODY, PAGES, ROLES, Needs, ensure_roles
from frozenshop.backoffice.tests.conftest import proved_now
from orders.models import Order
from tests.test_routes import address, victim

__all__ = ["victim"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_stores"), pytest.mark.timeout(300)]
LEAVING = {"logout", "signin_leave"}
REFUSED = {403, 404, 405}
LISTS = ("changelist", "add", "history", "delete", "change")
HOW_TO = "say in PAGES of frozenshop/backoffice/roles.py which right its GET and its POST ask for (docs/roles.md)"


def pages() -> Iterator[tuple[str, str]]:
    """Yield route and name of every address of the site; without a name are only Django's ways to another address."""
    for one in admin.site.urls[0]:
        for pattern in [one] if isinstance(one, URLPattern) else one.url_patterns:
            before = "" if isinstance(one, URLPattern) else str(one.pattern)
            if pattern.name:
                yield f"admin/{before}{pattern.pattern}", pattern.name


def of_list(name: str) -> tuple[str, str, str] | None:
    """Return app, model and kind of a list's page."""
    for model in admin.site._registry:
        prefix = f"{model._meta.app_label}_{model._meta.model_name}_"
        if name.startswith(prefix) and name.removeprefix(prefix) in LISTS:
            return model._meta.app_label, str(model._meta.model_name), name.removeprefix(prefix)
    return None


def rights(name: str, method: str) -> set[str]:
    """Return the rights of which the page asks for one."""
    if name in PAGES:
        needs: Needs = PAGES[name]
        return {needs.get if method == "GET" else needs.post}
    app, model, kind = of_list(name) or pytest.fail(f"admin:{name} is not in the matrix: {HOW_TO}")
    looking = {f"{app}.view_{model}", f"{app}.change_{model}"}
    own = {"add": {f"{app}.add_{model}"}, "delete": {f"{app}.delete_{model}"}}
    if kind == "change" and method == "POST":
        return {f"{app}.change_{model}"}
    return own.get(kind, looking)


def test_every_page_stands_in_the_matrix_and_nothing_else_does():
    own = {name for _, name in pages() if not of_list(name)}
    assert own - set(PAGES) == set(), HOW_TO
    assert set(PAGES) - own == set(), "there are no such pages any more: take them out of PAGES"


def test_every_right_that_pages_ask_for_is_given_to_some_role():
    given = {right for named in ROLES.values() for right in named} | {ANYBODY, NOBODY}
    assert {right for needs in PAGES.values() for right in (needs.get, needs.post)} <= given


def client_of(role: str | None) -> Client:
    ensure_roles()
    user = User.objects.create_user(f"as {role}", password="x", is_staff=True, is_superuser=role is None)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    proved_now(client)
    return client


def ask(client: Client, method: str, route: str, order: Order, somebody: User) -> HttpResponse:
    url = address(route, order).replace("/auth/user/1/", f"/auth/user/{somebody.pk}/")
    return client.generic(method, url, b"", content_type="application/x-www-form-urlencoded")


@pytest.fixture
def somebody(db: None) -> User:
    return User.objects.create_user("somebody", password="x", is_staff=True)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_in_where_the_matrix_says(victim, somebody, role):
    client, root, wrong = client_of(role), client_of(None), []
    for route, name in sorted(set(pages())):
        if name in LEAVING:
            continue
        for method in ("GET", "POST"):
            status = ask(client, method, route, victim, somebody).status_code
            if not rights(name, method) & {ANYBODY, *ROLES[role]}:
                if status not in REFUSED:
                    wrong.append((method, name, status, "let in without the right"))
            elif status in REFUSED and ask(root, method, route, victim, somebody).status_code != status:
                wrong.append((method, name, status, "refused with the right"))
    assert wrong == [], HOW_TO


def test_anonymous_visitors_get_in_nowhere(victim, somebody):
    let_in = [
        (method, name, answer.status_code)
        for route, name in sorted(set(pages()))
        if name != "login"
        for method in ("GET", "POST")
        for answer in [ask(Client(), method, route, victim, somebody)]
        if not (answer.status_code == 302 and "/admin/login/" in answer["Location"])
    ]
    # Who is out already is sent to the login, or to the index, which sends there.
    assert {one for one in let_in if one[1] not in LEAVING} == set()
