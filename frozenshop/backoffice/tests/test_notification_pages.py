"""What staff see of messages: why sent, why not, what the channel said, once more, and nobody's phone."""

import datetime as dt

import pytest

from frozenshop.backoffice.tests.conftest import proved_now
from frozenshop.backoffice.tests.pages import listed, messages, page, text
from frozenshop.kernel import clock
from frozenshop.kernel.models import AuditEntry
from notifications import dispatch, opt_outs
from notifications.channels.base import ChannelError
from notifications.models import (
    ChannelState,
    Consent,
    ConsentEntry,
    Delivery,
    MessageTemplate,
    Notice,
    SmsBudget,
    StaffContact,
)
from notifications.tests.conftest import frozen, post
from notifications.tests.world import bought, parcel, tell
from notifications.wechat import consents
from orders.models import Order
from orders.tests.factories import make_customer, make_order

FIXTURES = (frozen, post)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("post")]
NOTICES, DELIVERIES = "/admin/notifications/notice/", "/admin/notifications/delivery/"
MESSAGES = "/admin/messages/"
NO_CONSENT = ChannelError("没有订阅授权", code="43101", permanent=True)
UNKNOWN_PHONE = ChannelError("空号", code="MOBILE_NOT_EXIST", permanent=True)


def told(status: str = "out_for_delivery", **changes) -> Notice:
    """A buyer's parcel that has reached a status, and the notice of it."""
    tell(parcel(bought(**changes)), status)
    return Notice.objects.order_by("id").last()


def change(notice: Notice) -> str:
    return f"{NOTICES}{notice.pk}/change/"


def resend(client, notice: Notice, reason: str = "买家说没有收到"):
    return client.post(f"{NOTICES}{notice.pk}/resend/", {"reason": reason}, follow=True)


def search(client, typed: str):
    return client.post(MESSAGES, {"q": typed}, follow=True)


# --- why ------------------------------------------------------------------------------------------


def test_a_notice_says_which_channel_told_it_and_which_were_not_needed(viewer, post):
    shown = text(viewer.get(change(told())))
    assert "第 1 次，已提交" in shown
    assert "前面的渠道已告知，不需要" in shown
    assert "没有配置密钥" in shown  # the official account


def test_a_refusal_and_the_fallback_stand_side_by_side(viewer, post):
    post["wechat_subscribe"].always = NO_CONSENT
    shown = text(viewer.get(change(told())))
    assert "没有订阅授权（43101）" in shown
    assert shown.index("没有订阅授权") < shown.index("阿里云短信")
    assert Delivery.objects.get(channel="sms_aliyun").state == "sent"


def test_who_could_not_be_told_is_told_why(viewer, post):
    post["wechat_subscribe"].always, post["sms_aliyun"].always = NO_CONSENT, UNKNOWN_PHONE
    shown = text(viewer.get(change(told())))
    assert "各渠道均失败" in shown
    assert "每个渠道都明确拒绝了" in shown
    assert "空号（MOBILE_NOT_EXIST）" in shown


def test_a_stopped_template_is_named_with_its_reason(viewer, post):
    MessageTemplate.objects.filter(channel="wechat_subscribe").update(trouble="核对：缺少字段 thing1")
    assert "模板有问题：核对：缺少字段 thing1" in text(viewer.get(change(told())))


def test_what_was_overtaken_says_so(viewer, frozen):
    frozen.move_to("2026-11-22T23:00:00+08:00", tick=False)
    proved_now(viewer)
    notice = told()
    tell(notice.order.shipments.get(), "delivered")
    shown = text(viewer.get(change(notice)))
    assert "未告知 · 已有新进展" in shown
    assert "旧消息不再发出" in shown


def test_a_waiting_notice_says_for_what(viewer, frozen):
    frozen.move_to("2026-11-22T23:00:00+08:00", tick=False)
    proved_now(viewer)
    assert "等待微信订阅消息，2026-11-23 08:00 起发送" in text(viewer.get(change(told())))


# --- lists ----------------------------------------------------------------------------------------


