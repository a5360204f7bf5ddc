"""Whatever happens, in any order: nobody is told twice, nothing untrue, unwanted, at night, too late or too much, and
every notice has its end or its reason.
"""

import contextlib
import datetime as dt
import os
from collections import Counter

import pytest
import time_machine
from django import conf
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import OutboxMessage
from logistics import shipping
from logistics.models import Shipment
from logistics.tests.factories import STAFF, event, make_shipment, report
from notifications import claiming, dispatch, planning, reports, review, situation
from notifications.channels.base import ChannelError, Fate, Report, Taken
from notifications.models import Audience, Delivery, Notice, OptOut
from notifications.occasions import SMS
from notifications.tests import fake_channel
from notifications.tests.world import work
from orders import access
from orders.models import Order
from orders.tests.factories import line, make_customer, make_order

STATUSES = ("picked_up", "in_transit", "out_for_delivery", "awaiting_pickup", "delivery_failed", "exception",
            "delivered", "returning", "returned")  # fmt: skip
ANSWERS = {
    "taken": None,
    "no_consent": ChannelError("没有授权", code="43101", permanent=True),
    "busy": ChannelError("系统繁忙"),
    "slow": ChannelError("次数用完", retry_after=dt.timedelta(minutes=2)),
    "silent": ChannelError("没有答复", unknown=True),
    "refused": ChannelError("密钥无效", trouble="请更正密钥"),
}
CHANNELS = ("wechat_subscribe", "sms_aliyun", "sms_tencent")
MOODS = st.lists(st.sampled_from(["silent", "taken", *ANSWERS]), min_size=2, max_size=6)
PARCEL = st.integers(0, 1)
CAPS = [{Audience.BUYER: 2, Audience.CONSIGNEE: 1}, {Audience.BUYER: 8, Audience.CONSIGNEE: 4}]
BUDGETS = [1, 50]
EXAMPLES = int(os.environ.get("NOTICE_EXAMPLES", "10"))


def answers(mood: list[str]) -> list[Taken | ChannelError]:
    return [ANSWERS[name] or Taken() for name in mood] * 3


