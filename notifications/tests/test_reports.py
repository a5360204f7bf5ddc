import pytest

from frozenshop.kernel import clock
from notifications import reports, review
from notifications.channels.base import ChannelError, Fate, Report
from notifications.models import Delivery, Notice
from notifications.tests.world import bought, fate, later, parcel, tell
from orders import access

WECHAT, SMS = "wechat_subscribe", "sms_aliyun"
NO_CONSENT = ChannelError("没有授权", code="43101", permanent=True)
TIMEOUT = ChannelError("没有答复", code="timeout", unknown=True)


@pytest.fixture
def sent(post):
    tell(parcel(bought()), "out_for_delivery")
    return Delivery.objects.get()


def report(fate: Fate, sent: Delivery, **more: str) -> bool:
    return reports.settle(Report(fate, reference=sent.reference, **more), sent.channel)


def state(sent: Delivery) -> str:
    sent.refresh_from_db()
    return sent.state


def test_a_report_closes_a_delivery(post, sent):
    assert report(Fate.DELIVERED, sent)
    assert state(sent) == "delivered"


def test_a_report_may_name_the_channels_own_number(post, sent):
    assert reports.settle(Report(Fate.DELIVERED, provider_id=sent.provider_id), WECHAT)
    assert state(sent) == "delivered"


def test_the_same_number_of_another_channel_is_another_letter(post, sent):
    assert not reports.settle(Report(Fate.DELIVERED, provider_id=sent.provider_id), SMS)
    assert state(sent) == "sent"


@pytest.mark.parametrize("report", [Report(Fate.DELIVERED), Report(Fate.DELIVERED, reference="n0-x")])
def test_a_report_of_nothing_we_sent_is_not_ours(post, report):
    assert not reports.settle(report, WECHAT)


def test_a_message_that_failed_after_it_was_taken_goes_another_way_once(post, sent):
    for _ in range(3):
        report(Fate.FAILED, sent, code="43101", said="user refuse 13812341234")
    later_sms = Notice.objects.get(milestone="out_for_delivery")
    assert (later_sms.state, later_sms.channel) == ("waiting", SMS)
    assert state(sent) == "failed"
    assert "13812341234" not in sent.said


def test_the_other_way_is_taken_within_a_minute(post, sent, frozen):
    report(Fate.FAILED, sent)
    later(frozen, minutes=1)
    assert post.titles(SMS) == ["out_for_delivery"]
    assert fate("out_for_delivery") == ("told", "")
    report(Fate.FAILED, sent)
    later(frozen, minutes=1)
    assert post.titles(SMS) == ["out_for_delivery"]


def test_what_failed_everywhere_is_not_told(post, sent, frozen):
    report(Fate.FAILED, sent)
    later(frozen, minutes=1)
    reports.settle(Report(Fate.FAILED, reference=post[SMS].letters[0].reference), SMS)
    later(frozen, minutes=1)
    assert fate("out_for_delivery") == ("not_told", "failed")


def test_what_was_delivered_stays_delivered(post, sent, frozen):
    report(Fate.DELIVERED, sent)
    report(Fate.FAILED, sent)
    report(Fate.UNDERWAY, sent)
    report(Fate.NEVER_TAKEN, sent)
    later(frozen, minutes=1)
    assert state(sent) == "delivered"
    assert not post[SMS].letters


def test_a_report_faster_than_the_answer_counts(post):
    def report_at_once(letter):
        reports.settle(Report(Fate.DELIVERED, reference=letter.reference), WECHAT)

    post[WECHAT].before = report_at_once
    tell(parcel(bought()), "out_for_delivery")
    row = Delivery.objects.get()
    assert (row.state, row.provider_id) == ("delivered", "wechat_subscribe-0")
    assert fate("out_for_delivery") == ("told", "")


def test_an_error_that_comes_after_its_report_changes_nothing(post, frozen):
    def report_then_fail(letter):
        reports.settle(Report(Fate.DELIVERED, reference=letter.reference), WECHAT)
        raise ChannelError("没有答复", unknown=True)

    post[WECHAT].before = report_then_fail
    tell(parcel(bought()), "out_for_delivery")
    later(frozen, minutes=5)
    assert Delivery.objects.get().state == "delivered"


def test_a_late_failure_does_not_bring_back_what_was_overtaken(post, sent, frozen):
    tell(Notice.objects.get(milestone="out_for_delivery").order.shipments.get(), "delivered")
    report(Fate.FAILED, sent)
    later(frozen, minutes=1)
    assert fate("out_for_delivery") == ("not_told", "superseded")


def test_what_a_channel_never_took_goes_three_times_and_then_another_way(post, frozen):
    post[WECHAT].always, post[SMS].always = NO_CONSENT, TIMEOUT
    post[SMS].fate = Report(Fate.NEVER_TAKEN)
    tell(parcel(bought()), "delivered")
    for _ in range(12):
        later(frozen, minutes=5)
    assert [one.title for one in post[SMS].letters].count("delivered") == 3
    assert fate("delivered") == ("not_told", "failed")


def test_a_letter_to_a_former_phone_is_not_missed_under_the_new_one(post, frozen):
    post[WECHAT].always, post[SMS].answers = NO_CONSENT, [TIMEOUT]
    post[SMS].fate = Report(Fate.NEVER_TAKEN)
    order = bought(phone="13900001111")
    access.bind_phone(order.customer, "13900001111", clock.now())
    tell(parcel(order), "delivered")
    frozen.shift(60)
    access.bind_phone(order.customer, "13800002222", clock.now())
    for _ in range(4):
        later(frozen, minutes=5)
    assert [one.address for one in post[SMS].letters] == ["13900001111"]
    assert fate("delivered") == ("not_told", "unknown")


def test_many_in_doubt_hide_no_notice_that_nobody_has_in_hand(post, frozen):
    post[WECHAT].always = TIMEOUT
    for _ in range(3):
        tell(parcel(bought()), "delivered")
    frozen.shift(60)
    post[WECHAT].always = None
    tell(parcel(bought("stranded")), "delivered")
    stranded = Notice.objects.filter(milestone="delivered", state="told")
    stranded.update(state="waiting", channel="")
    Delivery.objects.filter(notice__in=stranded).delete()
    frozen.shift(11 * 60)
    assert review.rescue(batch=2) == 1