def test_the_list_is_found_by_order_and_by_waybill(viewer):
    notice, other = told(order_no="MINE"), told(order_no="OTHER")
    waybill = notice.order.shipments.get().waybill_no
    for typed in ("MINE", waybill):
        found = viewer.get(NOTICES, {"q": typed}).context["cl"].result_list
        assert {one.order_id for one in found} == {notice.order_id}
    assert other.order_id != notice.order_id


def test_each_fate_has_its_list(viewer, post):
    sent = told()
    post["wechat_subscribe"].always, post["sms_aliyun"].always = NO_CONSENT, UNKNOWN_PHONE
    failed = told()
    for fate, notice in (("told", sent), ("untold", failed), ("failed", failed)):
        found = {one.pk for one in viewer.get(NOTICES, {"fate": fate}).context["cl"].result_list}
        assert notice.pk in found
        assert ({sent.pk, failed.pk} - {notice.pk}) & found == set()
    assert listed(viewer.get(NOTICES, {"fate": "budget"})) == []


def test_a_delivery_is_found_by_our_number_and_by_the_channels(viewer):
    told()
    delivery = Delivery.objects.last()
    for typed in (delivery.reference, delivery.provider_id):
        assert listed(viewer.get(DELIVERIES, {"q": typed})) == [str(delivery)]


@pytest.mark.parametrize("url", [NOTICES, DELIVERIES, MESSAGES])
def test_lists_take_few_queries_however_many_rows(viewer, url, django_assert_max_num_queries):
    for _ in range(6):
        told()
    with django_assert_max_num_queries(15):
        viewer.get(url)


def test_a_notices_page_takes_few_queries(service, django_assert_max_num_queries):
    notice = told()
    with django_assert_max_num_queries(32):
        service.get(change(notice))


def test_the_orders_page_tells_what_the_buyer_was_told(viewer, django_assert_max_num_queries):
    notice = told()
    for _ in range(3):
        tell(notice.order.shipments.get(), "delivered")
    with django_assert_max_num_queries(24):
        shown = text(viewer.get(page(notice.order)))
    assert "买家收到的消息" in shown
    assert "派送中" in shown


def test_who_may_not_see_messages_sees_none_on_the_order(login):
    from django.contrib.auth.models import Group

    Group.objects.all().delete()
    viewer = login("查看")
    Group.objects.get(name="查看").permissions.filter(codename="view_notice").delete()
    assert "买家收到的消息" not in text(viewer.get(page(make_order("paid"))))


# --- once more ------------------------------------------------------------------------------------


def test_a_resend_with_a_reason_goes_out_and_is_recorded(service, post):
    notice = told()
    assert "已安排重发" in messages(resend(service, notice))
    dispatch.send_due()
    assert len(post["wechat_subscribe"].letters) == 2
    entry = AuditEntry.objects.get(action="notice.resent")
    assert (entry.reason, entry.details["notice"]) == ("买家说没有收到", notice.pk)
    assert "重发通知" in text(service.get(f"/admin/orders/order/{notice.order_id}/change/"))


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_resend_without_a_reason_is_refused(service, post, reason):
    assert "请写明重发原因" in messages(resend(service, told(), reason))
    assert len(post["wechat_subscribe"].letters) == 1


def test_two_clicks_resend_once(service, post):
    notice = told()
    resend(service, notice)
    assert "已经安排了一次重发" in messages(resend(service, notice))
    dispatch.send_due()
    assert len(post["wechat_subscribe"].letters) == 2


def test_what_is_true_no_longer_is_not_told_again(service, post):
    notice = told()
    tell(notice.order.shipments.get(), "delivered")
    assert "内容不再成立" in messages(resend(service, notice))
    assert "内容不再成立" in text(service.get(change(notice)))


def test_who_opted_out_is_not_told_again(service):
    notice = told()
    opt_outs.choose(notice.order.customer, ["out_for_delivery"])
    assert "退订了这类消息" in messages(resend(service, notice))


def test_who_can_be_reached_no_longer_is_not_told_again(service):
    notice = told()
    MessageTemplate.objects.all().delete()
    assert "没有可用渠道" in messages(resend(service, notice))


def test_a_viewer_resends_nothing(viewer):
    notice = told()
    assert resend(viewer, notice).status_code == 403
    assert "重发原因" not in text(viewer.get(change(notice)))


# --- a person -------------------------------------------------------------------------------------


