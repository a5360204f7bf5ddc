"""What somebody tries who wants in: around the count of failures, past the second factor, with nonsense."""

import threading
from io import BytesIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client

from frozenshop.backoffice.batches import files as kept
from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.models import Batch, BatchFile
from frozenshop.backoffice.roles import ROLES, ensure_roles
from frozenshop.backoffice.signin import lockout, recent, recovery, totp
from frozenshop.backoffice.signin.models import Authenticator, SignInAttempts
from frozenshop.backoffice.signin.tests.conftest import code_now, sign_in
from frozenshop.backoffice.signin.tests.test_lockout import guess, words
from frozenshop.backoffice.tests.conftest import proved_now
from frozenshop.kernel import audit, merchant_keys
from frozenshop.kernel.models import AuditEntry, MerchantKey
from orders.tests.factories import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
NONSENSE = (
    "[]", "{}", "null", "1", '"x"', '{"rawId": 1}', '{"rawId": null}', '{"rawId": "é"}', '{"rawId": "AA"}',
    "[" * 100_000, '{"id": "AA", "rawId": "AA", "response": 1, "type": "public-key"}', '"\\ud800"', "NaN",
)  # fmt: skip


@pytest.mark.parametrize("empty", [{"password": ""}, {}, {"password": "\0"}, {"username": ""}])
def test_an_attempt_without_a_password_takes_no_failure_back(wang, empty):
    guess(4)
    Client().post("/admin/login/", {"username": "wang", **empty})
    guess(1)
    assert words(sign_in(Client())) == lockout.LOCKED


@pytest.mark.parametrize("spelling", ["WANG", " wang", "wang ", "ｗａｎｇ", "wang\u200b", "wáng", "wan\u0261"])
def test_no_spelling_of_a_name_has_guesses_of_its_own_that_come_in(wang, spelling):
    """Where the database takes a spelling for the same name, it is the same account's count."""
    guess(5)
    assert sign_in(Client(), spelling).status_code == 200


def test_a_whole_network_of_ipv6_is_one_address(wang):
    for last in range(5):
        guess(1, REMOTE_ADDR=f"2001:db8:1:2::{last:x}")
    assert words(sign_in(Client(), REMOTE_ADDR="2001:db8:1:2:ffff::1")) == lockout.LOCKED
    assert sign_in(Client(), REMOTE_ADDR="2001:db8:1:3::1").status_code == 302


