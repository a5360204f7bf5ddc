import datetime as dt

import pytest

from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
from notifications import breaker, claiming, dispatch, planning, reports, review
from notifications.channels.base import ChannelError, Fate, Report
from notifications.models import Addressee, ChannelState, Delivery, MessageTemplate, Notice, OfficialFollower, Unionid
from notifications.tests.world import HOUR, MINUTE, bought, fate, later, notices, parcel, tell
from orders import access
from orders.models import Alert

WECHAT, SMS = "wechat_subscribe", "sms_aliyun"
NO_CONSENT = ChannelError("没有授权", code="43101", permanent=True)
BUSY = ChannelError("系统繁忙", code="-1")
TIMEOUT = ChannelError("没有答复", code="timeout", unknown=True)


def out_for_delivery(**changes):
    return tell(parcel(bought(**changes)), "out_for_delivery")


def deliveries(milestone="out_for_delivery"):
    rows = Delivery.objects.filter(notice__milestone=milestone).order_by("id")
    return list(rows.values_list("channel", "state", "permanent"))


def test_a_delivery_is_written_and_committed_before_the_channel_is_called(post):
    seen = []
    post[WECHAT].before = lambda letter: seen.append(Delivery.objects.get(reference=letter.reference).state)
    out_for_delivery()
    assert seen == ["sending"]
    assert deliveries() == [(WECHAT, "sent", False)]
    assert Delivery.objects.get().provider_id == "wechat_subscribe-0"


def test_sms_follows_at_once_where_consent_is_gone(post):
    post[WECHAT].always = NO_CONSENT
    out_for_delivery()
    assert post.counted() == {SMS: 1}
    assert deliveries() == [(WECHAT, "failed", True), (SMS, "sent", False)]
    assert fate("out_for_delivery") == ("told", "")


def test_when_all_refuse_the_reason_is_kept(post):
    post[WECHAT].always = post[SMS].always = NO_CONSENT
    out_for_delivery()
    assert fate("out_for_delivery") == ("not_told", "failed")


def test_a_followers_account_comes_before_sms(every_post):
    every_post[WECHAT].always = NO_CONSENT
    order = bought()
    Unionid.objects.create(customer=order.customer, unionid="u-1")
    OfficialFollower.objects.create(unionid="u-1", openid="official-1")
    tell(parcel(order), "out_for_delivery")
    assert [letter.address for letter in every_post["wechat_official"].letters] == ["official-1"]
    assert not every_post[SMS].letters


def test_the_second_sms_account_follows_the_first(every_post):
    every_post[WECHAT].always = every_post[SMS].always = NO_CONSENT
    out_for_delivery()
    assert len(every_post["sms_tencent"].letters) == 1


def test_a_landline_gets_no_sms(post):
    post[WECHAT].always = NO_CONSENT
    out_for_delivery(phone="021-12345678")
    assert fate("out_for_delivery") == ("not_told", "failed")
    assert not post[SMS].letters


def test_without_a_template_a_channel_is_passed_over(post):
    MessageTemplate.objects.filter(channel=WECHAT).update(enabled=False)
    out_for_delivery()
    assert post.counted() == {SMS: 1}


def test_a_letter_holds_the_words_of_its_template(post):
    MessageTemplate.objects.update(fields={"thing1": "{carrier}{status} {name}"}, page="pages/order?no={order_no}")
    shipment = out_for_delivery(name="李四光")
    (letter,) = post[WECHAT].letters
    assert letter.fields == {"thing1": "顺丰速运派送中 李*"}
    assert letter.page == f"pages/order?no={shipment.orders.get().order_no}"


# --- what has been overtaken, expired or is not wanted ----------------------------------------------------


def test_what_was_overtaken_while_it_waited_is_not_sent(post, frozen):
    post[WECHAT].always = BUSY
    shipment = out_for_delivery()
    post[WECHAT].always = None
    tell(shipment, "delivered")
    later(frozen, minutes=10)
    assert post.titles(WECHAT) == ["delivered"]
    assert fate("out_for_delivery") == ("not_told", "superseded")


