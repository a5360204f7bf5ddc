import base64
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sandbox.tests.conftest import CONFIG
from sandbox.wechat_push import encrypt, sign
from sandbox.wechat_rules import fits
from sandbox.wechat_templates import id_of

SEND, OFFICIAL = "/cgi-bin/message/subscribe/send", "/cgi-bin/message/template/send"
SIGNED = id_of("订单签收通知")
DATA = {"character_string1": "20260101A0001", "thing2": "手打鱼丸500g等3件", "time3": "2026年01月01日 15:01"}


@pytest.fixture
def wechat(sandbox):
    return sandbox.world.wechat


@pytest.fixture
def call(wechat):
    """Call as the mini-program's server, or with the official account's token."""

    def ask(path, body=None, *, official=False, method="POST", **query):
        account = wechat.official if official else wechat.mini
        token = account.stable_token(wechat.clock(), force=False).value
        return wechat.answer(method, path, {"access_token": token, **query}, body)

    return ask


@pytest.fixture
def send(call):
    def ask(values=DATA, **changes):
        body = {"touser": "oBuyer", "template_id": SIGNED, "data": {k: {"value": v} for k, v in values.items()}}
        return call(SEND, body | changes)

    return ask


@pytest.fixture
def consent(wechat):
    return lambda result="accept", **more: wechat.messages.popup("oBuyer", {SIGNED: result}, **more)


def test_a_consent_is_good_for_one_message(send, consent, wechat):
    consent()
    assert send()["errcode"] == 0
    assert send()["errcode"] == 43101
    assert [message.fields["商品名称"] for message in wechat.messages.received] == ["手打鱼丸500g等3件"]


def test_consents_add_up_and_a_refused_dialog_takes_none_away(send, consent):
    consent(), consent(), consent("reject")
    assert [send()["errcode"] for _ in range(3)] == [0, 0, 43101]


def test_a_template_switched_off_on_the_phone_takes_all_away(send, consent, wechat):
    consent()
    wechat.messages.refuse("oBuyer", SIGNED)
    assert send()["errcode"] == 43101


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"touser": "no such"}, 40003),
        ({"template_id": "nothing"}, 40037),
        ({"page": "/pages/absolute"}, 41030),
        ({"data": json.dumps(DATA)}, 47001),
        ({"data": DATA | {"thing2": "x"}}, 47003),
    ],
)
def test_each_wrong_field_has_its_error_and_costs_no_consent(send, consent, wechat, changes, errcode):
    consent()
    assert send(**changes)["errcode"] == errcode
    assert wechat.messages.consents["oBuyer", SIGNED] == 1


def test_a_missing_value_and_a_broken_rule_are_named(send, consent):
    consent()
    assert send({**DATA, "thing2": ""})["errmsg"].startswith("argument invalid! data.thing2.value is emtpy rid: ")
    assert send({**DATA, "thing2": "鱼" * 21})["errmsg"].startswith("argument invalid! data.thing2.value invalid rid: ")
    assert send({**DATA, "thing2": "敏感词测试"})["errcode"] == 45168


def test_a_banned_template_and_the_end_of_uniform_send(send, consent, wechat, call):
    wechat.messages.templates[SIGNED].banned = True
    consent()
    assert send()["errcode"] == 43107
    assert call("/cgi-bin/message/wxopen/template/uniform_send", {})["errcode"] == 45109


def test_quotas_are_counted_by_minute_and_day(send, wechat, clock):
    wechat.manners.minute_quota = 1
    assert [send()["errcode"], send()["errcode"]] == [43101, 45011]
    clock.forward(60)
    wechat.manners.daily_quota = 2
    assert send()["errcode"] == 45009


def test_any_error_can_be_forced(send, consent, http):
    consent()
    assert http("POST", "/_sim/wechat/force", json={"path": SEND, "errcode": 43108, "times": 1}).status_code == 200
    assert [send()["errcode"], send()["errcode"]] == [43108, 0]


