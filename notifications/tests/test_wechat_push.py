import datetime as dt
import json
import threading
from pathlib import Path
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import pytest
from django.db import connections

from frozenshop.kernel import outbox
from frozenshop.kernel.models import Nonce, OutboxMessage
from notifications import checks
from notifications.models import Consent, OfficialFollower, WechatEvent
from notifications.tests.wechat_sim import SIGNED, Sim, sim
from notifications.wechat import consents, events, push_crypto, tasks
from notifications.wechat.push_crypto import Forged, Unreadable
from sandbox.wechat_push import encrypt

__all__ = ["sim"]
FIXTURES = Path(__file__).parent / "fixtures"
VECTORS = json.loads((FIXTURES / "wechat_push.json").read_text(encoding="utf-8"))
EVENTS = json.loads((FIXTURES / "wechat_events.json").read_text(encoding="utf-8"))
AES = VECTORS["wechat_push_aes"]
OPENID = "oTestOpenid0000000000000001"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_the_time_of_the_vectors(time_machine, settings):
    time_machine.move_to(dt.datetime.fromtimestamp(int(AES["timestamp"]), dt.UTC), tick=False)
    settings.WECHAT_PUSH_TOKEN, settings.WECHAT_PUSH_AES_KEY = AES["token"], AES["encoding_aes_key"]


def query(nonce="n1", timestamp=AES["timestamp"], sealed=""):
    signed = {"signature": push_crypto.sign(AES["token"], timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
    return signed | ({"msg_signature": push_crypto.sign(AES["token"], timestamp, nonce, sealed)} if sealed else {})


def plain(message, nonce="n1"):
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return events.receive(query(nonce), text.encode())


def work():
    for pk in OutboxMessage.objects.filter(status="pending", topic="notifications.wechat_event").values_list(
        "pk", flat=True
    ):
        outbox.deliver(pk)
        assert OutboxMessage.objects.get(pk=pk).status == "done", OutboxMessage.objects.get(pk=pk).last_error


def balance(template_id="TPL_SHIPPED"):
    return consents.balances(OPENID, [template_id])[template_id]


# --- signatures and encryption --------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["wechat_push_signature"])
def test_the_vectors_of_the_signature(vector):
    assert push_crypto.sign(vector["token"], vector["timestamp"], vector["nonce"]) == vector["expect"]


def test_the_vector_of_the_encryption():
    assert push_crypto.decrypt(AES["Encrypt"], AES["encoding_aes_key"]) == (AES["plaintext"], AES["appid"])
    assert push_crypto.sign(AES["token"], AES["timestamp"], AES["nonce"], AES["Encrypt"]) == AES["msg_signature"]


def test_the_sandbox_encrypts_as_the_vector_does():
    sealed = encrypt(AES["plaintext"], AES["encoding_aes_key"], AES["appid"], AES["random16"].encode())
    assert sealed == AES["Encrypt"]


def test_the_captured_push_of_the_safe_mode_is_taken():
    event = events.receive(dict(parse_qsl(AES["url_query"])), json.dumps(AES["body"]).encode())
    assert events.open_event(event) == json.loads(AES["plaintext"])
    assert OPENID not in event.body_sealed


@pytest.mark.parametrize("vector", VECTORS["wechat_push_signature"])
def test_the_address_is_verified_by_an_echo(settings, vector):
    settings.WECHAT_PUSH_TOKEN = vector["token"]
    asked = {"signature": vector["expect"], "timestamp": vector["timestamp"], "nonce": vector["nonce"], "echostr": "48"}
    assert events.verify_address(asked) == "48"
    with pytest.raises(Forged):
        events.verify_address(asked | {"nonce": "other"})


def test_without_a_token_nothing_is_signed():
    assert not push_crypto.is_signed(push_crypto.sign("", "1", "2"), "", "1", "2")


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"signature": "0" * 40}, {"nonce": "x"}, {"timestamp": ""}, {"signature": "é"}])
def test_a_forged_push_leaves_nothing(changed):
    with pytest.raises(Forged):
        events.receive(query() | changed, json.dumps(EVENTS["change"]).encode())
    assert not WechatEvent.objects.exists()
    assert not Nonce.objects.exists()


@pytest.mark.parametrize(("mode", "taken"), [("plain", True), ("compatible", True), ("safe", False)])
def test_only_the_safe_mode_refuses_what_is_not_encrypted(settings, mode, taken):
    settings.WECHAT_PUSH_MODE = mode
    if taken:
        assert plain(EVENTS["change"])
    else:
        with pytest.raises(Forged, match="安全模式"):
            plain(EVENTS["change"])
    assert WechatEvent.objects.exists() == taken


@pytest.mark.parametrize("dropped", ["msg_signature", "signature"])
def test_the_safe_mode_needs_the_signature_of_what_is_encrypted(settings, dropped):
    settings.WECHAT_PUSH_MODE = "safe"
    asked, body = dict(parse_qsl(AES["url_query"])), json.dumps(AES["body"]).encode()
    asked["signature"] = push_crypto.sign(AES["token"], AES["timestamp"], AES["nonce"])
    del asked[dropped]
    if dropped == "msg_signature":
        with pytest.raises(Forged, match="安全模式"):
            events.receive(asked, body)
    else:
        assert events.receive(asked, body)