def test_what_was_overtaken_without_anybody_saying_so_is_not_sent(post, frozen):
    post[WECHAT].always = BUSY
    shipment = out_for_delivery()
    shipment.status = "delivered"
    shipment.save()
    post[WECHAT].always = None
    later(frozen, minutes=10)
    assert post.told == []
    assert fate("out_for_delivery") == ("not_told", "superseded")


def test_what_can_wait_waits_for_the_morning(post, frozen):
    frozen.move_to("2026-11-22T22:30:00+08:00")
    out_for_delivery()
    assert post.told == []
    frozen.move_to("2026-11-23T07:59:00+08:00")
    later(frozen)
    assert post.told == []
    frozen.move_to("2026-11-23T08:00:00+08:00")
    later(frozen)
    assert "out_for_delivery" in post.titles(WECHAT)


def test_what_thaws_does_not_wait_for_the_morning(post, frozen):
    frozen.move_to("2026-11-22T23:30:00+08:00")
    tell(parcel(), "awaiting_pickup")
    tell(parcel(), "exception")
    assert sorted(post.titles(WECHAT)) == ["exception", "locker_waiting"]


def test_what_does_not_thaw_waits(post, frozen):
    from orders.tests.factories import line

    frozen.move_to("2026-11-22T23:30:00+08:00")
    tell(parcel(bought(lines=[line(temperature_class="ambient")])), "awaiting_pickup")
    assert post.told == []


def test_an_attempt_put_off_into_the_night_waits_for_the_morning(post, frozen):
    frozen.move_to("2026-11-22T21:59:30+08:00")
    post[WECHAT].answers = [BUSY]
    out_for_delivery()
    later(frozen, minutes=2)
    assert post.told == []
    frozen.move_to("2026-11-23T08:01:00+08:00")
    later(frozen)
    assert "out_for_delivery" in post.titles(WECHAT)


def test_a_person_is_told_so_much_a_day_but_always_of_what_thaws(post, frozen):
    orders = [bought("busy")]
    from orders.tests.factories import make_order

    orders += [make_order("paid", buyer_openid="busy") for _ in range(9)]
    for order in orders:
        tell(parcel(order), "out_for_delivery")
        later(frozen, minutes=1)
    assert len(post[WECHAT].letters) == 8
    assert Notice.objects.filter(why="capped").count() > 0
    tell(parcel(make_order("paid", buyer_openid="busy")), "awaiting_pickup")
    assert post.titles(WECHAT)[-1] == "locker_waiting"


def test_a_shop_may_allow_more_a_day(post, frozen, settings):
    from orders.tests.factories import make_order

    bought("busy")
    for allowed in (2, 2, 2, 3):
        settings.NOTICE_DAILY_CAP = allowed
        tell(parcel(make_order("paid", buyer_openid="busy")), "out_for_delivery")
        later(frozen, minutes=1)
    assert len(post[WECHAT].letters) == 3


def test_what_nobody_could_be_told_in_time_expires(post, frozen):
    post[WECHAT].always = BUSY
    out_for_delivery()
    frozen.shift(15 * HOUR)
    post[WECHAT].always = None
    later(frozen)
    assert notices("out_for_delivery")[0].why == "expired"
    assert "out_for_delivery" not in post.titles(WECHAT)


# --- channels that are out of order -----------------------------------------------------------------------


def test_a_channel_that_is_busy_is_tried_again_and_never_replaced(post, frozen):
    post[WECHAT].answers = [BUSY, BUSY]
    out_for_delivery()
    for _ in range(4):
        later(frozen, minutes=1)
    assert post.titles(WECHAT).count("out_for_delivery") == 1
    assert not post[SMS].letters
    assert deliveries() == [(WECHAT, "failed", False)] * 2 + [(WECHAT, "sent", False)]


def test_it_is_not_tried_before_the_channel_said(post, frozen):
    post[WECHAT].answers = [ChannelError("每分钟次数用完", retry_after=dt.timedelta(minutes=5))]
    out_for_delivery()
    later(frozen, minutes=4)
    assert post.titles(WECHAT) == []
    later(frozen, minutes=1)
    assert post.titles(WECHAT) == ["out_for_delivery"]


