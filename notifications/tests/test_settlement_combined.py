"""Payments that were made in one go (合单支付) are told in one call, each exactly once, whatever happens on the way."""

import contextlib
import os

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.http import ServiceError
from logistics.tests.factories import STAFF, make_carrier, make_shipment
from notifications.models import ShippingReport
from notifications.settlement import claiming, content, correction, guard, payments, upload
from notifications.settlement import frozen as held
from notifications.tests.settling import GET, OPENID, UPLOAD, Shop, alerts, report, state, void
from notifications.tests.wechat_sim import sim
from notifications.wechat.errors import WechatError
from orders import lifecycle
from orders.models import Order, OrderStatus

assert sim
COMBINED = "/wxa/sec/order/upload_combined_shipping_info"
MCH, ABOVE = "1900000109", "1900000109/C1"
EXAMPLES = int(os.environ.get("SETTLEMENT_EXAMPLES", "8"))


class Together(Shop):
    """A buyer pays several orders in one go: order n by the payment A<n> below C1."""

    def order(self, number: int, *, known: bool = True) -> Order:
        if known:
            self.charge(number, combined=ABOVE)
        own = {"mchid": MCH, "out_trade_no": f"A{number}", "combine_out_trade_no": "C1"}
        return self.pay(number, payment=own, known=False)

    def named(self) -> list[list[str]]:
        """Which payments each combined call named."""
        return [[one["order_key"]["out_trade_no"] for one in body["sub_orders"]] for body in self.asked(COMBINED)]

    def finished(self, *numbers: int) -> list[int]:
        return [getattr(self.payment(number), "finished", -1) for number in numbers]


@pytest.fixture
def shop(sim, frozen) -> Together:
    return Together(sim, frozen)


def refund(order):
    order.refresh_from_db()
    lifecycle.move(order, OrderStatus.REFUNDED, kind="refunded", occurred_at=order.placed_at, actor=STAFF)


