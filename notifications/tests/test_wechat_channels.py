import threading

import pytest
from django.db import OperationalError

from frozenshop.kernel import http
from notifications.channels import base, wechat_official, wechat_subscribe
from notifications.channels.base import ChannelError, Letter
from notifications.models import MessageTemplate, OfficialFollower, Unionid
from notifications.tests.wechat_sim import FIELDS, SIGNED, Sim, sim, template
from notifications.wechat import consents, failures, official, subscribe, wire
from notifications.wechat.errors import SENDING
from orders.tests.factories import make_customer
from sandbox.controls import add_fault
from sandbox.wechat_templates import id_of

__all__ = ["sim"]
SEND, OFFICIAL_SEND = "/cgi-bin/message/subscribe/send", "/cgi-bin/message/template/send"
pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer():
    """Two consents in our ledger, none at WeChat."""
    for number in range(2):
        consents.grant("oBuyer", {SIGNED: "accept"}, f"g{number}")
    return "oBuyer"


def letter(**changes):
    given = {
        "address": "oBuyer",
        "reference": "d-1",
        "template_id": SIGNED,
        "fields": FIELDS,
        "page": "pages/order/detail",
    }
    return Letter(**given | changes)


def send(**changes):
    return wechat_subscribe.send(letter(**changes))


def left():
    return consents.balances("oBuyer", [SIGNED])[SIGNED]


def refusal(**changes):
    with pytest.raises(ChannelError) as caught:
        send(**changes)
    return caught.value


def test_both_channels_are_registered_and_off_without_keys(settings):
    assert base.get_channel("wechat_subscribe").configured()
    assert base.get_channel("wechat_official").configured() is False
    settings.WECHAT_OFFICIAL_APPID = settings.WECHAT_OFFICIAL_APP_SECRET = "x"
    settings.WECHAT_APPID = ""
    assert (wechat_subscribe.configured(), wechat_official.configured()) == (False, True)


def test_a_message_is_taken_and_costs_one_consent(sim: Sim, buyer):
    sim.allow()
    taken = send()
    assert left() == 1
    [received] = sim.messages.received
    assert (received.fields["商品名称"], received.page, str(received.msgid)) == (
        "虾仁×2",
        "pages/order/detail",
        taken.provider_id,
    )


def test_the_message_opens_the_version_that_is_set(sim: Sim, buyer, settings):
    settings.WECHAT_MINIPROGRAM_STATE = "trial"
    sim.allow()
    send()
    body = sim.asked_for(SEND)[0].request["body"]
    assert (body["miniprogram_state"], body["lang"]) == ("trial", "zh_CN")


def test_without_a_consent_wechat_is_not_asked(sim: Sim):
    error = refusal()
    assert (error.code, error.permanent) == ("no_consent", True)
    assert not sim.asked_for(SEND)


def test_wechats_refusal_empties_the_ledger_and_another_channel_must_do(sim: Sim, buyer):
    error = refusal()
    assert (error.code, error.permanent, error.unknown, left()) == ("43101", True, False, 0)


def test_texts_are_cut_to_fit_before_they_are_sent(sim: Sim, buyer):
    sim.allow()
    send(fields=FIELDS | {"thing2": "手打鱼丸500g×2、雪花牛肉卷250g×1、黄鱼×3 等6件"})
    assert sim.messages.received[0].fields["商品名称"].endswith("…等6件")


def test_a_broken_rule_never_reaches_wechat(sim: Sim, buyer):
    error = refusal(fields=FIELDS | {"time3": "明天下午"})
    assert (error.code, error.permanent) == ("field_rule", True)
    assert "time3" in error.reason
    assert "15:01" in error.reason
    assert refusal(fields={}).code == "no_fields"
    assert not sim.asked_for(SEND)


@pytest.mark.parametrize(
    "errcode", [*sorted(code for code in SENDING if code not in (-1000, 40001, 40014, 42001)), 99999]
)
def test_every_errcode_says_how_to_go_on(sim: Sim, buyer, errcode):
    """Either later again, or never this way, or not before a person acted; never a broken or second message."""
    sim.force(errcode, times=5)
    error, meaning = refusal(), SENDING.get(errcode)
    assert (error.code, error.unknown) == (str(errcode), False)
    assert str(errcode) in error.reason
    if meaning is None:
        assert error.permanent
        return
    assert bool(error.trouble) is meaning.account
    assert error.retry_after == meaning.waits
    assert error.permanent is (meaning.waits is None and not meaning.account)
    assert not sim.messages.received


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (43101, "permanent"), (40003, "permanent"), (45168, "permanent"), (47003, "permanent"), (41030, "permanent"),
        (40037, "permanent"), (43107, "permanent"), (43108, "later"), (45011, "later"), (-1, "later"),
        (45009, "trouble"), (48001, "trouble"), (40013, "trouble"), (40164, "trouble"),
    ],
)  # fmt: skip
def test_the_errcodes_of_the_official_table(errcode, kind):
    meaning = SENDING[errcode]
    found = "trouble" if meaning.account else "later" if meaning.waits else "permanent"
    assert found == kind


@pytest.mark.parametrize("errcode", [40037, 43107, 41030])
def test_a_template_that_can_not_work_is_stopped_with_the_way_out(sim: Sim, buyer, errcode):
    template()
    sim.force(errcode)
    refusal()
    assert str(errcode) in MessageTemplate.objects.get().trouble


def test_a_field_that_wechat_refuses_is_named(sim: Sim, buyer):
    sim.allow()
    sim.messages.templates[SIGNED].fields = {**FIELDS, "thing9": "新字段"}
    error = refusal()
    assert (error.code, error.permanent) == ("47003", True)
    assert "thing9" in error.reason