def test_who_allowed_wechat_nothing_does_not_wait_for_wechat(post, frozen):
    breaker.failed(WECHAT, "down", probe=True)
    ChannelState.objects.update(open_until=clock.now() + HOUR)
    post[WECHAT].willing = lambda openids, template_ids: {("keen", "T-out_for_delivery")}
    out_for_delivery(openid="keen")
    out_for_delivery(openid="shy")
    assert post.titles(SMS) == ["out_for_delivery"]
    assert [row.channel for row in notices("out_for_delivery")] == [WECHAT, ""]


def test_a_channel_that_is_down_delays_only_its_own(post, frozen):
    post[WECHAT].always = BUSY
    shipments = [parcel() for _ in range(7)]
    for shipment in shipments:
        tell(shipment, "out_for_delivery")
    assert ChannelState.objects.get(channel=WECHAT).open_until > clock.now()
    other = bought(phone="13900001111")
    MessageTemplate.objects.filter(channel=WECHAT, milestone="delivered").update(enabled=False)
    tell(parcel(other), "delivered")
    assert post.titles(SMS) == ["delivered"]


def test_after_an_hour_down_all_are_told_within_ten_minutes(post, frozen):
    post[WECHAT].always = BUSY
    shipments = [parcel() for _ in range(25)]
    for shipment in shipments:
        tell(shipment, "out_for_delivery")
    for _ in range(60):
        later(frozen, minutes=1)
    tries = Delivery.objects.filter(state="failed").count()
    assert tries < 100  # 25 messages in an hour: the breaker lets one through each minute
    assert Alert.objects.filter(kind="messaging", resolved_at=None).count() == 1
    post[WECHAT].always = None
    for _ in range(3):
        later(frozen, minutes=1)
    assert post.titles(WECHAT).count("out_for_delivery") == 25
    assert not Alert.objects.filter(kind="messaging", resolved_at=None).exists()


def test_a_way_that_is_back_is_tried_though_its_notices_have_another_way_first(post, frozen):
    breaker.failed(WECHAT, "down", probe=True)
    ChannelState.objects.update(open_until=clock.now() + HOUR)
    post[WECHAT].willing = lambda openids, template_ids: set()
    post[SMS].always = BUSY
    for _ in range(25):
        tell(parcel(), "out_for_delivery")
    breaker.succeeded(WECHAT)
    post[WECHAT].always, post[SMS].always = NO_CONSENT, None
    for _ in range(3):
        later(frozen, minutes=1)
    assert post.titles(SMS).count("out_for_delivery") == 25


def test_what_thaws_takes_another_way_after_ten_minutes(post, frozen):
    post[WECHAT].always = BUSY
    tell(parcel(), "awaiting_pickup")
    for _ in range(9):
        later(frozen, minutes=1)
    assert post.told == []
    for _ in range(4):
        later(frozen, minutes=1)
    assert post.titles(SMS) == ["locker_waiting"]


def test_what_thaws_takes_another_way_when_the_breaker_is_open_too(post, frozen):
    breaker.refused(WECHAT, "AppSecret 无效")
    tell(parcel(), "awaiting_pickup")
    assert post.titles(SMS) == ["locker_waiting"]


def test_a_channel_that_needs_a_person_is_told_of_and_gone_round(post, frozen):
    post[WECHAT].always = ChannelError("invalid appsecret", code="40125", trouble="AppSecret 无效，请在设置中更正")
    out_for_delivery()
    assert post.titles(SMS) == ["out_for_delivery"]
    assert "AppSecret 无效" in Alert.objects.get(kind="messaging").detail
    out_for_delivery()
    assert Delivery.objects.filter(channel=WECHAT).count() == 1


def test_a_channel_that_was_mended_is_used_again(post, frozen):
    breaker.refused(WECHAT, "AppSecret 无效")
    MessageTemplate.objects.filter(channel=SMS).delete()
    out_for_delivery()
    assert post.told == []
    for _ in range(8):
        later(frozen, minutes=1)
    assert post.titles(WECHAT).count("out_for_delivery") == 1
    assert ChannelState.objects.get(channel=WECHAT).trouble == ""


