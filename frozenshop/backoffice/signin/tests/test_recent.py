"""What matters most asks again who is there, and loses nothing of what was under way."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from frozenshop.backoffice.signin import recent
from frozenshop.backoffice.signin.models import StaffSession
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


def test_no_password_is_carried_along_in_the_page(root, frozen):
    session = root.session
    session[recent.PROVED_AT] = 0
    session.save()
    given = {"username": "new", "password1": "a long new one 9", "password2": "a long new one 9"}
    body = root.post("/admin/auth/user/add/", given).content.decode()
    assert 'name="username" value="new"' in body
    assert "a long new one 9" not in body


@pytest.mark.parametrize("role", ["主管", "审计", "客服", "查看"])
def test_who_may_not_change_accounts_is_not_asked_but_refused(login, role):
    assert login(role).post("/admin/auth/user/add/", {}).status_code == 403


def test_files_cannot_be_carried_and_it_is_said(late):
    file = SimpleUploadedFile("orders.csv", b"a,b")
    answer = late.post(AGAIN, {"next": "/admin/batch/", "file": file})
    assert "请重新选择" in answer.content.decode()
    assert '<input type="hidden" name="next" value="/admin/account/again/">' in answer.content.decode()


# --- accounts and roles ---------------------------------------------------------------------------


@pytest.fixture
def clerk(db) -> User:
    return User.objects.create_user("clerk", password="x", is_staff=True)


def change(client: Client, user: User, **changes: object):
    given = {"username": user.username, "is_staff": "on", "is_active": "on", "groups": [], **changes}
    return client.post(f"/admin/auth/user/{user.pk}/change/", {k: v for k, v in given.items() if v is not None})


def test_a_change_of_roles_is_on_record_with_before_and_after(login, clerk):
    group = Group.objects.get_or_create(name="客服")[0]
    assert change(login("管理员"), clerk, groups=[group.pk]).status_code == 302
    entry = AuditEntry.objects.get(action="staff.roles_changed")
    assert (entry.subject, entry.details["before"]["groups"], entry.details["after"]["groups"]) == (
        f"staff:{clerk.pk}", [], ["客服"],
    )  # fmt: skip


def test_an_administrator_makes_no_superuser(login, clerk):
    change(login("管理员"), clerk, is_superuser="on", user_permissions=[1])
    clerk.refresh_from_db()
    assert (clerk.is_superuser, clerk.user_permissions.count()) == (False, 0)


def test_an_administrator_gives_no_group_that_is_no_role(login, clerk):
    strange = Group.objects.create(name="strange")
    change(login("管理员"), clerk, groups=[strange.pk])
    assert clerk.groups.count() == 0


def test_an_administrator_touches_no_superuser(login, root):
    boss = User.objects.get(username="root")
    admin = login("管理员")
    assert change(admin, boss, is_active=None).status_code == 403
    assert admin.post(f"/admin/auth/user/{boss.pk}/password/", {}).status_code == 403


def test_an_account_switched_off_loses_its_sessions(login, clerk):
    StaffSession.objects.create(user=clerk, session_key="k")
    change(login("管理员"), clerk, is_active=None)
    assert not StaffSession.objects.filter(user=clerk).exists()