@pytest.mark.parametrize("page", ["verify", "totp", "passkey", "again"])
@pytest.mark.parametrize("typed", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_for_a_key_is_refused_and_breaks_nothing(settings, wang, app, page, typed):
    settings.STAFF_SECOND_FACTOR, settings.PUBLIC_URL = "required", "https://shop.example.com"
    client = Client()
    sign_in(client)
    if page != "verify":
        client.post("/admin/account/verify/", {"code": code_now()})
    session = client.session
    session["proved_at"] = 0 if page == "again" else session["proved_at"]
    session["passkey_challenge"] = "AAAA"
    session.save()
    given = {
        "assertion": typed,
        "answer": typed,
        "code": typed[:1000],
        "_again_assertion": typed,
        "_again_password": "",
    }
    answer = client.post(f"/admin/account/{page}/", given)
    assert answer.status_code == 200 or (answer.status_code, page) == (302, "again")


@pytest.mark.parametrize("codename", ["", "change_group"])
def test_an_administrator_touches_nobody_who_may_more(login, codename):
    """Who sets the password of an account has its rights."""
    boss = User.objects.create_user("boss", password="x", is_staff=True, is_active=False)
    group = Group.objects.create(name="all")
    group.permissions.set(Permission.objects.filter(codename=codename) if codename else Permission.objects.all())
    boss.groups.add(group)
    admin = login("管理员")
    assert admin.post(f"/admin/auth/user/{boss.pk}/password/", {}).status_code == 403
    assert admin.post(f"/admin/auth/user/{boss.pk}/change/", {"username": "boss"}).status_code == 403
    reset = {"action": "reset_factors", "_selected_action": [boss.pk]}
    assert admin.post("/admin/auth/user/", reset).status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_an_administrator_touches_every_role(login, role):
    user = User.objects.create_user("somebody", password="x", is_staff=True)
    admin = login("管理员")
    ensure_roles(role)
    user.groups.add(Group.objects.get(name=role))
    assert admin.get(f"/admin/auth/user/{user.pk}/password/").status_code == 200


# --- keys that read in full -----------------------------------------------------------------------

KEYS = "/admin/kernel/merchantkey/"
IN_FULL = {"name": "商城", "scopes": ["orders:read_unmasked"]}


def test_a_key_that_reads_in_full_is_issued_by_who_gives_rights(login):
    assert login("主管").post(f"{KEYS}add/", IN_FULL).status_code == 200
    assert not MerchantKey.objects.exists()
    login("管理员").post(f"{KEYS}add/", IN_FULL)
    assert MerchantKey.objects.get().scopes == ["orders:read_unmasked"]


def test_nobody_else_gets_its_secret_or_gives_its_right_to_another(login):
    key, other = merchant_keys.issue(**IN_FULL)[0], merchant_keys.issue("另一个", ["orders:read"])[0]
    lead = login("主管")
    rotate = {"action": "rotate", "_selected_action": [key.pk, other.pk]}
    assert lead.post(KEYS, rotate).status_code == 403
    assert lead.post(f"{KEYS}{key.pk}/change/", IN_FULL).status_code == 403
    lead.post(f"{KEYS}{other.pk}/change/", {**IN_FULL, "active": "on"})
    other.refresh_from_db()
    assert other.scopes == ["orders:read"]
    assert lead.get(f"{KEYS}{key.pk}/change/").status_code == 200


# --- what asks who is there -----------------------------------------------------------------------


@pytest.fixture
def late(login) -> Client:
    client = login(superuser=True)
    session = client.session
    session[recent.PROVED_AT] = 0
    session.save()
    return client


def files(client: Client) -> list[tuple[str, str, dict[str, object]]]:
    ensure_roles()
    owner = User.objects.get(username="root")
    batch = moves.begin("act", title="", owner=owner)
    checked = moves.begin("import_check", title="", owner=owner)
    sent = moves.begin("import", title="", owner=owner, parameters={"what": "orders", "check": checked.pk})
    kept.keep(checked, BatchFile.Kind.RESULT, "a.csv", "text/csv", BytesIO(b"a"))
    waiting = moves.begin("export_orders", title="", owner=owner, parameters={"masked": False, "format": "csv"})
    waiting.owner = User.objects.create_user("another", password="x")
    waiting.save()
    order, key = make_order("paid"), merchant_keys.issue("商城", [])[0]
    tried = SignInAttempts.objects.create(kind="address", scope="x")
    person = User.objects.create_user("somebody", password="x", is_staff=True)
    chosen = {"_selected_action": [person.pk]}
    return [
        ("POST", f"/admin/orders/order/{order.pk}/do/unmask/", {"reason": "看看"}),
        ("POST", "/admin/backoffice/batch/export/orders/", {"form": "csv"}),
        ("POST", "/admin/backoffice/batch/export/alerts/", {"form": "csv"}),
        ("POST", "/admin/batch/", {"action": "export", "numbers": order.order_no}),
        ("POST", "/admin/audit/export/", {}),
        ("GET", f"/admin/backoffice/batch/{batch.pk}/report/", {}),
        ("GET", f"/admin/import/{sent.pk}/report/", {}),
        ("POST", f"/admin/backoffice/batch/{waiting.pk}/do/approve/", {}),
        ("GET", "/admin/import/", {}),
        ("POST", "/admin/import/", {"what": "orders"}),
        ("POST", f"/admin/import/{sent.pk}/", {"do": "check"}),
        ("POST", "/admin/auth/user/add/", {}),
        ("POST", f"/admin/auth/user/{person.pk}/change/", {}),
        ("POST", f"/admin/auth/user/{person.pk}/delete/", {"post": "yes"}),
        ("POST", f"/admin/auth/user/{person.pk}/password/", {}),
        ("POST", "/admin/auth/user/", {"action": "reset_factors", **chosen}),
        ("POST", "/admin/auth/user/", {"action": "end_sessions", **chosen}),
        ("POST", "/admin/auth/group/add/", {}),
        ("POST", f"/admin/auth/group/{Group.objects.first().pk}/change/", {}),
        ("POST", f"/admin/auth/group/{Group.objects.first().pk}/delete/", {"post": "yes"}),
        ("POST", "/admin/backoffice/signinattempts/", {"action": "unlock", "_selected_action": [tried.pk]}),
        ("POST", f"{KEYS}add/", IN_FULL),
        ("POST", f"{KEYS}{key.pk}/change/", IN_FULL),
        ("POST", KEYS, {"action": "rotate", "_selected_action": [key.pk]}),
        ("GET", "/admin/account/totp/", {}),
        ("GET", "/admin/account/passkey/", {}),
        ("POST", "/admin/account/recovery/", {}),
        ("POST", "/admin/account/factors/1/remove/", {}),
    ]


def test_whatever_matters_most_asks_whoever_posts_straight_to_it(late, settings):
    settings.STAFF_SECOND_FACTOR = "optional"
    made = files(late)
    before = {model: model.objects.count() for model in (AuditEntry, Batch, User, Group, SignInAttempts)}
    asked = {(method, url): getattr(late, method.lower())(url, data) for method, url, data in made}
    assert [one for one, answer in asked.items() if recent.ASKED_HEADER not in answer] == []
    assert {model: model.objects.count() for model in before} == before


# --- the second of two people ---------------------------------------------------------------------


@pytest.mark.parametrize("act", ["user.added", "staff.password_set", "signin.factor_reset", "staff.roles_changed"])
@pytest.mark.parametrize("whose", ["owner", "approver"])
def test_two_accounts_in_one_hand_are_not_two_people(login, frozen, act, whose):
    owner = User.objects.create_user("owner", password="x", is_staff=True, is_superuser=True)
    client = login("主管")
    second = User.objects.get(username="主管")
    batch = moves.begin("export_orders", title="", owner=owner, parameters={"masked": False, "format": "csv"})
    moves.start(batch)
    one, other = (owner, second) if whose == "owner" else (second, owner)
    audit.record(f"staff:{one.pk}", act, f"{'user' if act == 'user.added' else 'staff'}:{other.pk}")
    approve = f"/admin/backoffice/batch/{batch.pk}/do/approve/"
    client.post(approve)
    batch.refresh_from_db()
    assert batch.state == Batch.State.WAITING
    frozen.shift(8 * 24 * 3600)
    client.force_login(second)
    proved_now(client)
    client.post(approve)
    batch.refresh_from_db()
    assert batch.state == Batch.State.QUEUED


# --- the same code twice at once ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_a_code_that_is_shown_many_times_at_once_is_taken_once(wang, app, kind):
    code = code_now() if kind == "totp" else recovery.make(wang)[0]
    taken, together = [], threading.Barrier(8)

    def show() -> None:
        own = Authenticator.objects.get(pk=app.pk)
        together.wait()
        taken.append(totp.use(own, code) if kind == "totp" else recovery.use(wang, code))
        connection.close()

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 7 + [True]