def test_a_letter_that_waited_too_long_in_hand_is_not_sent(post, frozen):
    post[WECHAT].always = BUSY
    out_for_delivery()
    post[WECHAT].always = None
    frozen.shift(MINUTE)
    envelopes, _ = claiming.claim(breaker.lanes(), limit=9)
    frozen.shift(2 * MINUTE)
    dispatch._deliver(envelopes)
    assert post.told == []
    later(frozen, minutes=1)
    assert post.titles(WECHAT).count("out_for_delivery") == 1


def test_two_processes_at_most_work_off_what_is_due(post, frozen):
    post[WECHAT].always = BUSY
    out_for_delivery()
    post[WECHAT].always = None
    frozen.shift(MINUTE)
    with dispatch._one_of_few() as first, dispatch._one_of_few() as second:
        assert (first, second) == (True, True)
        assert dispatch.send_due() == 0
    assert dispatch.send_due() == 1


def test_what_is_left_when_the_time_is_over_goes_on_at_once(post, frozen):
    frozen.shift(MINUTE)
    dispatch.send_due(seconds=0)
    assert OutboxMessage.objects.filter(topic=dispatch.TOPIC, status="pending").count() == 1
    OutboxMessage.objects.all().delete()
    dispatch.send_due()
    assert not OutboxMessage.objects.filter(topic=dispatch.TOPIC).exists()


# --- doubt ------------------------------------------------------------------------------------------------


def in_doubt(post, channel=WECHAT):
    post[channel].answers = [TIMEOUT]
    out_for_delivery()
    assert len(post[channel].letters) == 1


def test_a_letter_in_doubt_is_never_sent_twice(post, frozen):
    in_doubt(post)
    for _ in range(30):
        later(frozen, minutes=1)
    assert post.titles(WECHAT).count("out_for_delivery") == 1
    assert not post[SMS].letters
    assert fate("out_for_delivery") == ("not_told", "unknown")
    assert deliveries() == [(WECHAT, "unknown", False)]


@pytest.mark.parametrize(("told", "end"), [(Fate.DELIVERED, "delivered"), (Fate.UNDERWAY, "sent")])
def test_a_letter_in_doubt_is_asked_about(post, frozen, told, end):
    in_doubt(post)
    post[WECHAT].fate = Report(told, provider_id="p-9")
    later(frozen, minutes=4)
    assert fate("out_for_delivery") == ("told", "")
    assert deliveries() == [(WECHAT, end, False)]
    assert Delivery.objects.get(notice__milestone="out_for_delivery").provider_id == "p-9"


def test_a_letter_that_never_arrived_is_sent_again(post, frozen):
    in_doubt(post)
    post[WECHAT].fate = Report(Fate.NEVER_TAKEN)
    later(frozen, minutes=4)
    assert deliveries() == [(WECHAT, "failed", False), (WECHAT, "sent", False)]


def test_a_letter_that_failed_after_all_goes_another_way(post, frozen):
    in_doubt(post)
    post[WECHAT].fate = Report(Fate.FAILED, code="block")
    later(frozen, minutes=4)
    assert post.titles(SMS) == ["out_for_delivery"]


def test_a_channel_that_does_not_answer_our_question_is_asked_again(post, frozen):
    in_doubt(post)
    post[WECHAT].fate = BUSY
    for _ in range(10):
        later(frozen, minutes=1)
    assert 2 <= len(post[WECHAT].asked) <= 3
    frozen.shift(6 * HOUR)
    later(frozen)
    assert fate("out_for_delivery") == ("not_told", "unknown")


def test_a_report_settles_what_was_given_up(post, frozen):
    in_doubt(post)
    for _ in range(15):
        later(frozen, minutes=1)
    assert reports.settle(Report(Fate.DELIVERED, reference=post[WECHAT].letters[0].reference), WECHAT)
    assert fate("out_for_delivery") == ("told", "")


def test_a_sender_that_died_leaves_a_letter_in_doubt(post, frozen):
    post[WECHAT].always = BUSY
    out_for_delivery()
    frozen.shift(MINUTE)
    envelopes, _ = claiming.claim(breaker.lanes(), limit=9)  # and then the process is gone
    assert envelopes
    post[WECHAT].always = None
    later(frozen, minutes=2)
    assert post.told == []
    post[WECHAT].fate = Report(Fate.NEVER_TAKEN)
    later(frozen, minutes=2)
    assert "out_for_delivery" in post.titles(WECHAT)


