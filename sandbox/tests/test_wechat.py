import re

import pytest

from sandbox.tests.conftest import CONFIG, START

LOGIN, TOKEN, STABLE = "/sns/jscode2session", "/cgi-bin/token", "/cgi-bin/stable_token"
PHONE = "/wxa/business/getuserphonenumber"
KEYS = {"appid": CONFIG.wechat_appid, "secret": CONFIG.wechat_app_secret}
CREDENTIAL = KEYS | {"grant_type": "client_credential"}


@pytest.fixture
def wechat(sandbox):
    return sandbox.world.wechat


@pytest.fixture
def login(wechat):
    def call(code, **more):
        query = KEYS | {"js_code": code, "grant_type": "authorization_code"} | more
        return wechat.answer("GET", LOGIN, query, None)

    return call


@pytest.fixture
def stable(wechat):
    return lambda **more: wechat.answer("POST", STABLE, {}, CREDENTIAL | more)


@pytest.fixture
def phone(wechat):
    return lambda token, **body: wechat.answer("POST", PHONE, {"access_token": token}, body)


def test_a_code_gives_its_openid_once(wechat, login):
    code = wechat.mint_login("oBuyer", "oUnion")
    assert {k: v for k, v in login(code).items() if k != "session_key"} == {"openid": "oBuyer", "unionid": "oUnion"}
    assert login(code)["errcode"] == 40163


def test_an_unknown_or_old_code_is_invalid(wechat, login, clock):
    code = wechat.mint_login("oBuyer")
    clock.forward(301)
    assert login(code)["errcode"] == login("nobody")["errcode"] == 40029


@pytest.mark.parametrize(
    ("more", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"appid": "wx1"}, 40013),
        ({"secret": ""}, 41004),
        ({"secret": "x"}, 40125),
        ({"grant_type": "x"}, 40002),
        ({"js_code": ""}, 41008),
    ],
)
def test_each_wrong_field_has_its_error(login, more, errcode):
    assert login("code", **more)["errcode"] == errcode


def test_errors_end_with_a_rid_that_tells_the_time(login):
    rid = re.search(r" rid: ([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}$", login("nobody")["errmsg"])
    assert int(rid[1], 16) == START


def test_each_plain_token_replaces_the_former_within_five_minutes(wechat, phone, clock):
    first, second = (wechat.answer("GET", TOKEN, CREDENTIAL, None)["access_token"] for _ in range(2))
    assert first != second
    assert phone(first, code="x")["errcode"] == 40029
    clock.forward(301)
    assert phone(first, code="x")["errcode"] == 42001
    assert phone(second, code="x")["errcode"] == 40029


def test_the_stable_token_stays_and_counts_down(stable, clock):
    first = stable()
    clock.forward(6800)
    assert stable() == {"access_token": first["access_token"], "expires_in": 400}
    clock.forward(150)
    assert stable()["access_token"] != first["access_token"]


def test_forcing_kills_the_former_token(stable, phone):
    first = stable()["access_token"]
    stable(force_refresh=True)
    assert phone(first, code="x")["errcode"] == 42001


def test_forcing_again_within_thirty_seconds_changes_nothing(stable):
    assert stable(force_refresh=True) == stable(force_refresh=True)


def test_forcing_is_limited_to_twenty_a_day(stable, clock):
    for _ in range(20):
        assert "access_token" in stable(force_refresh=True)
        clock.forward(60)
    assert stable(force_refresh=True)["errcode"] == 45009


def test_the_two_books_do_not_touch_each_other(wechat, stable, phone, clock):
    token = stable()["access_token"]
    wechat.answer("GET", TOKEN, CREDENTIAL, None)
    clock.forward(400)
    assert phone(token, code="x")["errcode"] == 40029


def test_an_address_off_the_list_gets_no_token(wechat, stable):
    wechat.ip_allowed = False
    assert stable()["errcode"] == 40164


def test_missing_and_unknown_tokens_differ(phone):
    assert phone("", code="x")["errcode"] == 41001
    assert phone("nobody", code="x")["errcode"] == 40001


def test_a_phone_code_gives_its_number_once(wechat, stable, phone):
    token, code = stable()["access_token"], wechat.mint_phone("13800001234")
    info = phone(token, code=code)["phone_info"]
    assert (info["purePhoneNumber"], info["countryCode"], info["phoneNumber"]) == ("13800001234", "86", "13800001234")
    assert phone(token, code=code)["errcode"] == 40029


def test_a_login_code_is_no_phone_code(wechat, stable, phone):
    assert phone(stable()["access_token"], code=wechat.mint_login("oBuyer"))["errcode"] == 40029


@pytest.mark.parametrize("body", [None, [], {}, {"code": 1}])
def test_a_body_that_is_no_object_is_a_format_error(wechat, stable, body):
    token = stable()["access_token"]
    assert wechat.answer("POST", PHONE, {"access_token": token}, body)["errcode"] == 47001


def test_the_wrong_verb_and_path_are_named(wechat):
    assert wechat.answer("GET", STABLE, {}, None)["errcode"] == 43002
    assert wechat.answer("POST", LOGIN, {}, None)["errcode"] == 43001
    assert wechat.answer("GET", "/cgi-bin/nothing", {}, None)["errcode"] == 40066
