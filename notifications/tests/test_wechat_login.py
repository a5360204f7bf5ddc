import json
import threading
from uuid import uuid4

import pytest
import requests

from frozenshop.kernel.errors import Forbidden, Invalid, RateLimited, Unavailable
from notifications.wechat import client, tokens, wire
from notifications.wechat.errors import WechatError
from sandbox.config import Config
from sandbox.server import Sandbox

SECRET = "test-only-app-secret"


class FakeClock:
    now = 1_767_225_600.0

    def __call__(self):
        return self.now


@pytest.fixture
def sim(settings):
    """The real sandbox on a free port, in WeChat's place. A new appid has no token in the cache."""
    appid = f"wx{uuid4().hex[:16]}"
    sandbox = Sandbox(Config("1", "key", appid, SECRET, port=0), clock=FakeClock(), sleep=lambda seconds: None)
    server = sandbox.bind()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.WECHAT_BASE_URL = f"http://127.0.0.1:{server.server_port}"
    settings.WECHAT_APPID, settings.WECHAT_APP_SECRET = appid, SECRET
    yield sandbox.world
    server.shutdown()
    thread.join()
    server.server_close()


def asked_for(world, path):
    return [call for call in world.calls.find("wechat") if call.path == path]


def test_a_login_code_gives_the_openid_and_drops_the_session_key(sim):
    session = client.code_to_session(sim.wechat.mint_login("oBuyer1", "oUnion1"))
    assert session == client.WechatSession("oBuyer1", "oUnion1")


def test_a_user_without_an_open_platform_account_has_no_unionid(sim):
    assert client.code_to_session(sim.wechat.mint_login("oBuyer1")).unionid is None


def test_a_login_code_is_good_once(sim):
    code = sim.wechat.mint_login("oBuyer1")
    client.code_to_session(code)
    with pytest.raises(Invalid) as refusal:
        client.code_to_session(code)
    assert "code" in refusal.value.fields


def test_a_login_code_is_good_for_five_minutes(sim):
    code = sim.wechat.mint_login("oBuyer1")
    sim.clock.now += 301
    with pytest.raises(Invalid):
        client.code_to_session(code)


@pytest.mark.parametrize("code", ["", "x" * 257, "登录码", "a\nb", "0" * 32])
def test_a_code_that_can_not_be_one_is_refused_on_its_field(sim, code):
    with pytest.raises(Invalid) as refusal:
        client.code_to_session(code)
    assert list(refusal.value.fields) == ["code"]


def test_without_keys_the_integration_is_off_and_says_so(settings):
    settings.WECHAT_APP_SECRET = ""
    with pytest.raises(Unavailable, match="没有启用"):
        client.code_to_session("code")


@pytest.mark.parametrize("kind", ["http_5xx", "cut", "bad_json"])
def test_a_wechat_that_fails_is_unavailable(sim, kind):
    from sandbox.controls import add_fault

    add_fault(sim, {"service": "wechat", "kind": kind})
    with pytest.raises(Unavailable):
        client.code_to_session(sim.wechat.mint_login("oBuyer1"))


def test_wrong_settings_are_unavailable_to_a_buyer(sim, settings):
    settings.WECHAT_APP_SECRET = "another"
    with pytest.raises(Unavailable) as refusal:
        client.code_to_session(sim.wechat.mint_login("oBuyer1"))
    assert refusal.value.__cause__.permanent


@pytest.mark.parametrize(("errcode", "problem"), [(40226, Forbidden), (45011, RateLimited), (-1, Unavailable)])
def test_what_wechat_says_becomes_what_a_buyer_can_do(settings, monkeypatch, errcode, problem):
    def refuse(path, params):
        raise WechatError(errcode, path=path)

    monkeypatch.setattr(wire, "get", refuse)
    with pytest.raises(problem):
        client.code_to_session("code")


def test_a_phone_code_gives_bare_digits(sim):
    assert client.phone_number(sim.wechat.mint_phone("13800001234"), "oBuyer1") == "13800001234"


def test_a_number_from_abroad_carries_its_country(sim):
    assert client.phone_number(sim.wechat.mint_phone("91234567", country_code="852")) == "+85291234567"


def test_the_country_may_be_a_number(monkeypatch):
    info = {"purePhoneNumber": "13800001234", "countryCode": 86}
    monkeypatch.setattr(client, "authorised", lambda path, body: {"phone_info": info})
    assert client.phone_number("code") == "13800001234"


def test_another_users_phone_code_is_refused(sim):
    with pytest.raises(Invalid):
        client.phone_number(sim.wechat.mint_phone("13800001234", openid="oBuyer1"), "oBuyer2")


def test_the_token_is_fetched_once(sim):
    for _ in range(3):
        client.phone_number(sim.wechat.mint_phone("13800001234"))
    assert len(asked_for(sim, "/cgi-bin/stable_token")) == 1


def test_parallel_callers_fetch_one_token(sim):
    threads = [threading.Thread(target=tokens.access_token) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked_for(sim, "/cgi-bin/stable_token")) == 1


def test_a_token_is_renewed_before_it_ends(sim, time_machine):
    time_machine.move_to("2026-01-01T00:00:00+00:00", tick=False)
    first = tokens.access_token()
    time_machine.shift(6800)
    assert tokens.access_token() == first
    time_machine.shift(200)
    sim.clock.now += 7000
    assert tokens.access_token() != first


@pytest.mark.parametrize("end", ["revoke_tokens", "expire_tokens"])
def test_a_refused_token_is_renewed_and_the_call_repeated(sim, end):
    tokens.access_token()
    getattr(sim.wechat, end)()
    assert client.phone_number(sim.wechat.mint_phone("13800001234")) == "13800001234"


def test_a_token_that_another_process_renewed_is_taken_over(sim):
    tokens.access_token()
    assert tokens.renewed("an older one") == tokens.access_token()
    assert len(asked_for(sim, "/cgi-bin/stable_token")) == 1


def test_a_token_is_forced_at_most_once_in_ten_minutes(sim):
    first = tokens.access_token()
    second = tokens.renewed(first)
    assert second != first
    assert tokens.renewed(second) == second


def test_an_address_that_is_not_allowed_is_a_permanent_error(sim):
    sim.wechat.ip_allowed = False
    with pytest.raises(WechatError) as refusal:
        tokens.access_token()
    assert (refusal.value.errcode, refusal.value.permanent) == (40164, True)
    assert refusal.value.rid


def test_an_errcode_may_be_text(monkeypatch):
    answer = requests.Response()
    answer._content = json.dumps({"errcode": "40029", "errmsg": "invalid code"}).encode()
    monkeypatch.setattr(wire.http, "call", lambda *args, **kwargs: answer)
    with pytest.raises(WechatError) as refusal:
        wire.get("/sns/jscode2session", {})
    assert refusal.value.errcode == 40029


def test_neither_secret_nor_code_nor_token_reach_the_log(sim, capsys, caplog, settings):
    caplog.set_level("DEBUG")
    code = sim.wechat.mint_login("oBuyer1")
    client.code_to_session(code)
    client.phone_number(sim.wechat.mint_phone("13800001234"))
    settings.WECHAT_APP_SECRET = "another-secret"
    with pytest.raises(Unavailable):
        client.code_to_session(code)
    told = capsys.readouterr().err
    assert "wechat.refused" in told
    assert "js_code=" in told
    assert not [word for word in (code, SECRET, "another-secret", tokens.access_token()) if word in told]
