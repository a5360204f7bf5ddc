"""Codes by SMS: budgets, sending, and what proves a phone."""

import datetime as dt
import itertools

import pytest
from django.db import DatabaseError

from frozenshop.kernel import clock, throttling
from frozenshop.kernel.errors import Invalid, RateLimited, Unavailable
from frozenshop.kernel.tests import stores
from notifications import breaker
from notifications.channels import base
from notifications.channels.base import ChannelError
from notifications.models import SmsBudget, SmsCode
from notifications.sms import codes
from notifications.tests import fake_channel
from orders.models import Alert
from orders.tests.test_races import at_once

PHONE, OTHER = "13800138000", "13900139000"
pytestmark = pytest.mark.django_db
HERE = "203.0.113.5"


@pytest.fixture(autouse=True)
def channels(monkeypatch, settings):
    """Both services are fakes; nothing else has asked from the same address."""
    settings.ALIYUN_SMS_CODE_TEMPLATE, settings.TENCENT_SMS_CODE_TEMPLATE = "SMS_1", "11"
    settings.TENCENT_SMS_CODE_FIELDS = "code,minutes"
    found = {name: fake_channel.FakeChannel(name) for name in ("sms_aliyun", "sms_tencent")}
    monkeypatch.setattr(base, "CHANNELS", dict.fromkeys(found, "fake"))
    monkeypatch.setattr(base, "get_channel", found.__getitem__)
    if settings.REDIS_URL:
        stores.use_shared_redis(monkeypatch, settings)
    else:
        monkeypatch.setattr(throttling, "HERE", throttling.LocalLimits())
    yield found
    stores.close_stores()


@pytest.fixture
def aliyun(channels):
    return channels["sms_aliyun"]


@pytest.fixture
def tencent(channels):
    return channels["sms_tencent"]


def code_of(channel):
    return channel.letters[-1].fields["code"]


def ask(phone=PHONE, address=HERE):
    return codes.send(phone, address)


def refused(phone=PHONE, address=HERE):
    with pytest.raises(RateLimited) as refusal:
        ask(phone, address)
    return refusal.value.retry_after


# --- sending --------------------------------------------------------------------------------------


def test_a_code_goes_to_the_phone_in_its_one_form(aliyun):
    assert ask("+86 138-0013-8000") == dt.timedelta(minutes=1)
    (letter,) = aliyun.letters
    assert (letter.address, letter.template_id) == (PHONE, "SMS_1")
    assert len(code_of(aliyun)) == 6
    assert code_of(aliyun).isdigit()


def test_of_code_phone_and_address_only_digests_are_kept(aliyun):
    ask()
    kept = str(SmsCode.objects.values().get())
    assert not [word for word in (PHONE, code_of(aliyun), HERE) if word in kept]
    assert code_of(aliyun) not in aliyun.letters[0].reference


@pytest.mark.parametrize("phone", ["", "110", "021-12345678", "+85291234567", "13800138000-1234", "手机", "1" * 500])
def test_only_a_mainland_mobile_gets_a_code(aliyun, phone):
    with pytest.raises(Invalid) as refusal:
        ask(phone)
    assert list(refusal.value.fields) == ["phone"]
    assert not aliyun.letters


def test_the_second_service_takes_over(aliyun, tencent):
    aliyun.answers = [ChannelError("停机", trouble="充值")]
    ask()
    assert tencent.letters[0].fields.keys() == {"1", "2"}
    assert codes.verify(PHONE, tencent.letters[0].fields["1"]) == PHONE


def test_a_service_in_trouble_is_not_asked_first_again(aliyun, tencent):
    breaker.refused("sms_aliyun", "充值")
    ask()
    assert (len(aliyun.letters), len(tencent.letters)) == (0, 1)