def test_the_safe_mode_without_a_key_takes_nothing(settings):
    settings.WECHAT_PUSH_MODE, settings.WECHAT_PUSH_AES_KEY = "safe", ""
    for query_, body in ((query(), EVENTS["change"]), (dict(parse_qsl(AES["url_query"])), AES["body"])):
        with pytest.raises(Forged):
            events.receive(query_, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("mode", "key", "found"),
    [
        ("safe", "key", set()),
        ("safe", "", {"wechat.E007"}),
        ("compatible", "", set()),
        ("secure", "key", {"wechat.E008"}),
    ],
)
def test_the_check_of_the_pushs_mode(settings, mode, key, found):
    settings.WECHAT_PUSH_MODE, settings.WECHAT_PUSH_AES_KEY = mode, key and AES["encoding_aes_key"]
    assert {one.id for one in checks.check_wechat_push(None)} == found


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_push_that_is_five_minutes_off_is_refused(seconds):
    stamp = str(int(AES["timestamp"]) + seconds)
    with pytest.raises(Forged, match="5 分钟"):
        events.receive(query(timestamp=stamp), json.dumps(EVENTS["change"]).encode())


def test_the_safe_mode_refuses_another_key_account_or_content(settings):
    asked, body = dict(parse_qsl(AES["url_query"])), json.dumps(AES["body"]).encode()
    with pytest.raises(Forged, match="签名"):
        events.receive(asked, body.replace(b"Q3st", b"Q4st"))
    settings.WECHAT_APPID = "wxanother"
    with pytest.raises(Forged, match="AppID"):
        events.receive(asked, body)
    settings.WECHAT_PUSH_AES_KEY = "z" * 43
    with pytest.raises(Forged, match="EncodingAESKey"):
        events.receive(asked, body)


def test_the_official_account_pushes_to_the_same_address(settings):
    settings.WECHAT_APPID, settings.WECHAT_OFFICIAL_APPID = "wxanother", AES["appid"]
    assert events.receive(dict(parse_qsl(AES["url_query"])), json.dumps(AES["body"]).encode())


def test_a_signature_is_good_for_one_message_only():
    plain(EVENTS["change"])
    plain(EVENTS["change"])
    with pytest.raises(Forged, match="重放"):
        plain(EVENTS["sent"])
    assert WechatEvent.objects.count() == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "1", "{", r'{"MsgType":"event","Event":"\ud800"}', "<xml>",
        "<xml/>", "<x><MsgType>event</MsgType></x>", "{}", "[" * 200,
        '<!DOCTYPE x [<!ENTITY a "b">]><xml><MsgType>event</MsgType><Event>&a;</Event></xml>',
        "<xml>" + "<a>" * 200 + "</a>" * 200 + "</xml>",
    ],
)  # fmt: skip
def test_what_is_no_message_is_unreadable(text):
    with pytest.raises(Unreadable):
        plain(text)


def test_what_is_no_event_is_not_kept():
    assert plain({"MsgType": "text", "FromUserName": OPENID, "Content": "在吗"}) is None
    assert not WechatEvent.objects.exists()


# --- what is kept and handled ---------------------------------------------------------------------


def test_a_repeat_with_a_new_signature_is_the_same_row_and_one_task():
    plain(EVENTS["popup_single"], "n1"), plain(EVENTS["popup_single"], "n2")
    assert (WechatEvent.objects.count(), OutboxMessage.objects.count()) == (1, 1)


@pytest.mark.parametrize("shape", ["popup_single", "popup_multi", "popup_legacy_doc_shape", "xml"])
def test_every_shape_is_understood_and_all_are_the_same_tap(shape):
    for nonce, told in enumerate([shape, "popup_single", "xml"]):
        plain(EVENTS[told], f"n{nonce}")
    work()
    assert balance() == 1
    assert balance("TPL_SIGNED") == 0


def test_xml_with_several_entries_counts_each():
    entry = "<List><TemplateId>{}</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List>"
    entries = "".join(entry.format(escape(name)) for name in ("TPL_SHIPPED", "TPL_SIGNED"))
    head = f"<FromUserName>{OPENID}</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType>"
    named = f"<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>{entries}</SubscribeMsgPopupEvent>"
    plain(f"<xml>{head}{named}</xml>")
    work()
    assert (balance(), balance("TPL_SIGNED")) == (1, 1)


def test_a_template_switched_off_on_the_phone_empties_the_ledger_once():
    plain(EVENTS["popup_single"], "n1"), plain(EVENTS["change"], "n2")
    work()
    assert balance() == 0


def test_what_was_allowed_after_the_switch_stays(time_machine):
    time_machine.shift(200)
    consents.grant(OPENID, {"TPL_SHIPPED": "accept"}, "later")
    plain(EVENTS["change"])  # happened 100 s after the start, told late
    work()
    assert balance() == 1