def test_an_error_nobody_foresaw_is_a_doubt(post, frozen):
    def fail(letter):
        raise KeyError("13812341234")

    post[WECHAT].before = fail
    out_for_delivery()
    assert deliveries() == [(WECHAT, "unknown", False)]
    assert Delivery.objects.get().said == "KeyError"


def test_a_notice_that_nobody_has_in_hand_is_brought_back(post, frozen):
    out_for_delivery()
    notice = notices("out_for_delivery")[0]
    Delivery.objects.all().delete()
    Notice.objects.filter(pk=notice.pk).update(state="waiting", channel="")
    frozen.shift(11 * MINUTE)
    review.review()
    later(frozen)
    assert post.titles(WECHAT).count("out_for_delivery") == 2
    assert fate("out_for_delivery") == ("told", "")


# --- the same person, staff and old rows ------------------------------------------------------------------


def test_two_messages_to_one_person_go_one_after_the_other(post, frozen):
    post[WECHAT].always = BUSY
    from orders.tests.factories import make_order

    first = parcel(bought("mother"))
    second = parcel(make_order("paid", buyer_openid="mother"))
    for shipment in (first, second):
        tell(shipment, "out_for_delivery")
    post[WECHAT].always = None
    frozen.shift(10 * MINUTE)
    ChannelState.objects.all().delete()
    envelopes, looked = claiming.claim(breaker.lanes(), limit=9)
    assert looked >= 2
    assert len(envelopes) == 1
    dispatch._deliver(envelopes)
    later(frozen, minutes=1)
    later(frozen, minutes=1)
    assert post.titles(WECHAT).count("out_for_delivery") == 2


def test_staff_see_that_messages_pile_up(post, frozen):
    post[WECHAT].answers = [BUSY]
    out_for_delivery()
    frozen.shift(20 * MINUTE)
    review.review()
    assert "15 分钟没有发出" in Alert.objects.get(kind="messaging").detail
    later(frozen)
    review.review()
    assert not Alert.objects.filter(kind="messaging", resolved_at=None).exists()


def test_a_person_may_have_it_sent_once_more(post, frozen, django_user_model):
    from frozenshop.kernel.actor import staff

    out_for_delivery()
    again = planning.resend(notices("out_for_delivery")[0], actor=staff(1), reason="买家说没收到")
    dispatch.send([again.pk])
    assert post.titles(WECHAT).count("out_for_delivery") == 2


def test_what_is_half_a_year_old_is_deleted(post, frozen):
    out_for_delivery()
    settled = Notice.objects.exclude(state="waiting").count()
    assert review.purge() == 0
    frozen.shift(dt.timedelta(days=181))
    assert Addressee.objects.exists()
    assert review.purge() == settled
    assert not Delivery.objects.exists()
    assert not Addressee.objects.exists()


def test_a_claim_takes_few_queries(post, frozen, django_assert_max_num_queries):
    post[WECHAT].always = BUSY
    for _ in range(4):
        out_for_delivery()
    frozen.shift(10 * MINUTE)
    with django_assert_max_num_queries(16):
        envelopes, _ = claiming.claim(breaker.lanes(), limit=8)
    assert len(envelopes) == 4


def test_no_delivery_row_shows_anybody(post):
    post[WECHAT].always = ChannelError("拒收 13812341234", code="43101", permanent=True)
    order = bought(name="李四光")
    access.bind_phone(order.customer, "13900001111", clock.now())
    tell(parcel(order), "out_for_delivery")
    for row in Delivery.objects.values_list("reference", "provider_id", "code", "said"):
        assert not any(part in "".join(row) for part in ("13812341234", "13900001111", "李四光"))


def test_a_limit_of_one_person_says_nothing_against_the_channel(post, frozen):
    post[WECHAT].always = ChannelError(
        "同一号码 30 秒内只能发一条", code="limit", retry_after=dt.timedelta(minutes=5), channel_is_well=True
    )
    for _ in range(breaker.THRESHOLD + 2):
        out_for_delivery()
    assert WECHAT in breaker.lanes().clear