@pytest.mark.django_db
class TestTogether:
    def test_orders_that_were_paid_in_one_go_are_told_in_one_call(self, shop):
        orders = [shop.order(n) for n in (1, 2)]
        parcels = [shop.ship(order) for order in orders]
        shop.later()
        (asked,) = shop.asked(COMBINED)
        assert shop.asked(UPLOAD) == []
        assert asked["order_key"] == {"order_number_type": 1, "mchid": MCH, "out_trade_no": "C1"}
        assert [one["order_key"] for one in asked["sub_orders"]] == [
            {"order_number_type": 1, "mchid": MCH, "out_trade_no": f"A{n}"} for n in (1, 2)
        ]
        assert [one["shipping_list"][0]["tracking_no"] for one in asked["sub_orders"]] == [
            p.waybill_no for p in parcels
        ]
        assert (asked["payer"], asked["upload_time"]) == ({"openid": OPENID}, "2026-11-22T12:11:00.000+08:00")
        assert [state(order) for order in orders] == [("uploaded", "")] * 2
        assert shop.finished(1, 2) == [1, 1]

    def test_the_first_waits_for_the_others_and_staff_see_why(self, shop):
        first, second = shop.order(1), shop.order(2)
        shop.ship(first)
        shop.later()
        shop.later(60)
        assert (shop.asked(COMBINED), state(first)) == ([], ("waiting", "together"))
        assert held.reason_for(report(first)) == held.TOGETHER
        shop.ship(second)
        shop.later()
        assert (shop.named(), state(first)) == ([["A1", "A2"]], ("uploaded", ""))

    def test_it_waits_no_longer_than_a_day_and_names_what_is_told_only_once(self, shop):
        first, second = shop.order(1), shop.order(2)
        shop.ship(first)
        shop.later(24 * 60 + 1)
        assert (shop.named(), shop.payment(1).state, shop.payment(2).state) == ([["A1"]], 2, 1)
        shop.ship(second)
        shop.later()
        assert (shop.named(), shop.finished(1, 2)) == ([["A1"], ["A2"]], [1, 1])

    def test_parts_of_one_order_are_told_while_the_rest_is_left(self, shop):
        order = shop.order(1)
        Order.objects.get(pk=order.pk).lines.update(quantity=4)
        shop.ship(order, lines={"XR-1": 2})
        shop.later(24 * 60 + 1)
        shop.ship(order, lines={"XR-1": 2})
        shop.later()
        modes = [body["sub_orders"][0]["is_all_delivered"] for body in shop.asked(COMBINED)]
        assert (modes, shop.finished(1)) == ([False, True], [1])

    def test_what_goes_by_van_and_by_express_stands_in_one_call(self, shop):
        shop.ship(shop.order(1))
        shop.ship(shop.order(2), carrier=make_carrier("OWN_FLEET", category="own", kdniao_code=""))
        shop.later()
        (asked,) = shop.asked(COMBINED)
        assert [one["logistics_type"] for one in asked["sub_orders"]] == [1, 2]

    def test_an_order_that_was_refunded_meanwhile_holds_nobody_up(self, shop):
        first, second = shop.order(1), shop.order(2)
        shop.ship(first)
        shop.work()
        refund(second)
        shop.later()
        assert (shop.named(), state(second)) == ([["A1"]], ("not_needed", "refunded"))

    @pytest.mark.parametrize("kind", ["cut", "bad_json", "timeout"])
    def test_an_answer_that_got_lost_is_asked_back_for_each_and_nothing_is_told_twice(self, shop, kind):
        orders = [shop.order(n) for n in (1, 2)]
        for order in orders:
            shop.ship(order)
        guard.is_managed()
        shop.fault(kind)
        shop.later()
        assert {state(order)[0] for order in orders} == {"unknown"}
        shop.mend()
        shop.later(2)
        assert ({state(order)[0] for order in orders}, shop.finished(1, 2)) == ({"uploaded"}, [1, 1])
        assert len(shop.asked(COMBINED)) == 1
        assert len(shop.asked(GET)) >= 2

    def test_what_never_arrived_is_told_again_in_one_call_after_asking(self, shop):
        for number in (1, 2):
            shop.ship(shop.order(number))
        guard.is_managed()
        shop.fault("http_5xx")
        shop.later()
        shop.mend()
        shop.later(2)
        assert shop.named() == [["A1", "A2"]] * len(shop.named())
        assert (shop.finished(1, 2), [shop.uploads(n) for n in (1, 2)]) == ([1, 1], [1, 1])

    def test_one_that_can_not_be_shipped_does_not_stop_the_others(self, shop):
        orders = [shop.order(n) for n in (1, 2, 3)]
        for order in orders:
            shop.ship(order)
        shop.sim.wechat.shipping.refund(shop.payment(2))
        shop.later()
        assert [state(order)[0] for order in orders] == ["uploaded", "not_needed", "uploaded"]
        assert (shop.finished(1, 3), [shop.uploads(n) for n in (1, 3)], alerts()) == ([1, 1], [1, 1], [])
        calls = len(shop.asked(COMBINED))
        guard.wake(report(orders[0]).pk)
        guard.wake(report(orders[1]).pk)
        shop.work()
        assert len(shop.asked(COMBINED)) == calls

    def test_the_whole_is_refused_each_is_tried_alone(self, shop):
        orders = [shop.order(n) for n in (1, 2)]
        for order in orders:
            shop.ship(order)
        shop.sim.force(10060014, COMBINED, times=2)
        shop.later()
        assert sorted(state(order)[0] for order in orders) == ["refused", "uploaded"]
        assert len(alerts()) == 1
        assert [len(named) for named in shop.named()] == [2, 1, 1]

    def test_a_refused_one_is_not_tried_again_because_another_one_changed(self, shop):
        first, second = shop.order(1), shop.order(2)
        shop.ship(first)
        shop.sim.force(10060014, COMBINED)
        shop.later(24 * 60 + 1)
        assert state(first)[0] == "refused"
        shop.ship(second)
        shop.later()
        assert (shop.named(), state(first)[0]) == ([["A1"], ["A2"]], "refused")

    def test_one_that_wechat_does_not_find_holds_the_others_up_for_a_while_only(self, shop):
        known, unknown = shop.order(1), shop.order(2, known=False)
        for order in (known, unknown):
            shop.ship(order)
        shop.later()
        assert {state(order) for order in (known, unknown)} == {("waiting", "10060001")}
        for _ in range(6):
            shop.later(30)
        assert (state(known)[0], state(unknown)) == ("uploaded", ("waiting", "10060001"))

    def test_a_correction_names_what_changed_alone(self, shop, django_user_model):
        first, second = shop.order(1), shop.order(2)
        parcels = [shop.ship(order) for order in (first, second)]
        shop.later()
        new = (parcels[0].carrier, "SF0000000000077")
        void(parcels[0], first, new)
        shop.later()
        assert state(first) == ("uploaded", "changed")
        correction.correct(report(first), django_user_model.objects.create_user("boss"))
        shop.work()
        assert (shop.named(), shop.finished(1, 2)) == ([["A1", "A2"], ["A1"]], [2, 1])

    def test_numbers_above_and_below_are_of_one_kind(self, shop):
        shop.charge(1, combined=ABOVE)
        paid = {"transaction_id": shop.payment(1).transaction_id, "mchid": MCH, "out_trade_no": "A1"}
        order = shop.pay(1, payment=paid | {"combine_out_trade_no": "C1"}, known=False)
        assert (payments.of(order), payments.combined(order)) == (f"{MCH}/A1", ABOVE)
        shop.ship(order)
        shop.later()
        assert (shop.named(), state(order)) == ([["A1"]], ("uploaded", ""))

    def test_buyers_are_reminded_once_for_each_payment(self, shop):
        for number in (1, 2):
            parcel = shop.ship(shop.order(number))
            Order.objects.filter(shipments=parcel).update(delivered_at=clock.now())
        shop.later()
        assert [shop.payment(number).nudged for number in (1, 2)] == [1, 1]


