"""A session ends unused, ends at last, and ends when its person says so."""

import pytest
from django.test import Client

from frozenshop.backoffice.signin import sessions
from frozenshop.backoffice.signin.models import StaffSession
from frozenshop.backoffice.signin.tests.conftest import PASSWORD, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
MINUTE, HOUR = 60, 3600
END = "/admin/account/sessions/end/"


@pytest.fixture
def here(client: Client, wang) -> Client:
    sign_in(client)
    return client


@pytest.fixture
def elsewhere(wang) -> Client:
    client = Client()
    sign_in(client)
    return client


def inside(client: Client) -> bool:
    return client.get("/admin/batch/").status_code == 200


def test_unused_for_an_hour_it_ends_and_says_so(here, frozen):
    frozen.shift(HOUR + 1)
    assert not inside(here)
    assert "登录已过期" in here.get("/admin/login/").content.decode()
    assert not StaffSession.objects.exists()


def test_used_it_goes_on_but_not_beyond_twelve_hours(here, frozen):
    for _ in range(13 * 2 - 2):
        frozen.shift(30 * MINUTE)
        assert inside(here)
    frozen.shift(30 * MINUTE)
    assert not inside(here)


def test_within_a_minute_nothing_is_written(here, frozen, django_assert_max_num_queries):
    before = StaffSession.objects.get().seen_at
    frozen.shift(59)
    inside(here)
    assert StaffSession.objects.get().seen_at == before
    frozen.shift(1)
    inside(here)
    assert StaffSession.objects.get().seen_at > before


def test_a_person_sees_their_own_sessions_and_no_others(here, elsewhere, login):
    login("客服").get("/admin/account/")
    assert len(here.get("/admin/account/").context["sessions"]) == 2


def test_a_person_ends_the_others(here, elsewhere):
    here.post(END)
    assert (inside(here), inside(elsewhere)) == (True, False)


def test_a_person_ends_one(here, elsewhere):
    one = StaffSession.objects.get(session_key=elsewhere.session.session_key)
    here.post(END, {"session": one.pk})
    assert (inside(here), inside(elsewhere)) == (True, False)


def test_nobody_ends_somebody_elses(here, login):
    login("客服").post(END, {"session": StaffSession.objects.get(session_key=here.session.session_key).pk})
    assert inside(here)


def test_a_new_password_ends_the_other_sessions(here, elsewhere):
    new = "another long one 7"
    given = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/admin/password_change/", given).status_code == 302
    assert (inside(here), inside(elsewhere)) == (True, False)
    assert StaffSession.objects.count() == 1


def test_an_account_switched_off_is_out_at_once(here, wang):
    wang.is_active = False
    wang.save()
    assert not inside(here)


def test_the_session_has_another_id_after_signing_in(client, wang):
    client.get("/admin/login/")
    session = client.session
    session["x"] = 1
    session.save()
    before = session.session_key
    sign_in(client)
    assert client.session.session_key != before


def test_the_cookies_are_for_this_site_and_no_scripts(client, wang, settings):
    settings.SESSION_COOKIE_SECURE = True
    cookies = sign_in(client).cookies
    for name in ("sessionid", "fs_device"):
        assert (cookies[name]["httponly"], cookies[name]["secure"], cookies[name]["samesite"]) == (True, True, "Lax")


def test_the_name_of_a_session_is_no_key_to_it(here):
    assert here.session.session_key not in here.get("/admin/account/").content.decode()


def test_what_ran_out_is_forgotten(here, frozen):
    frozen.shift(13 * HOUR)
    assert sessions.purge() == 1
