"""The second factor: asked where it must be, good once, and no way round it."""

import pytest
from django.test import Client

from frozenshop.backoffice.signin import factors, recovery, totp
from frozenshop.backoffice.signin.models import Authenticator, RecoveryCode, StaffSession
from frozenshop.backoffice.signin.tests.conftest import PASSWORD, SECRET, code_now, sign_in
from frozenshop.kernel.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
VERIFY, ACCOUNT, TOTP = "/admin/account/verify/", "/admin/account/", "/admin/account/totp/"


@pytest.fixture(autouse=True)
def required(settings):
    settings.STAFF_SECOND_FACTOR = "required"
    return settings


@pytest.fixture
def half(client: Client, app: Authenticator) -> Client:
    """Wang, who has given the password and no more."""
    assert sign_in(client).url.startswith(VERIFY)
    return client


def shown(client: Client, code: str):
    return client.post(VERIFY, {"code": code, "next": "/admin/batch/"})


def test_a_password_alone_opens_no_page(half):
    assert half.get("/admin/batch/").status_code == 302
    assert half.get("/admin/login/").url.startswith(VERIFY)


def test_with_the_code_the_way_leads_where_it_was_wanted(half):
    assert shown(half, code_now()).url == "/admin/batch/"
    assert half.get("/admin/batch/").status_code == 200


def test_the_session_has_another_id_after_each_step(client, app):
    client.get("/admin/login/")
    sign_in(client)
    first = client.session.session_key
    shown(client, code_now())
    assert client.session.session_key != first
    assert StaffSession.objects.get().session_key == client.session.session_key


def test_a_code_is_good_once(half, app):
    assert shown(half, code_now()).status_code == 302
    app.refresh_from_db()
    assert not totp.use(app, code_now())
    assert not totp.use(app, code_now(-1))


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(app, steps, good):
    assert totp.use(app, code_now(steps)) is good


@pytest.mark.parametrize("typed", ["", "12345", "１２３４５６", "abcdef", "0" * 6000, "\x00"])
def test_nonsense_is_no_code(half, typed):
    assert factors.WRONG in shown(half, typed).content.decode()


def test_after_five_wrong_codes_the_right_one_waits_too(half, frozen):
    for _ in range(5):
        shown(half, "000000")
    assert half.get("/admin/batch/").status_code == 302
    assert "尝试次数过多" in shown(half, code_now()).content.decode()
    frozen.shift(15 * 60)
    assert shown(half, code_now()).status_code == 302


def test_a_recovery_code_is_good_once(half, wang):
    code = recovery.make(wang)[0]
    assert shown(half, code.upper().replace("-", " ")).status_code == 302
    assert not recovery.use(wang, code)
    assert AuditEntry.objects.filter(action="signin.recovery_used", subject=f"staff:{wang.pk}").exists()


def test_recovery_codes_are_kept_as_hashes_and_secrets_sealed(app, wang):
    codes = recovery.make(wang)
    kept = " ".join(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert not any(code.replace("-", "") in kept or code in kept for code in codes)
    assert SECRET not in app.secret_sealed


def test_who_has_a_factor_and_only_the_password_cannot_add_another(half):
    for page in (TOTP, "/admin/account/passkey/", "/admin/account/recovery/"):
        assert half.post(page, {"code": code_now()}).url.startswith(VERIFY)
    assert Authenticator.objects.count() == 1


def test_who_has_none_must_add_one_before_anything_else(client, wang):
    assert sign_in(client).url == ACCOUNT
    assert client.get("/admin/batch/").status_code == 302
    assert "进入后台之前" in client.get(ACCOUNT).content.decode()


@pytest.fixture
def enrolled(client, wang, monkeypatch):
    monkeypatch.setattr(totp, "new_secret", lambda: SECRET)
    sign_in(client)
    assert "<svg" in client.get(TOTP).content.decode()
    return client.post(TOTP, {"code": code_now()})


def test_adding_an_app_lets_in_and_gives_recovery_codes_once(client, wang, enrolled):
    assert len(enrolled.context["codes"]) == recovery.left(wang) == 10
    assert client.get("/admin/batch/").status_code == 200
    assert not totp.use(Authenticator.objects.get(), code_now())
    assert AuditEntry.objects.filter(action="signin.factor_added").exists()


def test_adding_a_factor_ends_the_other_sessions(client, wang, monkeypatch, required):
    required.STAFF_SECOND_FACTOR = "optional"
    other = Client()
    sign_in(other)
    assert other.get("/admin/batch/").status_code == 200
    monkeypatch.setattr(totp, "new_secret", lambda: SECRET)
    sign_in(client)
    client.get(TOTP)
    client.post(TOTP, {"code": code_now()})
    assert other.get("/admin/batch/").status_code == 302


def test_the_last_factor_stays_where_one_is_required(half, app):
    shown(half, code_now())
    half.post(f"/admin/account/factors/{app.pk}/remove/")
    assert Authenticator.objects.exists()


def test_nobody_removes_another_ones_factor(client, app, login, required):
    required.STAFF_SECOND_FACTOR = "optional"
    other = login("客服")
    other.post(f"/admin/account/factors/{app.pk}/remove/")
    assert Authenticator.objects.exists()


def test_a_session_from_before_it_was_required_must_show_one(login, required):
    required.STAFF_SECOND_FACTOR = "off"
    client = login(superuser=True)
    assert client.get("/admin/batch/").status_code == 200
    required.STAFF_SECOND_FACTOR = "required"
    assert client.get("/admin/batch/").status_code == 302


def test_optional_asks_only_who_has_one(client, wang, required):
    required.STAFF_SECOND_FACTOR = "optional"
    assert sign_in(client).url == "/admin/batch/"
    totp.add(wang, SECRET, 0)
    again = Client()
    assert sign_in(again).url.startswith(VERIFY)
    assert again.get("/admin/batch/").status_code == 302


def test_off_asks_nobody(client, app, required):
    required.STAFF_SECOND_FACTOR = "off"
    assert sign_in(client).url == "/admin/batch/"


def reset(client: Client, pk: int):
    return client.post("/admin/auth/user/", {"action": "reset_factors", "_selected_action": pk})


def test_an_administrator_resets_anothers_factors_on_record(login, wang, app, required):
    required.STAFF_SECOND_FACTOR = "off"
    wang.is_superuser = False
    wang.save()
    reset(login("管理员"), wang.pk)
    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.get(action="signin.factor_reset").subject == f"staff:{wang.pk}"


@pytest.mark.parametrize("role", ["主管", "审计", "管理员"])
def test_others_do_not_and_nobody_does_it_to_a_superuser(login, wang, app, required, role):
    required.STAFF_SECOND_FACTOR = "off"
    reset(login(role), wang.pk)
    assert Authenticator.objects.exists()


def test_the_password_is_asked_for_before_another_factor_is_added(half, frozen):
    shown(half, code_now())
    frozen.shift(16 * 60)
    assert half.get(TOTP)["X-Confirm"] == "required"
    assert half.post(TOTP, {"_again_password": PASSWORD}).status_code == 200
    assert "X-Confirm" not in half.get(TOTP)
