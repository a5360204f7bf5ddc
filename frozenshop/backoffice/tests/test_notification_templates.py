"""Templates in the admin: a mapping is previewed, checked by the rules, tried out, and adopted from WeChat's list."""

import pytest
from django.core.cache import cache

from frozenshop.backoffice.tests.pages import messages, text
from frozenshop.kernel import redis_store, throttling
from frozenshop.kernel.models import AuditEntry
from notifications import budgets
from notifications.channels.base import ChannelError
from notifications.models import MessageTemplate, SmsBudget
from notifications.tests.conftest import frozen, post
from notifications.tests.wechat_sim import SIGNED, sim
from notifications.wechat import consents
from orders.tests.factories import make_customer

FIXTURES = (frozen, post, sim)
pytestmark = pytest.mark.django_db
LIST = "/admin/notifications/messagetemplate/"
MAPPED = {"character_string1": "{order_no}", "thing2": "{lines}", "time3": "{time}"}
PHONE, TESTER = "13800001111", "oTester-0123456789abcdef"


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    cache.clear()
    monkeypatch.setattr(redis_store, "current", lambda: None)
    monkeypatch.setattr(throttling, "HERE", throttling.LocalLimits())


def given(fields: dict[str, str] | None = None, **changes: str) -> dict[str, object]:
    fields = MAPPED if fields is None else fields
    form = {"channel": "wechat_subscribe", "milestone": "delivered", "template_id": SIGNED, "title": "订单签收通知"}
    rows = {"fields_name": [*fields, "", ""], "fields_text": [*fields.values(), "", ""]}
    return {**form, "page": "", "enabled": "on", **rows, **changes}


def add(client, fields: dict[str, str] | None = None, **changes: str) -> str:
    return text(client.post(f"{LIST}add/", given(fields, **changes), follow=True))


def preview(client, fields: dict[str, str] | None = None, **changes: str) -> str:
    return text(client.post(f"{LIST}preview/", given(fields, **changes)))


def sms(fields: dict[str, str], **changes: str) -> dict[str, object]:
    return given(fields, **{"channel": "sms_aliyun", "template_id": "SMS_1", **changes})


def made(channel: str = "wechat_subscribe", **changes: object) -> MessageTemplate:
    MessageTemplate.objects.all().delete()
    values = {"channel": channel, "milestone": "delivered", "template_id": SIGNED, "title": "签收", "fields": MAPPED}
    return MessageTemplate.objects.create(**{**values, **changes})


def allow(sim) -> None:
    sim.allow(TESTER)
    consents.grant(TESTER, {SIGNED: "accept"}, "tap")


def attempt(client, template: MessageTemplate, address: str):
    return client.post(f"{LIST}{template.pk}/test/", {"address": address}, follow=True)


# --- the preview ----------------------------------------------------------------------------------


def test_the_preview_shows_made_up_words_and_what_a_long_order_makes_of_them(lead):
    shown = preview(lead)
    assert "符合规则" in shown
    assert "A20261122001" in shown
    assert "虾仁×2、鳕鱼×1" in shown
    assert "…等12件" in shown


@pytest.mark.parametrize(("fields", "said"), [
    ({"phrase1": "A单"}, "只能是 1–5 个汉字"),
    ({"thing1": "{phone}"}, "没有变量 {phone}：可用的是"),
    ({"thing": "x"}, "不是微信的字段名"),
    ({"time1": "{order_no}"}, "要写 15:01"),
    ({}, "还没有填写字段"),
])  # fmt: skip
def test_a_broken_rule_is_named_with_the_way_out(lead, fields, said):
    assert said in preview(lead, fields)
    assert said in add(lead, fields)
    assert not MessageTemplate.objects.exists()


@pytest.mark.parametrize(("page", "said"), [
    ("/pages/x", "开头不带 /"), ("pages/x?p={name}", "不能带 name"),
])  # fmt: skip
def test_a_page_that_opens_nothing_or_tells_too_much_is_refused(lead, page, said):
    assert said in add(lead, page=page)


@pytest.mark.parametrize(("rows", "said"), [
    ({"fields_name": ["thing1", "thing1"], "fields_text": ["a", "b"]}, "字段 thing1 写了两次"),
    ({"fields_name": ["", ""], "fields_text": ["内容", ""]}, "“内容”前没有写字段名"),
    ({"fields_name": ["thing1"], "fields_text": [""]}, "字段 thing1 没有内容"),
    ({"fields_name": ["thing1"], "fields_text": ["x" * 201]}, "超过 200 个字"),
    ({"fields_name": [f"thing{n}" for n in range(30)], "fields_text": ["x"] * 30}, "最多 20 个"),
])  # fmt: skip
def test_rows_that_make_no_mapping_are_refused_by_name(lead, rows, said):
    assert said in text(lead.post(f"{LIST}add/", {**given(), **rows}))


