"""Connections side by side: each thing is planned, sent, counted and sent again once."""

import contextlib
import threading

import pytest

from frozenshop.kernel import clock
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.errors import NotPossible
from logistics.models import Shipment
from notifications import budgets, claiming, dispatch, opt_outs, planning, reports, resending
from notifications.channels.base import ChannelError, Fate, Report
from notifications.models import ChannelState, Consent, Delivery, Notice, OptOut, SmsBudget
from notifications.tests import fake_channel
from notifications.tests.world import MINUTE, bought, notices, parcel, tell
from notifications.wechat import consents
from orders import access
from orders.models import Customer
from orders.tests.factories import make_customer
from orders.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
WECHAT, SMS = "wechat_subscribe", "sms_aliyun"
STAFF = Actor(Source.STAFF, "staff:1")
BUSY = ChannelError("系统繁忙", code="-1")


@pytest.fixture
def post(transactional_db, frozen, monkeypatch):
    return fake_channel.install(monkeypatch, *fake_channel.BUYER)


def waiting(post, openid="mother"):
    """A parcel whose message waits for a channel that was busy, and is due again."""
    post[WECHAT].always = BUSY
    shipment = tell(parcel(bought(openid)), "out_for_delivery")
    post[WECHAT].always = None
    ChannelState.objects.all().delete()
    Notice.objects.filter(milestone="out_for_delivery").update(due_at=clock.now() - MINUTE)
    return shipment


def told(post):
    return post.titles(WECHAT).count("out_for_delivery")


def test_one_parcel_planned_by_many_at_once_is_told_of_once(post):
    shipment = parcel(bought())
    Shipment.objects.filter(pk=shipment.pk).update(status="out_for_delivery", status_at=clock.now())
    at_once(*[lambda: dispatch.send(planning.shipment_changed(shipment.pk))] * 6)
    assert told(post) == 1
    assert len(notices("out_for_delivery")) == 1


def test_many_senders_send_each_once(post):
    for name in "abcdef":
        waiting(post, openid=name)
    at_once(*[dispatch.send_due] * 4)
    dispatch.send_due()
    assert told(post) == 6
    assert Delivery.objects.filter(notice__milestone="out_for_delivery", state="sent").count() == 6


@pytest.fixture
def counted_together(monkeypatch):
    """Whoever counts what somebody was told waits a moment for the others to have counted too."""
    counted, meet = claiming._told_today, threading.Barrier(2)

    def count(*args):
        found = counted(*args)
        with contextlib.suppress(threading.BrokenBarrierError):
            meet.wait(timeout=0.5)
        return found

    monkeypatch.setattr(claiming, "_told_today", count)


@pytest.mark.parametrize("known", [True, False], ids=["told_before", "never_told"])
def test_senders_side_by_side_keep_to_the_daily_cap(post, settings, monkeypatch, counted_together, known):
    settings.NOTICE_DAILY_CAP = 3
    monkeypatch.setattr(claiming, "SAME_PERSON", -MINUTE)
    waiting(post)
    Delivery.objects.all().delete()
    (notice,) = notices("out_for_delivery")
    for number in range(1, 6):
        notice.pk, notice.round, notice._state.adding = None, number, True
        notice.save()
    first, *others = notices("out_for_delivery")
    if known:
        dispatch.send([first.pk])
    at_once(*[lambda notice=notice: dispatch.send([notice.pk]) for notice in others])
    for _ in range(3):
        dispatch.send_due()
    assert told(post) == 3
    assert Notice.objects.filter(why="capped").count() == 3


def test_what_is_overtaken_while_it_is_claimed_is_told_before_or_not_at_all(post):
    shipment = waiting(post)

    def arrive():
        Shipment.objects.filter(pk=shipment.pk).update(status="delivered", status_at=clock.now())
        dispatch.send(planning.shipment_changed(shipment.pk))

    at_once(arrive, dispatch.send_due)
    dispatch.send_due()
    ((state, why),) = Notice.objects.filter(milestone="out_for_delivery").values_list("state", "why")
    assert (state, why, told(post)) in [("told", "", 1), ("not_told", "superseded", 0)]
    assert post.titles(WECHAT).count("delivered") == 1


def test_two_members_of_staff_resend_once(post):
    tell(parcel(bought()), "out_for_delivery")
    (notice,) = notices("out_for_delivery")

    def again():
        try:
            return resending.resend(notice.pk, actor=STAFF, reason="没有收到").pk
        except NotPossible:
            return None

    assert len([pk for pk in at_once(*[again] * 6) if pk]) == 1


def test_a_failure_reported_by_many_at_once_brings_one_sms(post):
    tell(parcel(bought()), "out_for_delivery")
    sent = Delivery.objects.get()
    report = Report(Fate.FAILED, reference=sent.reference)
    at_once(*[lambda: reports.settle(report, WECHAT)] * 6)
    at_once(*[dispatch.send_due] * 3)
    assert len(post[SMS].letters) == 1


def test_never_taken_told_by_many_gives_one_sms_back(post):
    post[WECHAT].always = ChannelError("没有授权", code="43101", permanent=True)
    post[SMS].always = ChannelError("没有答复", unknown=True)
    tell(parcel(bought()), "out_for_delivery")
    sent = Delivery.objects.get(channel=SMS)
    report = Report(Fate.NEVER_TAKEN, reference=sent.reference)
    at_once(*[lambda: reports.settle(report, SMS)] * 6)
    assert SmsBudget.objects.get(purpose=budgets.NOTICES).used == 0


def test_a_grant_told_by_program_and_event_at_once_counts_once(post):
    def event():
        consents.answered("o", "T", "accept", cause=consents.POPUP, key="event:1")

    at_once(*[lambda: consents.grant("o", {"T": "accept"}, "g1")] * 4, *[event] * 4)
    assert Consent.objects.get().balance == 1


def test_a_message_that_went_out_costs_one_consent_however_often_it_is_told(post):
    consents.grant("o", {"T": "accept"}, "g1")
    consents.grant("o", {"T": "accept"}, "g2")
    at_once(*[lambda: consents.consumed("o", "T", "n1-x")] * 6)
    assert Consent.objects.get().balance == 1


def test_choices_made_at_once_leave_one_of_them(post):
    buyer = make_customer("buyer")
    at_once(*[lambda topic=topic: opt_outs.choose(buyer, [topic]) for topic in ("sms", "shipped", "delivered")])
    assert OptOut.objects.filter(customer=buyer).count() == 1


def test_a_phone_bound_by_two_at_once_is_one_of_theirs(post):
    one, two = make_customer("one"), make_customer("two")
    at_once(*[lambda who=who: access.bind_phone(who, "13900001111", clock.now()) for who in (one, two)])
    assert Customer.objects.exclude(phone_index=None).count() == 1