@pytest.mark.parametrize("name", ["popup_single", "change", "sent"])
@pytest.mark.parametrize("openid", ["o" * 65, "o" * 5000])
def test_an_event_of_whom_can_be_nobody_is_ignored_with_the_reason(name, openid):
    event = plain(EVENTS[name] | {"FromUserName": openid})
    work()
    event.refresh_from_db()
    assert event.handled_at is not None
    assert "FromUserName" in event.detail
    assert not Consent.objects.exists()


@pytest.mark.parametrize("name", ["subscribe", "unsubscribe"])
def test_nothing_is_asked_about_a_follower_who_can_be_nobody(name):
    plain({"MsgType": "event", "Event": name, "FromUserName": "o" * 65, "CreateTime": 1})
    work()
    assert not OutboxMessage.objects.filter(topic="notifications.learn_follower").exists()


def test_an_event_with_too_long_numbers_breaks_nothing(time_machine):
    long = {"MsgID": "9" * 300, "TemplateId": "T" * 300, "ErrorCode": "1" * 300, "ErrorStatus": "x" * 900}
    event = plain(EVENTS["sent"] | {"List": long})
    time_machine.shift(180)
    work()
    event.refresh_from_db()
    assert event.handled_at is not None


def test_an_unknown_event_is_kept_and_ignored():
    event = plain({"MsgType": "event", "Event": "wxa_nothing", "FromUserName": OPENID, "CreateTime": "soon"})
    work()
    event.refresh_from_db()
    assert event.handled_at is not None
    assert event.detail == events.UNHANDLED


def test_events_of_other_modules_are_handed_over(monkeypatch):
    table = {"trade_manage_order_settlement": "notifications.tests.test_wechat_push.remember"}
    monkeypatch.setattr(events, "EVENT_HANDLERS", table)
    event = plain({"MsgType": "event", "Event": "trade_manage_order_settlement", "transaction_id": "42"})
    work()
    event.refresh_from_db()
    assert event.detail == "42"


def remember(fields, event):
    return fields["transaction_id"]


def test_the_end_of_a_message_that_is_not_ours_is_looked_for_a_while(time_machine):
    event = plain(EVENTS["sent"])
    work()
    event.refresh_from_db()
    assert event.handled_at is None
    assert OutboxMessage.objects.filter(status="pending", due_at__gt=event.received_at).exists()
    time_machine.shift(180)
    work()
    event.refresh_from_db()
    assert "不是本系统" in event.detail


def test_old_events_are_deleted(time_machine):
    plain(EVENTS["change"])
    assert events.purge() == 0
    time_machine.shift(dt.timedelta(days=91))
    assert events.purge() == 1


# --- against the sandbox --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("shape", ["list", "named"])
def test_the_sandbox_is_understood_in_every_mode_and_form(sim: Sim, mode, form, shape):
    sim.wechat.manners.push_mode, sim.wechat.manners.push_format = mode, form
    sim.wechat.manners.push_shape = shape
    sim.allow("oBuyer", SIGNED)
    sim.messages.popup("oBuyer", {SIGNED: "accept", "T2": "accept"})
    sim.push()
    work()
    # Two dialogs within one second are one event by WeChat's own advice, but for the other template.
    assert Consent.objects.get(openid="oBuyer", template_id="T2").balance == 1
    assert {call.status for call in sim.world.calls.find("wechat") if call.direction == "out"} == {200}


def test_followers_are_learnt_and_forgotten(sim: Sim):
    sim.messages.follow("oFan", "oUnion", following=True)
    sim.push()
    work()
    learn = OutboxMessage.objects.get(topic="notifications.learn_follower")
    outbox.deliver(learn.pk)
    assert OfficialFollower.objects.get(openid="oFan", unionid="oUnion").following
    sim.messages.follow("oFan", "oUnion", following=False)
    sim.push()
    work()
    assert not OfficialFollower.objects.get(openid="oFan").following


def test_followers_whose_event_was_missed_are_found(sim: Sim):
    OfficialFollower.objects.create(openid="oGone", unionid="oGone")
    sim.messages.follow("oFan", "oUnion", following=True)
    outbox.enqueue("notifications.learn_followers")
    outbox.deliver(OutboxMessage.objects.get(topic="notifications.learn_followers").pk)
    assert OutboxMessage.objects.filter(topic="notifications.learn_follower").count() == 1
    assert not OfficialFollower.objects.get(openid="oGone").following


def test_the_tasks_are_known():
    assert tasks.check_templates is not None


@pytest.mark.django_db(transaction=True)
def test_one_event_pushed_to_many_processes_at_once_is_one_row_and_one_task():
    failed = []

    def take(nonce):
        try:
            plain(EVENTS["popup_single"], nonce)
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take, args=(f"n{number % 4}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (WechatEvent.objects.count(), OutboxMessage.objects.count(), Nonce.objects.count()) == (1, 1, 4)