def test_an_address_off_the_list_is_named_and_nothing_goes_this_way(sim: Sim, buyer):
    sim.wechat.ip_allowed = False
    error = refusal()
    assert "127.0.0.1" in error.trouble
    assert not error.permanent


@pytest.mark.parametrize("end", ["expire_tokens", "revoke_tokens"])
def test_a_refused_token_is_renewed_and_the_message_sent_once(sim: Sim, buyer, end):
    sim.allow(times=2)
    send()
    getattr(sim.wechat, end)()
    send(reference="d-2")
    assert (len(sim.messages.received), left()) == (2, 0)


@pytest.mark.parametrize(("kind", "unknown"), [("cut", True), ("bad_json", True)])
def test_an_answer_that_never_came_is_unknown(sim: Sim, buyer, kind, unknown):
    sim.allow()
    subscribe.client.tokens.access_token()
    add_fault(sim.world, {"service": "wechat", "kind": kind})
    error = refusal()
    assert (error.unknown, error.permanent, left()) == (unknown, False, 2)


@pytest.mark.parametrize(
    ("status", "unknown"),
    [(None, True), (500, True), (502, True), (504, True), (408, True), (503, False), (429, False)],
)
def test_an_http_error_is_unknown_unless_the_gateway_turned_it_away(status, unknown):
    error = http.ServiceError("wechat", "HTTP", transient=True, status=status)
    assert failures.unheard(error).unknown is unknown


def test_a_token_that_can_not_be_had_leaves_no_doubt(sim: Sim, buyer):
    add_fault(sim.world, {"service": "wechat", "kind": "cut"})
    assert (refusal().unknown, refusal().permanent) == (False, False)


def test_wechat_that_can_not_be_reached_leaves_no_doubt(sim: Sim, buyer, settings):
    subscribe.client.tokens.access_token()
    settings.WECHAT_BASE_URL = "http://127.0.0.1:1"
    error = refusal()
    assert (error.unknown, error.permanent) == (False, False)


def test_a_database_that_is_away_hides_neither_a_refusal_nor_a_success(sim: Sim, buyer, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError

    monkeypatch.setattr(consents, "refused", away), monkeypatch.setattr(consents, "consumed", away)
    assert refusal().code == "43101"
    sim.allow()
    assert send().provider_id
    monkeypatch.setattr(consents, "balances", away)
    assert (refusal().code, refusal().unknown) == ("database", False)


def test_messages_to_one_buyer_go_one_after_the_other(sim: Sim, monkeypatch):
    under_way, most = [], []

    def post(path, body, **options):
        under_way.append(1)
        most.append(len(under_way))
        threading.Event().wait(0.02)
        under_way.pop()
        return {"msgid": 1}

    monkeypatch.setattr(subscribe.client, "authorised", post)
    threads = [threading.Thread(target=subscribe.send, args=("oBuyer", SIGNED, FIELDS)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1


def test_nothing_of_the_message_or_the_buyer_is_logged(sim: Sim, buyer, capsys, caplog):
    caplog.set_level("DEBUG")
    sim.force(45168)
    refusal(fields=FIELDS | {"thing2": "请打13812341234"})
    told = capsys.readouterr().err
    assert "wechat.sensitive" in told
    assert not [word for word in ("13812341234", "oBuyer", "access_token=S") if word in told]
    assert "oBuyer" not in repr(letter())


# --- the official account -------------------------------------------------------------------------

FAN = {"address": "oFan", "template_id": id_of("商品签收提醒")}


@pytest.fixture
def follower(sim: Sim):
    sim.messages.follow("oFan", "oUnion", following=True)
    return OfficialFollower.objects.create(openid="oFan", unionid="oUnion")


def test_a_follower_gets_a_message_that_opens_the_mini_program(sim: Sim, follower):
    assert wechat_official.send(letter(**FAN)).provider_id
    body = sim.asked_for(OFFICIAL_SEND)[0].request["body"]
    assert (body["client_msg_id"], body["miniprogram"]["pagepath"]) == ("d-1", "pages/order/detail")


def test_the_same_reference_reaches_a_follower_once(sim: Sim, follower):
    assert wechat_official.send(letter(**FAN)) == wechat_official.send(letter(**FAN))
    assert len(sim.messages.received) == 1


def test_who_left_is_no_follower_any_more(sim: Sim, follower):
    sim.messages.follow("oFan", "oUnion", following=False)
    with pytest.raises(ChannelError) as caught:
        wechat_official.send(letter(**FAN))
    follower.refresh_from_db()
    assert (caught.value.permanent, follower.following) == (True, False)


def test_each_account_uses_its_own_token(sim: Sim, follower, buyer):
    sim.allow()
    send(), wechat_official.send(letter(**FAN))
    assert len(sim.asked_for("/cgi-bin/stable_token")) == 2


def test_a_unionid_belongs_to_who_logged_in_with_it_last():
    first, second = make_customer(), make_customer()
    for customer in (first, first, second):
        official.remember_unionid(customer, "oUnion")
    official.remember_unionid(first, None)
    assert Unionid.objects.get().customer == second


def test_a_unionid_that_changed_replaces_the_former():
    customer = make_customer()
    official.remember_unionid(customer, "oOne"), official.remember_unionid(customer, "oTwo")
    assert Unionid.objects.get().unionid == "oTwo"


def test_an_error_of_the_wire_says_whether_it_was_sent():
    assert http.ServiceError("x", "y", transient=True).sent
    assert wire.TIMEOUT == 5.0


def test_a_list_of_followers_that_never_ends_is_left(monkeypatch):
    page = {"data": {"openid": ["a", "b"]}, "next_openid": "b"}
    monkeypatch.setattr(official.client, "authorised_get", lambda *args, **more: page)
    assert set(official.unknown_followers()) == {"a", "b"}