def test_a_person_is_found_by_order_waybill_phone_and_openid(viewer):
    notice = told(order_no="FOUND-1", openid="oSomebody-0123456789abcdef")
    whose = f"{MESSAGES}person/customer:{notice.order.customer_id}/"
    typed = ["FOUND-1", notice.order.shipments.get().waybill_no, "138 1234 1234", "oSomebody-0123456789abcdef"]
    assert [search(viewer, one).request["PATH_INFO"] for one in typed] == [whose] * 4


def test_several_people_of_one_order_are_offered(viewer):
    buyer = make_customer("oBuyer-of-a-present", phone="13900001111")
    order = make_order("paid", order_no="GIFT", buyer_openid=buyer.openid, phone="13700002222")
    tell(parcel(order), "out_for_delivery")
    people = search(viewer, "GIFT").context["people"]
    assert [person.label.split("（")[0] for person in people] == [f"买家 {buyer.pk}", "收件人"]
    shown = text(viewer.get(people[1].url))
    assert "派送中" in shown
    assert "只以短信告知" in shown


def test_the_number_of_a_consignee_finds_what_went_to_it(viewer):
    buyer = make_customer("oBuyer-of-a-present", phone="13900001111")
    tell(parcel(make_order("paid", buyer_openid=buyer.openid, phone="13700002222")), "out_for_delivery")
    assert {p.recipient.split(":")[0] for p in search(viewer, "13700002222").context["people"]} == {"phone", "customer"}


def test_nobody_found_says_what_may_be_typed(viewer):
    assert "请填写完整的订单号" in messages(search(viewer, "13799990000"))


@pytest.mark.parametrize("typed", ["", "\x00", "😀", "x" * 5000, "1380000000" + "0" * 30, "%", "null", "-1"])
def test_the_search_takes_anything(viewer, typed):
    assert search(viewer, typed).status_code == 200


@pytest.mark.parametrize(
    "name", ["customer:0", "customer:x", "customer:99999999999999999999", "phone:ff", "staff:1", "x"]
)
def test_a_person_that_is_not_there_is_no_crash(viewer, name):
    assert viewer.get(f"{MESSAGES}person/{name}/").status_code == 404


@pytest.mark.parametrize("after", ["x", "W10", "bnVsbA", "😀"])
def test_a_made_up_place_in_a_history_is_no_crash(viewer, after):
    notice = told()
    url = f"{MESSAGES}person/{notice.recipient}/"
    assert viewer.get(url, {"after": after}).status_code == 404


def test_a_long_history_is_read_page_by_page(viewer, django_assert_max_num_queries):
    notice = told()
    rows = [
        Notice(
            audience="buyer", recipient=notice.recipient, subject=f"order:{n}", milestone="paid", state="told",
            occurred_at=clock.now(), due_at=clock.now(), created_at=clock.now() - dt.timedelta(minutes=n),
        )
        for n in range(120)
    ]  # fmt: skip
    Notice.objects.bulk_create(rows)
    url, seen = f"{MESSAGES}person/{notice.recipient}/", []
    asked: dict[str, str] = {}
    while True:
        with django_assert_max_num_queries(20):
            context = viewer.get(url, asked).context
        seen += [row.notice.pk for row in context["told"]]
        if not context["older"]:
            break
        asked = {"after": context["older"]}
    assert len(seen) == len(set(seen)) == Notice.objects.filter(recipient=notice.recipient).count()


def test_consents_stand_with_their_entries_and_opt_outs_beside(viewer):
    notice = told(openid="oSomebody-0123456789abcdef")
    consent = Consent.objects.create(openid="oSomebody-0123456789abcdef", template_id="T-delivered", balance=2)
    ConsentEntry.objects.create(consent=consent, key="a", change=1, cause="grant+popup")
    opt_outs.choose(notice.order.customer, ["sms", "paid"])
    shown = text(viewer.get(f"{MESSAGES}person/{notice.recipient}/"))
    assert "delivered：还可发 2 条" in shown
    assert "允许（小程序和微信都说了）" in shown
    assert ">短信</span>" in shown
    assert ">付款成功</span>" in shown


# --- the page of messages -------------------------------------------------------------------------