@pytest.mark.parametrize("changes", [{"channel": "x"}, {"milestone": "x"}, {"channel": "", "milestone": ""}])
def test_nothing_chosen_yet_shows_how_to_begin(lead, changes):
    assert "选好渠道和内容后" in preview(lead, **changes)
    assert lead.get(f"{LIST}preview/").status_code == 200


@pytest.mark.parametrize("typed", ["\x00", "😀𠮷", "{{{", "{" * 500, "<script>", "\u202e", "%s", "{order_no}" * 30])
def test_the_form_takes_anything(lead, typed):
    rows = {"fields_name": [typed[:30], "thing1"], "fields_text": [typed, typed]}
    for url in ("preview/", "add/"):
        answer = lead.post(LIST + url, {**given(), **rows, "title": typed, "page": typed, "template_id": typed})
        assert answer.status_code in (200, 302)
        assert b"<script>alert" not in answer.content


def test_a_milestone_that_never_goes_by_a_channel_is_refused_with_those_that_it_goes_by(lead):
    said = add(lead, {"code": "{order_no}"}, channel="sms_aliyun", milestone="paid", template_id="SMS_1")
    assert "“付款成功”不用阿里云短信；可选：微信订阅消息、公众号模板消息" in said


@pytest.mark.parametrize(("channel", "fields", "said"), [
    ("sms_aliyun", {"1code": "x"}, "照阿里云模板里"),
    ("sms_aliyun", {"link": "www.example.com"}, "不能含网址"),
    ("sms_aliyun", {"code": "{adress}"}, "没有变量 {adress}"),
    ("sms_tencent", {"1": "a", "3": "b"}, "依次命名为 1、2、3"),
])  # fmt: skip
def test_sms_have_rules_of_their_own(lead, channel, fields, said):
    assert said in add(lead, fields, channel=channel, template_id="SMS_1")


def test_an_sms_template_is_kept_in_the_order_of_its_fields(lead):
    add(lead, {"1": "{order_no}", "2": "{carrier}"}, channel="sms_tencent", template_id="1234")
    assert MessageTemplate.objects.get().fields == {"1": "{order_no}", "2": "{carrier}"}


# --- WeChat's own list ----------------------------------------------------------------------------


def test_a_field_that_wechats_template_has_and_ours_lacks_is_named(lead, sim):
    fields = dict(list(MAPPED.items())[:1])
    assert "每个字段都要有内容" in add(lead, fields)
    assert not MessageTemplate.objects.exists()


def test_a_template_that_wechat_doesnt_know_is_refused(lead, sim):
    assert "微信后台没有编号 nothing 的模板" in add(lead, template_id="nothing")


def test_the_labels_of_the_preview_are_wechats_own(lead, sim):
    assert "<dt>订单" in preview(lead)


def test_where_wechat_cant_be_asked_it_is_saved_with_a_warning(lead, sim):
    sim.wechat.ip_allowed = False
    assert "没有与微信核对" in add(lead)
    assert MessageTemplate.objects.get().trouble == ""


def test_wechats_templates_are_adopted_and_can_be_saved_as_they_are(lead, sim):
    shown = lead.post(f"{LIST}adopt/", follow=True)
    assert "从微信后台新建了" in messages(shown)
    assert MessageTemplate.objects.filter(trouble="").count() >= 4
    assert AuditEntry.objects.filter(action="messagetemplate.adopted").exists()


def test_what_was_mended_is_used_again(lead):
    template = made(trouble="核对：缺少字段 thing2")
    assert "已停用：核对：缺少字段 thing2" in text(lead.get(f"{LIST}{template.pk}/change/"))
    lead.post(f"{LIST}{template.pk}/change/", given())
    template.refresh_from_db()
    assert template.trouble == ""


# --- trying it out --------------------------------------------------------------------------------


def test_a_test_message_reaches_the_phone_of_who_asked(lead, sim):
    allow(sim)
    shown = attempt(lead, made(), TESTER)
    assert "测试消息已交给微信订阅消息，发往 oTe…def，渠道编号" in messages(shown)
    assert sim.messages.received[-1].openid == TESTER
    entry = AuditEntry.objects.get(action="messagetemplate.tested")
    assert entry.details["address"] == "oTe…def"