@pytest.mark.parametrize(
    ("field", "value", "fine"),
    [
        ("thing1", "手打鱼丸500g等3件", True), ("thing1", "一二三四五六七八九十一二三四五六七八九十一", False),
        ("thing1", "", False), ("thing1", "两\n行", False), ("character_string1", "SF1234567890123", True),
        ("character_string1", "订单1", False), ("phrase1", "配送中", True), ("phrase1", "正在派送途中", False),
        ("phrase1", "OK", False), ("time1", "2026年01月01日 15:01", True), ("time1", "15:01:30", True),
        ("time1", "15:01~16:00", True), ("time1", "明天下午", False), ("date1", "2018-01", True),
        ("date1", "01-01", True), ("date1", "2019年10月1日 15:01", True), ("date1", "周一", False),
        ("phone_number1", "138****1234", True), ("phone_number1", "15隐私保护7851", False),
        ("amount1", "￥128.50", True), ("name1", "用户410774", False), ("name1", "张*", True),
        ("letter1", "abc", True), ("number1", "3.5", True), ("enum1", "是", True), ("enum1", "否", False),
        ("unknown1", "x", False),
    ],
)  # fmt: skip
def test_the_rules_of_the_fields(field, value, fine):
    assert fits(field, value, ("是",)) is fine


def test_templates_are_listed_with_their_fields(call):
    listed = {t["title"]: t for t in call("/wxaapi/newtmpl/gettemplate", method="GET")["data"]}
    assert listed["订单签收通知"]["priTmplId"] == SIGNED
    assert "商品名称:{{thing2.DATA}}\n" in listed["订单签收通知"]["content"]


# --- the official account -------------------------------------------------------------------------


@pytest.fixture
def official(call):
    def ask(**changes):
        data = {"character_string1": "A1", "thing2": "鱼丸", "time3": "15:01"}
        body = {"touser": "oFan", "template_id": id_of("商品签收提醒"), "client_msg_id": "d1"}
        return call(OFFICIAL, body | {"data": {k: {"value": v} for k, v in data.items()}} | changes, official=True)

    return ask


def test_only_a_follower_is_reached_and_a_client_msg_id_counts_once(official, wechat, clock):
    assert official()["errcode"] == 43004
    wechat.messages.follow("oFan", "oUnion", following=True)
    assert official()["msgid"] == official()["msgid"]
    assert len(wechat.messages.received) == 1
    clock.forward(601)
    official()
    assert len(wechat.messages.received) == 2


def test_a_follower_is_told_apart_by_unionid(call, wechat):
    wechat.messages.follow("oFan", "oUnion", following=True)
    assert call("/cgi-bin/user/info", official=True, method="GET", openid="oFan")["unionid"] == "oUnion"
    assert call("/cgi-bin/user/info", official=True, method="GET", openid="oNo") == {"subscribe": 0, "openid": "oNo"}
    assert call("/cgi-bin/user/get", official=True, method="GET")["data"] == {"openid": ["oFan"]}


def test_the_accounts_tokens_are_not_each_others(call, wechat):
    assert call("/cgi-bin/user/get", method="GET")["errcode"] == 40001
    assert call("/wxaapi/newtmpl/gettemplate", official=True, method="GET")["errcode"] == 40001


# --- what is pushed -------------------------------------------------------------------------------


@pytest.fixture
def pushed(sandbox, merchant, clock):
    """Let the events out, and return the queries and bodies as they came."""

    def run(seconds=2):
        merchant.answers = [(200, "success")] * 20
        clock.forward(seconds)
        sandbox.event_pusher.tick()
        return [(dict(parse_qsl(urlsplit(push.url).query)), push.body.decode()) for push in merchant.pushed]

    return run


def decrypt(sealed):
    key = base64.b64decode(CONFIG.wechat_push_aes_key + "=")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    padded = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
    content = padded[: -padded[-1]]
    length = int.from_bytes(content[16:20], "big")
    return json.loads(content[20 : 20 + length]), content[20 + length :].decode()


def test_an_accept_is_pushed_encrypted_and_signed(consent, pushed):
    consent()
    [(query, body)] = pushed()
    sealed = json.loads(body)["Encrypt"]
    event, appid = decrypt(sealed)
    assert query["msg_signature"] == sign(CONFIG.wechat_push_token, query["timestamp"], query["nonce"], sealed)
    assert (appid, event["List"]["SubscribeStatusString"]) == (CONFIG.wechat_appid, "accept")


