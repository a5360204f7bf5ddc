import datetime as dt
import threading

import pytest
from django.db import connection, transaction

from notifications import budgets
from notifications.channels.base import ChannelError
from notifications.models import SmsBudget
from notifications.tests.world import bought, fate, later, notices, parcel, tell
from orders.models import Alert, AlertKind

SMS = "sms_aliyun"


@pytest.fixture
def sms_only(post, settings):
    post["wechat_subscribe"].configured = lambda: False
    settings.SMS_DAILY_BUDGET = 2
    return post


def used() -> int:
    return SmsBudget.objects.get(purpose="notices").used


def test_no_more_is_granted_than_the_day_has(db, settings):
    settings.SMS_DAILY_BUDGET = 5
    assert [budgets.take(2), budgets.take(2), budgets.take(2), budgets.take(1)] == [2, 2, 1, 0]


def test_purposes_have_budgets_of_their_own(db):
    assert (budgets.take(1, purpose="codes", limit=1), budgets.take(1, purpose="codes", limit=1)) == (1, 0)
    assert budgets.take(1) == 1


def test_each_day_has_its_own(sms_only, frozen):
    for _ in range(3):
        budgets.take(1)
    frozen.shift(dt.timedelta(days=1))
    assert budgets.take(3) == 2


def test_the_day_is_shanghais(sms_only, frozen):
    frozen.move_to("2026-11-22T23:59:59+08:00")
    assert budgets.take(2) == 2
    frozen.shift(dt.timedelta(seconds=1))
    assert budgets.take(2) == 2


def test_when_it_is_used_up_sending_stops_and_staff_are_told(sms_only):
    for _ in range(4):
        tell(parcel(bought()), "out_for_delivery")
    assert len(sms_only[SMS].letters) == 2
    assert [notice.why for notice in notices("out_for_delivery")] == ["", "", "budget", "budget"]
    assert "SMS_DAILY_BUDGET" in Alert.objects.get(kind=AlertKind.MESSAGING).detail


def test_what_was_not_taken_costs_nothing(sms_only):
    sms_only[SMS].always = ChannelError("号码有误", permanent=True)
    tell(parcel(bought()), "out_for_delivery")
    assert (used(), fate("out_for_delivery")) == (0, ("not_told", "failed"))


def test_what_may_have_been_taken_is_paid_for(sms_only):
    sms_only[SMS].answers = [ChannelError("没有答复", unknown=True)]
    tell(parcel(bought()), "out_for_delivery")
    assert used() == 1


def test_staff_are_warned_before_it_is_used_up(sms_only, frozen, settings):
    settings.SMS_DAILY_BUDGET = 10
    budgets.take(7)
    budgets.review()
    assert not Alert.objects.exists()
    budgets.take(1)
    budgets.review()
    assert "已用 8 条" in Alert.objects.get().detail
    frozen.shift(dt.timedelta(days=1))
    budgets.review()
    assert Alert.objects.get().resolved_at is not None


def test_tomorrow_it_goes_on(sms_only, frozen):
    for _ in range(3):
        tell(parcel(bought()), "out_for_delivery")
    frozen.shift(dt.timedelta(days=1))
    tell(parcel(bought()), "out_for_delivery")
    later(frozen)
    assert len(sms_only[SMS].letters) == 3


@pytest.mark.django_db(transaction=True)
def test_it_is_exact_however_many_ask_at_once(settings):
    settings.SMS_DAILY_BUDGET = 20
    granted: list[int] = []

    def ask() -> None:
        try:
            for _ in range(5):
                with transaction.atomic():
                    granted.append(budgets.take(2))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(granted), used()) == (20, 20)