def test_a_tester_is_found_by_the_phone_that_they_verified(lead, sim):
    make_customer(TESTER, phone=PHONE)
    allow(sim)
    assert "发往 oTe…def" in messages(attempt(lead, made(), PHONE))
    assert "还没有在小程序里验证过" in messages(attempt(lead, made(), "13800002222"))
    assert "没有关注公众号" in messages(attempt(lead, made("wechat_official"), PHONE))


def test_without_consent_the_refusal_is_shown(lead, sim):
    shown = messages(attempt(lead, made(), TESTER))
    assert "没有发出：没有订阅授权（no_consent）：请先在小程序里允许这条订阅消息" in shown


def test_a_test_sms_is_paid_from_the_days_budget_and_its_number_is_kept_nowhere(lead, post, caplog):
    shown = attempt(lead, made("sms_aliyun", fields={"code": "{order_no}"}), "138 0000 1111")
    assert "发往 138****1111" in messages(shown)
    (letter,) = post["sms_aliyun"].letters
    assert (letter.address, letter.fields) == (PHONE, {"code": "A20261122001"})
    assert SmsBudget.objects.get(purpose=budgets.NOTICES).used == 1
    entry = AuditEntry.objects.get(action="messagetemplate.tested")
    assert PHONE not in f"{entry.details}{entry.subject}{caplog.text}{text(shown)}"


@pytest.mark.parametrize("address", ["", "x", "021-12345678", "+85291234567", "\x00", "1" * 5000])
def test_a_test_sms_needs_a_mainland_mobile(lead, post, address):
    attempt(lead, made("sms_aliyun"), address)
    assert not post["sms_aliyun"].letters


@pytest.mark.parametrize("address", ["", "a b c d e f", "中文名字中文", "\x00" * 9, "x" * 100])
def test_an_openid_that_is_none_is_refused(lead, post, address):
    shown = attempt(lead, made(), address)
    assert "请填写您自己的 openid" in messages(shown)
    assert not post["wechat_subscribe"].letters


def test_tests_are_few_at_a_time(lead, post):
    template = made("sms_aliyun")
    said = [messages(attempt(lead, template, PHONE)) for _ in range(7)]
    assert len(post["sms_aliyun"].letters) == 5
    assert "测试发送太频繁" in said[-1]


def test_a_used_up_budget_stops_tests_too(lead, post, settings):
    settings.SMS_DAILY_BUDGET = 0
    assert "今天的短信预算已用完" in messages(attempt(lead, made("sms_aliyun"), PHONE))


@pytest.mark.parametrize(("error", "said"), [
    (ChannelError("签名不存在", code="isv.SMS_SIGN", permanent=True), "没有发出：签名不存在（isv.SMS_SIGN）"),
    (ChannelError("超时", unknown=True), "结果未知：超时"),
])  # fmt: skip
def test_what_the_channel_says_is_shown(lead, post, error, said):
    post["sms_aliyun"].always = error
    assert said in messages(attempt(lead, made("sms_aliyun"), PHONE))


def test_a_channel_without_keys_says_where_they_belong(lead, settings):
    settings.ALIYUN_SMS_ACCESS_KEY_ID = ""
    assert "还没有配置密钥，见 .env.example" in messages(attempt(lead, made("sms_aliyun"), PHONE))


# --- who may --------------------------------------------------------------------------------------


def test_service_looks_and_only_leads_change_and_test(service, post):
    template = made("sms_aliyun")
    shown = text(service.get(f"{LIST}{template.pk}/change/"))
    assert "预览" in shown
    assert "发送测试消息" not in shown
    assert attempt(service, template, PHONE).status_code == 403
    assert service.post(f"{LIST}adopt/").status_code == 403
    assert service.post(f"{LIST}add/", given()).status_code == 403
    assert not post["sms_aliyun"].letters


def test_templates_are_switched_off_and_on(lead):
    template = made()
    for action, enabled in (("switch_off", False), ("switch_on", True)):
        lead.post(LIST, {"action": action, "_selected_action": [template.pk], "index": "0"})
        template.refresh_from_db()
        assert template.enabled is enabled
    assert AuditEntry.objects.filter(action="messagetemplate.switched").count() == 2


def test_the_list_and_the_form_take_few_queries(lead, post, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        lead.get(LIST)
    template = MessageTemplate.objects.first()
    with django_assert_max_num_queries(12):
        lead.get(f"{LIST}{template.pk}/change/")