def test_plain_and_compatible_pushes_show_the_event(consent, pushed, wechat):
    wechat.manners.push_mode = "compatible"
    consent()
    assert json.loads(pushed()[0][1]).keys() >= {"Encrypt", "List", "Event"}
    wechat.manners.push_mode = "plain"
    consent()
    assert "Encrypt" not in json.loads(pushed()[-1][1])


def test_one_entry_stands_bare_and_several_in_a_list(consent, pushed, wechat):
    wechat.manners.push_mode = "plain"
    wechat.messages.popup("oBuyer", {SIGNED: "accept", id_of("取件提醒"): "reject"})
    assert [item["SubscribeStatusString"] for item in json.loads(pushed()[0][1])["List"]] == ["accept", "reject"]
    wechat.manners.push_shape = "named"
    consent()
    assert len(json.loads(pushed()[-1][1])["SubscribeMsgPopupEvent"]) == 1


def test_xml_repeats_the_entries(pushed, wechat):
    wechat.manners.push_mode, wechat.manners.push_format = "plain", "xml"
    wechat.messages.popup("oBuyer", {SIGNED: "accept", "t2": "accept"})
    assert pushed()[0][1].count("<List><TemplateId><![CDATA[") == 2


def test_an_event_is_told_three_times_at_most(sandbox, consent, merchant, clock):
    consent()
    merchant.answers = [(500, "")] * 9
    for _ in range(6):
        clock.forward(2)
        sandbox.event_pusher.tick()
    assert len(merchant.pushed) == 3


def test_the_end_of_each_message_is_pushed(send, consent, official, pushed, wechat):
    wechat.manners.push_mode = "plain"
    consent(pushed=False)
    msgid = send()["msgid"]
    event = json.loads(pushed()[-1][1])
    assert (event["Event"], event["List"]["MsgID"]) == ("subscribe_msg_sent_event", str(msgid))
    wechat.messages.follow("oFan", "oUnion", following=True)
    official()
    assert json.loads(pushed()[-1][1])["Event"] == "TEMPLATESENDJOBFINISH"


def test_faults_of_pushes(consent, pushed, http, wechat):
    for kind in ("forged", "duplicate"):
        http("POST", "/_sim/faults", json={"service": "wechat", "kind": kind})
    consent()
    tokens = [sign(CONFIG.wechat_push_token, q["timestamp"], q["nonce"]) == q["signature"] for q, _ in pushed()]
    assert tokens == [False, True, True]


def test_the_vector_of_the_encryption(sandbox):
    key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    sealed = encrypt("{}", key, "wx0123456789abcdef", b"0123456789abcdef")
    assert decrypt(sealed) == ({}, "wx0123456789abcdef")
    assert sign("AAAAA", "1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"


# --- the controls ---------------------------------------------------------------------------------


def test_what_the_phones_received_is_listed(http, send):
    http("POST", "/_sim/wechat/popup", json={"openid": "oBuyer", "results": {SIGNED: "accept"}})
    send()
    told = http("GET", "/_sim/wechat/messages", params={"openid": "oBuyer"}).json()
    assert told["messages"][0]["fields"]["订单编号"] == "20260101A0001"
    assert told["consents"] == [{"openid": "oBuyer", "template_id": SIGNED, "balance": 0}]
    assert http("GET", "/_sim/wechat/messages", params={"openid": "oNo"}).json() == {"messages": [], "consents": []}


def test_a_template_is_added_by_the_control(http):
    made = http("POST", "/_sim/wechat/templates", json={"title": "新", "fields": {"thing1": "商品"}}).json()
    listed = http("GET", "/_sim/wechat/templates").json()["templates"]
    assert made["template_id"] in [template["priTmplId"] for template in listed]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("popup", {"openid": "o", "results": {"t": "maybe"}}, "results"),
        ("popup", {"openid": "o", "results": []}, "results"),
        ("force", {"path": "/nothing"}, "path"),
        ("templates", {"title": "x", "fields": []}, "fields"),
        ("refuse", {"openid": "o"}, "template_id"),
        ("follow", {"openid": "o", "following": 1}, "following"),
    ],
)
def test_a_wrong_input_is_refused_on_its_field(http, path, body, field):
    answer = http("POST", f"/_sim/wechat/{path}", json=body)
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [field])