def test_who_asks_again_gets_the_next_one_by_the_other_service(aliyun, tencent, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    ask()
    time_machine.shift(60)
    ask()
    assert (len(aliyun.letters), len(tencent.letters)) == (1, 1)
    codes.verify(PHONE, tencent.letters[0].fields["1"])
    time_machine.shift(600)
    ask()
    assert len(aliyun.letters) == 2


def test_an_unknown_outcome_is_no_reason_to_send_twice(aliyun, tencent):
    aliyun.answers = [ChannelError("没有按时回答", unknown=True)]
    assert ask() == dt.timedelta(minutes=1)
    assert not tencent.letters
    assert codes.verify(PHONE, code_of(aliyun)) == PHONE


def test_where_no_service_takes_it_the_buyer_is_told(aliyun, tencent):
    aliyun.answers = tencent.answers = [ChannelError("系统繁忙"), ChannelError("系统繁忙")]
    with pytest.raises(Unavailable):
        ask()
    assert SmsCode.objects.get().used_at is not None


def test_where_all_services_limit_the_number_the_buyer_is_told_how_long(aliyun, tencent):
    hour = dt.timedelta(hours=1)
    limited = ChannelError("触发小时级流控", permanent=True, retry_after=hour)
    aliyun.answers, tencent.answers = [limited], [limited]
    assert refused() == hour


def test_without_a_template_codes_are_off(settings, aliyun):
    settings.ALIYUN_SMS_CODE_TEMPLATE = settings.TENCENT_SMS_CODE_TEMPLATE = ""
    with pytest.raises(Unavailable, match="没有启用"):
        ask()
    assert not aliyun.letters


def used():
    return sum(SmsBudget.objects.values_list("used", flat=True))


# --- budgets --------------------------------------------------------------------------------------


def test_a_phone_gets_one_a_minute(aliyun, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    ask()
    time_machine.shift(59)
    assert refused() == dt.timedelta(seconds=1)
    time_machine.shift(1)
    ask()
    assert SmsCode.objects.count() == 2


def test_a_phone_gets_five_an_hour_and_ten_a_day(aliyun, tencent, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    for _ in range(5):
        ask()
        time_machine.shift(61)
    assert refused() == dt.timedelta(seconds=3600 - 5 * 61)
    time_machine.shift(3600)
    for _ in range(5):
        ask()
        time_machine.shift(61)
    time_machine.shift(3600)
    assert dt.timedelta(hours=20) < refused() < dt.timedelta(hours=22)
    assert (len(aliyun.letters), len(tencent.letters)) == (6, 4)


def test_an_address_gets_thirty_an_hour(aliyun):
    for number in range(30):
        ask(f"1390013{number:04}")
    assert refused(OTHER) <= dt.timedelta(hours=1)
    ask(OTHER, "203.0.113.6")
    assert len(aliyun.letters) == 31


def test_a_household_of_ipv6_is_one_address(aliyun):
    for number in range(30):
        ask(f"1390013{number:04}", f"2001:db8::{number:x}")
    refused(OTHER, "2001:db8::ffff")
    ask(OTHER, "2001:db8:0:1::1")


def test_the_shop_has_a_budget_of_the_day_and_staff_are_told(settings, aliyun, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    settings.SMS_CODES_DAILY_BUDGET = 2
    ask("13900130001")
    ask("13900130002")
    assert refused("13900130003") == dt.timedelta(hours=12)
    assert Alert.objects.get().kind == "messaging"
    assert (used(), len(aliyun.letters)) == (2, 2)
    time_machine.shift(dt.timedelta(hours=12))
    ask("13900130003")
    codes.purge()
    assert Alert.objects.get().resolved_at is not None


def test_what_is_refused_counts_for_nothing(aliyun):
    ask()
    for _ in range(3):
        refused()
    assert used() == SmsCode.objects.count() == 1


def test_where_nothing_can_be_counted_nothing_is_sent(monkeypatch, aliyun):
    def fail(*args, **kwargs):
        raise DatabaseError

    monkeypatch.setattr(codes.budgets, "take", fail)
    with pytest.raises(DatabaseError):
        ask()
    assert not aliyun.letters


def test_where_the_store_of_limits_is_down_nothing_is_sent(monkeypatch, settings, aliyun):
    stores.use_redis(monkeypatch, settings, "redis://127.0.0.1:9/0")
    with pytest.raises(Unavailable):
        ask()
    assert not aliyun.letters


@pytest.mark.django_db(transaction=True)
def test_of_many_that_ask_at_once_for_one_phone_one_is_sent(aliyun):
    def one():
        try:
            return ask()
        except RateLimited:
            return None

    results = at_once(*[one] * 8)
    assert len([result for result in results if result]) == len(aliyun.letters) == SmsCode.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_that_ask_at_once_for_many_phones_share_the_day_exactly(settings, aliyun):
    settings.SMS_CODES_DAILY_BUDGET = 5

    def one(number):
        try:
            return ask(f"1390013{number:04}", f"203.0.113.{number}")
        except RateLimited:
            return None

    results = at_once(*[lambda number=number: one(number) for number in range(1, 9)])
    assert len([result for result in results if result]) == len(aliyun.letters) == 5
    assert used() == 5


@pytest.mark.django_db(transaction=True)
def test_those_that_ask_at_midnight_wait_for_each_other(aliyun, time_machine):
    """The day's row changes between them, the phone's budget doesn't."""
    time_machine.move_to("2026-11-23T00:00:00+08:00", tick=False)
    asked = itertools.count()

    def one():
        try:
            return ask()
        except RateLimited:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codes.budgets, "day_of", lambda instant: dt.date(2026, 11, 22 + next(asked) % 2))
        results = at_once(*[one] * 8)
    assert len([result for result in results if result]) == SmsCode.objects.count() == 1


# --- checking -------------------------------------------------------------------------------------


def wrong_of(code):
    return f"{(int(code) + 1) % 10**6:06}"


def fails(phone, code):
    with pytest.raises(Invalid) as refusal:
        codes.verify(phone, code)
    assert list(refusal.value.fields) == ["sms_code"]
    return True


def test_a_code_is_good_once(aliyun):
    ask()
    assert codes.verify(PHONE, code_of(aliyun)) == PHONE
    assert fails(PHONE, code_of(aliyun))


def test_a_code_is_good_for_five_minutes(aliyun, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    ask()
    time_machine.shift(300)
    assert fails(PHONE, code_of(aliyun))


def test_a_code_has_five_tries(aliyun):
    ask()
    for _ in range(4):
        fails(PHONE, wrong_of(code_of(aliyun)))
    assert codes.verify(PHONE, code_of(aliyun)) == PHONE


def test_after_five_wrong_tries_the_right_one_is_too_late(aliyun):
    ask()
    for _ in range(5):
        fails(PHONE, wrong_of(code_of(aliyun)))
    assert fails(PHONE, code_of(aliyun))


def test_a_code_proves_its_own_phone_only(aliyun):
    ask()
    ask(OTHER)
    assert fails(PHONE, code_of(aliyun))


def test_only_the_newest_code_is_good(aliyun, tencent, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    ask()
    first = code_of(aliyun)
    time_machine.shift(60)
    ask()
    newest = tencent.letters[0].fields["1"]
    if first != newest:
        assert fails(PHONE, first)
    assert codes.verify(PHONE, newest) == PHONE


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", " 12345"])
def test_what_is_no_code_counts_no_try(aliyun, code):
    ask()
    assert fails(PHONE, code)
    assert SmsCode.objects.get().tries == 0


def test_nothing_was_sent_and_wrong_are_told_alike(aliyun):
    ask(OTHER)
    told = []
    for phone in (PHONE, OTHER):
        with pytest.raises(Invalid) as refusal:
            codes.verify(phone, wrong_of(code_of(aliyun)))
        told.append((refusal.value.message, refusal.value.fields))
    assert told[0] == told[1]


@pytest.mark.django_db(transaction=True)
def test_of_many_right_tries_at_once_one_counts(aliyun):
    ask()
    code = code_of(aliyun)

    def one():
        try:
            return codes.verify(PHONE, code)
        except Invalid:
            return None

    assert sorted(filter(None, at_once(*[one] * 4))) == [PHONE]


@pytest.mark.django_db(transaction=True)
def test_wrong_tries_at_once_all_count(aliyun):
    ask()
    code = code_of(aliyun)

    def one():
        with pytest.raises(Invalid):
            codes.verify(PHONE, wrong_of(code))

    at_once(*[one] * 8)
    assert SmsCode.objects.get().tries == 5
    assert fails(PHONE, code)


def test_old_codes_are_forgotten(aliyun, time_machine):
    time_machine.move_to("2026-11-22T12:00:00+08:00", tick=False)
    ask()
    time_machine.shift(dt.timedelta(days=1))
    codes.purge()
    assert SmsCode.objects.exists()
    time_machine.shift(dt.timedelta(days=1, seconds=1))
    codes.purge()
    assert not SmsCode.objects.exists()
    assert clock.now()


def test_two_addresses_of_ipv4_count_apart_however_the_socket_writes_them(aliyun, monkeypatch):
    monkeypatch.setattr(codes, "PER_ADDRESS", ((1, codes.HOUR),))
    ask(PHONE, "::ffff:203.0.113.5")
    ask(OTHER, "::ffff:203.0.113.6")
    refused("13700137000", "203.0.113.5")