class Shop(RuleBasedStateMachine):
    """A buyer with two parcels, one of them for somebody else; facts, failures and reports as they come."""

    @initialize(moods=st.tuples(MOODS, MOODS, MOODS), caps=st.sampled_from(CAPS), budget=st.sampled_from(BUDGETS))
    def open(self, moods, caps, budget):
        self.caps, self.budget = caps, budget
        self.time = time_machine.travel("2026-11-22T12:00:00+08:00", tick=False)
        self.clock = self.time.start()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(dispatch, "MAY_SLEEP_SECONDS", 0.0)
        self.patch.setattr(claiming, "daily_cap", caps.get)
        self.patch.setattr(conf.settings, "SMS_DAILY_BUDGET", budget)
        self.post = fake_channel.install(self.patch, *CHANNELS)
        self.wrong: list[str] = []
        self.arrived: set[str] = set()
        for channel, mood in zip(self.post.values(), moods, strict=True):
            channel.depth, channel.before, channel.answers = 10, self.look, answers(mood)
        self.buyer = make_customer("buyer", phone="13800002222")
        for phone in ("13800002222", "13900001111"):
            order = make_order("paid", buyer_openid="buyer", phone=phone, lines=[line(sku="A", quantity=1)])
            make_shipment(order)

    def teardown(self):
        if hasattr(self, "patch"):
            self.settle()
            self.patch.undo()
            self.time.stop()

    def look(self, letter):
        """Note what is sent although by all rules it must not be sent at this moment."""
        delivery = Delivery.objects.select_related("notice").get(reference=letter.reference)
        notice, now = delivery.notice, clock.now()
        about = situation.load([notice])[notice.pk]
        urgent = situation.cant_wait(notice.milestone, about)
        today = Delivery.objects.filter(started_at__gte=clock.start_of_day(clock.shanghai(now).date()))
        today = today.exclude(state=Delivery.State.FAILED)
        others = today.filter(notice__recipient=notice.recipient).exclude(notice=notice)
        topics = set(OptOut.objects.filter(customer=about.customer).values_list("topic", flat=True))
        is_sms = delivery.channel in SMS
        told = others.values("notice").distinct().count()
        rules = {
            "untrue": not situation.holds(notice.milestone, about, now=now),
            "too late": notice.expires_at <= now,
            "at night": not urgent and not 8 <= clock.shanghai(now).hour < 22,
            "unwanted": notice.milestone in topics or (is_sms and "sms" in topics),
            "too much": not urgent and told >= self.caps[Audience(notice.audience)],
            "too dear": is_sms and today.filter(channel__in=SMS).count() > self.budget,
        }
        self.wrong += [f"{rule}: {notice.milestone} {notice.subject}" for rule, broken in rules.items() if broken]

    def shipment(self, which: int) -> Shipment:
        return Shipment.objects.order_by("id")[which]

    @rule(which=PARCEL, status=st.sampled_from(STATUSES), late=st.integers(0, 20), worked=st.booleans())
    def scanned(self, which, status, late, worked):
        at = clock.now() - dt.timedelta(minutes=late)
        report(self.shipment(which), event(status, at, text=f"{status}{at}"))
        if worked:
            work()

    @contextlib.contextmanager
    def waiting(self, which, status):
        """Something is to be told while the channels are busy; when they aren't any more, it is sent."""
        former = {name: channel.always for name, channel in self.post.items()}
        for channel in self.post.values():
            channel.always = ANSWERS["busy"]
        self.scanned(which, status, 0, worked=True)
        self.clock.shift(dt.timedelta(minutes=6))
        for name, channel in self.post.items():
            channel.always = former[name]
        yield
        dispatch.send_due()

    @rule(which=PARCEL, first=st.sampled_from(STATUSES), then=st.sampled_from(STATUSES))
    def overtaken_while_it_waits(self, which, first, then):
        """It is over before anybody has read that it is."""
        with self.waiting(which, first):
            self.scanned(which, then, 0, worked=False)

    @rule(which=PARCEL, topic=st.sampled_from(["out_for_delivery", "delivered"]))
    def refused_while_it_waits(self, which, topic):
        with self.waiting(which, topic):
            self.chose(topic, wanted=False)

    @rule(which=PARCEL, status=st.sampled_from(STATUSES), hours=st.sampled_from([12, 30, 75]))
    def too_old_when_its_turn_comes(self, which, status, hours):
        with self.waiting(which, status):
            self.clock.shift(dt.timedelta(hours=hours))

    @rule(which=PARCEL)
    def told_again(self, which):
        outbox.enqueue("notifications.shipment_changed", {"shipment_id": self.shipment(which).pk})
        for row in OutboxMessage.objects.filter(topic="notifications.order_changed")[:3]:
            outbox.enqueue(row.topic, row.payload)
        work()

    @rule(which=PARCEL, late=st.booleans())
    def delayed(self, which, late):
        since = clock.now().replace(minute=0) if late else None
        Shipment.objects.filter(pk=self.shipment(which).pk).update(delayed_since=since)
        outbox.enqueue("notifications.shipment_changed", {"shipment_id": self.shipment(which).pk})

    @rule(which=PARCEL)
    def withdrawn_or_entered_again(self, which):
        shipment, order = self.shipment(which), Order.objects.order_by("id")[which]
        if shipment.voided_at is not None:
            make_shipment(order, waybill_no=shipment.waybill_no, shipped_at=shipment.shipped_at)
            return
        with contextlib.suppress(NotPossible):
            shipping.void(shipment, order=order, reason="手误", actor=STAFF)

    @rule(topic=st.sampled_from(["out_for_delivery", "delivered", "sms"]), wanted=st.booleans())
    def chose(self, topic, wanted):
        OptOut.objects.filter(customer=self.buyer, topic=topic).delete()
        if not wanted:
            OptOut.objects.create(customer=self.buyer, topic=topic)

    @rule(name=st.sampled_from(CHANNELS), mood=MOODS, down=st.sampled_from([True, False, False]))
    def mood_changed(self, name, mood, down):
        channel = self.post[name]
        channel.answers, channel.always = answers(mood), ANSWERS["busy"] if down else None

    @rule(name=st.sampled_from(CHANNELS), fate=st.sampled_from([None, Fate.DELIVERED, Fate.FAILED, Fate.UNDERWAY]))
    def will_say_when_asked(self, name, fate):
        """It never says "never taken" of what it took."""
        self.post[name].fate = Report(fate) if fate else None

    @rule(number=st.integers(0, 5), fate=st.sampled_from([Fate.DELIVERED, Fate.UNDERWAY]))
    def reported(self, number, fate):
        letters = [(name, letter) for name, channel in self.post.items() for letter in channel.letters]
        if letters:
            name, letter = letters[number % len(letters)]
            reports.settle(Report(fate, reference=letter.reference), name)

    @rule(which=PARCEL, status=st.sampled_from(["out_for_delivery", "delivered", "returned"]))
    def said_to_have_failed_after_it_arrived(self, which, status):
        for channel in self.post.values():
            channel.always, channel.answers = None, []
        self.scanned(which, status, 0, worked=True)
        for row in Delivery.objects.filter(state__in=["sent", "delivered"]).order_by("-id")[:2]:
            self.arrived.add(row.reference)
            for fate in (Fate.DELIVERED, Fate.FAILED):
                reports.settle(Report(fate, reference=row.reference), row.channel)
        self.clock.shift(dt.timedelta(minutes=1))
        dispatch.send_due()

    @rule(minutes=st.sampled_from([1, 1, 4, 11, 60, 400]), worked=st.booleans())
    def time_passed(self, minutes, worked):
        """Without `worked` the outbox is behind, and only the job of the minute runs."""
        self.clock.shift(dt.timedelta(minutes=minutes))
        if worked:
            work()
        dispatch.send_due()
        dispatch.ask_unknown()

    @invariant()
    def nobody_is_told_twice_nor_what_must_not_be_told(self):
        if not hasattr(self, "post"):
            return
        told = Counter()
        for name, channel in self.post.items():
            for letter in channel.letters:
                row = Delivery.objects.select_related("notice").get(reference=letter.reference)
                # One that was reported as failed has told nobody: another channel may.
                if row.state != Delivery.State.FAILED or letter.reference in self.arrived:
                    notice = row.notice
                    key = notice.milestone, notice.subject, notice.recipient
                    told[(*key, notice.round) if notice.milestone in planning._ROUNDS else key] += 1
                    assert row.channel == name
        assert not [key for key, count in told.items() if count > 1]
        assert self.wrong == []

    def settle(self):
        """Let all come to its end: channels are well, and days pass."""
        for channel in self.post.values():
            channel.always, channel.answers = None, []
        for _ in range(15):  # an arrival may be foretold for next week
            self.clock.shift(dt.timedelta(hours=20))
            work()
            dispatch.send_due()
            dispatch.ask_unknown()
            review.review()
            dispatch.send_due()
        for notice in Notice.objects.all():
            assert (notice.state == "told") != bool(notice.why), (notice.state, notice.why, notice.milestone)
            assert notice.settled_at is not None
        assert access.accesses(self.buyer).count() == 2


class TestAnyOrder(TestCase):
    def test_nobody_is_told_twice_nothing_untrue_and_all_comes_to_an_end(self):
        class Rolled(Shop):
            def __init__(self):
                super().__init__()
                self.undo = transaction.atomic()
                self.undo.__enter__()

            def teardown(self):
                try:
                    super().teardown()
                finally:
                    transaction.set_rollback(True)
                    self.undo.__exit__(None, None, None)

        profile = settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            derandomize="NOTICE_EXAMPLES" not in os.environ,  # asked for more, it looks where nobody looked yet
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes longer than a test may
        )
        run_state_machine_as_test(Rolled, settings=profile)