def test_the_days_sms_stand_beside_what_is_allowed(viewer, settings):
    settings.SMS_DAILY_BUDGET = 10
    SmsBudget.objects.create(used_on=dt.date(2026, 11, 22), purpose="notices", used=9)
    SmsBudget.objects.create(used_on=dt.date(2026, 11, 21), purpose="notices", used=7)
    shown = text(viewer.get(MESSAGES))
    assert '<span class="tag tag-warm">9 / 10 条</span>' in shown
    assert "11-21：7 条" in shown


def test_a_channel_in_trouble_says_what_to_mend(viewer, lead):
    ChannelState.objects.create(
        channel="wechat_subscribe", failures=9, open_until=clock.now(), trouble="IP 不在白名单：到微信后台添加"
    )
    assert "IP 不在白名单：到微信后台添加" in text(viewer.get(MESSAGES))
    row = ChannelState.objects.get()
    asked = {"action": "close_breaker", "_selected_action": [row.pk], "index": "0"}
    assert "已解除熔断：微信订阅消息" in messages(lead.post("/admin/notifications/channelstate/", asked, follow=True))
    row.refresh_from_db()
    assert (row.open_until, row.trouble) == (None, "")


def test_staff_say_where_they_are_told(lead):
    user = lead.get("/admin/").context["user"]
    given = {"user": user.pk, "email": "lead@example.com", "least_severity": "1urgent", "digest": "on"}
    lead.post("/admin/notifications/staffcontact/add/", given)
    assert StaffContact.objects.get().least_severity == "1urgent"
    assert "紧急及以上" in text(lead.get("/admin/notifications/staffcontact/"))


def test_a_consents_ledger_shows_no_openid(service):
    consent = Consent.objects.create(openid="oSomebody-0123456789abcdef", template_id="T-delivered", balance=2)
    ConsentEntry.objects.create(consent=consent, key="a", change=-1, cause="43101")
    for url in ("", f"{consent.pk}/change/"):
        shown = text(service.get(f"/admin/notifications/consent/{url}"))
        assert "oSomebody-0123456789abcdef" not in shown
        assert "oSo…def" in shown
    assert "微信说没有授权，清零" in shown


def test_a_template_that_a_buyer_switched_off_is_told_in_words(service):
    consents.withdrawn("oBuyer", "T-delivered", cause="switched_off", key="off")
    shown = text(service.get(f"/admin/notifications/consent/{Consent.objects.get().pk}/change/"))
    assert "在微信里关闭，清零" in shown


# --- nobody shows ---------------------------------------------------------------------------------


def test_no_page_shows_a_phone_a_name_an_address_or_an_openid(root, post, caplog):
    who = {"name": "欧阳金丝雀", "phone": "19876503917", "address": "金丝雀胡同七七四九号"}
    openid = "oCanary-0123456789abcdef0123"
    post["wechat_subscribe"].always = ChannelError("拒绝 19876503917", code="x", permanent=True)
    notice = told(openid=openid, **who)
    order = Order.objects.get(pk=notice.order_id)
    delivery = Delivery.objects.first()
    Consent.objects.create(openid=openid, template_id="T", balance=1)
    pages = [
        NOTICES, change(notice), DELIVERIES, f"{DELIVERIES}{delivery.pk}/change/", MESSAGES,
        f"{MESSAGES}person/{notice.recipient}/", "/admin/notifications/consent/", page(order),
    ]  # fmt: skip
    shown = [text(root.get(url)) for url in pages]
    shown += [text(search(root, typed)) for typed in (*who.values(), openid, "没有这个人")]
    for secret in (*who.values(), openid):
        assert not [url for url, body in zip(pages, shown, strict=False) if secret in body], secret
        assert not any(secret in body for body in shown), secret
        assert secret not in caplog.text


@pytest.mark.parametrize("url", [NOTICES, DELIVERIES, "/admin/notifications/messagetemplate/"])
@pytest.mark.parametrize("name", ["fate", "what", "whom", "sent", "by", "channel", "q", "after", "before"])
def test_the_lists_take_any_parameter(viewer, url, name):
    for typed in ("\x00", "😀", "x" * 300, "99999999999999999999999", "'; --", "[1]"):
        assert viewer.get(url, {name: typed}).status_code in (200, 302)