class Buying(RuleBasedStateMachine):
    """Three orders below one payment; parcels, refunds, failures and deaths as they come."""

    shop: Together

    @initialize()
    def open(self):
        self.orders = [self.shop.order(n) for n in (1, 2, 3)]

    def rows(self):
        return ShippingReport.objects.filter(order__in=self.orders).order_by("order_id")

    @rule(number=st.integers(0, 2), whole=st.booleans())
    def ship(self, number, whole):
        with transaction.atomic():
            try:
                make_shipment(self.orders[number], lines={"XR-1": 2 if whole else 1})
            except NotPossible:
                transaction.set_rollback(True)

    @rule(minutes=st.sampled_from([1, 11, 90, 1500]))
    def pass_time(self, minutes):
        self.shop.later(minutes)

    @rule(kind=st.sampled_from(["cut", "timeout", "http_5xx"]), minutes=st.sampled_from([1, 11, 1500]))
    def fail(self, kind, minutes):
        self.shop.frozen.shift(minutes * 60)
        guard.forget_managed()
        guard.is_managed()  # with its token, so that the upload is what fails
        self.shop.fault(kind)
        self.shop.work()
        self.shop.mend()

    @rule(number=st.integers(0, 2), late=st.booleans())
    def die(self, number, late):
        """A worker dies after its claim, before or after the call."""
        row = self.rows().filter(order=self.orders[number]).first()
        step = claiming.claim(row.pk) if row else None
        if late and isinstance(step, claiming.Upload):
            with contextlib.suppress(WechatError, ServiceError):
                upload._post(step)

    @rule(number=st.integers(0, 2))
    def refund(self, number):
        with contextlib.suppress(NotPossible):
            refund(self.orders[number])

    @invariant()
    def nothing_is_told_twice(self):
        if hasattr(self, "orders"):
            assert all(count <= 1 for count in self.shop.finished(1, 2, 3))
            # WeChat was asked before every repeat: it never got what it has already.
            assert not any(self.shop.payment(number).unchanged for number in (1, 2, 3))

    def teardown(self):
        if not hasattr(self, "orders"):
            return
        self.shop.mend()
        for _ in range(4):
            self.shop.later(24 * 60)
            guard.wake_overdue()
            self.shop.work()
        live = [n for n, order in enumerate(self.orders) if Order.objects.get(pk=order.pk).status != "refunded"]
        for row in self.rows().filter(order__in=[self.orders[n] for n in live]):
            wanted = content.wanted([row.order], clock.now()).body
            known = self.shop.payment(self.orders.index(row.order) + 1)
            assert (row.state if wanted else "uploaded") == "uploaded"
            assert bool(known.finished) == content.is_complete(wanted)
            assert content.same(known.shipping, wanted) if wanted else not known.shipping


class TestBuying(TestCase):
    @pytest.fixture(autouse=True)
    def _give(self, sim):
        self.sim = sim

    def test_each_is_told_once_and_in_full_whatever_happens(self):
        sim = self.sim

        class Bought(Buying):
            def __init__(self):
                super().__init__()
                self.atomic = transaction.atomic()
                self.atomic.__enter__()
                self.time = time_machine.travel("2026-11-22T12:00:00+08:00", tick=False)
                sim.wechat.shipping.book._file.execute("DELETE FROM payment")
                self.shop = Together(sim, self.time.start())

            def teardown(self):
                try:
                    super().teardown()
                finally:
                    self.time.stop()
                    transaction.set_rollback(True)
                    self.atomic.__exit__(None, None, None)

        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        limits = settings(
            max_examples=EXAMPLES, stateful_step_count=14, deadline=None, suppress_health_check=checks,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        )  # fmt: skip
        run_state_machine_as_test(Bought, settings=limits)
