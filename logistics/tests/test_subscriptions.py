"""When a provider may be asked to push, what ends it, and what a corrected carrier changes."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from logistics import polling, subscriptions
from logistics.models import Shipment, Subscription
from logistics.subscriptions import AGAIN_AFTER
from logistics.tests.factories import make_carrier, make_report, make_shipment, report
from logistics.tests.tracked import queued
from orders.models import Alert, AlertKind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
K100 = "kuaidi100"


@pytest.fixture
def shipment():
    return make_shipment(carrier=make_carrier("YTO", kuaidi100_code="yuantong"), waybill_no="YT0000000000001")


def abort(shipment, **more):
    subscriptions.heed(shipment, K100, make_report(pushes_ended="已中止推送：3天查询无记录", **more))


def corrected(shipment, code="zhongtong"):
    subscriptions.heed(shipment, K100, make_report(corrected_carrier_code=code))


def test_a_parcel_may_be_subscribed_at_once(shipment):
    assert subscriptions.next_at(shipment, K100) == clock.now()


def test_what_runs_is_not_asked_for_again(shipment):
    subscriptions.begin(shipment, K100)
    assert subscriptions.next_at(shipment, K100) is None


def test_another_provider_may_push_beside_it(shipment):
    subscriptions.begin(shipment, "kdniao")
    assert subscriptions.next_at(shipment, K100) == clock.now()


def test_a_finished_parcel_is_not_subscribed(shipment):
    assert subscriptions.next_at(report(shipment, "delivered"), K100) is None


def test_an_abort_ends_the_subscription_and_asks_again_half_an_hour_later(shipment):
    subscriptions.begin(shipment, K100)
    abort(shipment)
    (row,) = Subscription.objects.all()
    assert (row.ended_at, row.detail) == (clock.now(), "已中止推送：3天查询无记录")
    assert queued("logistics.subscribe")[-1].due_at == clock.now() + AGAIN_AFTER
    assert Shipment.objects.get().subscribed_at is None


def test_polling_goes_on_after_an_abort(shipment):
    before = Shipment.objects.get().next_poll_at
    subscriptions.begin(shipment, K100)
    abort(shipment)
    assert Shipment.objects.get().next_poll_at == before


def test_a_second_abort_asks_no_second_time(shipment):
    subscriptions.begin(shipment, K100)
    abort(shipment)
    known = len(queued("logistics.subscribe"))
    abort(shipment)
    assert len(queued("logistics.subscribe")) == known


def test_pushes_that_end_with_the_delivery_are_not_asked_for_again(shipment):
    subscriptions.begin(shipment, K100)
    known = len(queued("logistics.subscribe"))
    abort(report(shipment, "delivered"))
    assert Subscription.objects.get().ended_at
    assert len(queued("logistics.subscribe")) == known


def test_half_an_hour_must_pass_after_an_abort(shipment, frozen):
    subscriptions.begin(shipment, K100)
    abort(shipment)
    ended = clock.now()
    frozen.shift(dt.timedelta(minutes=29))
    assert subscriptions.next_at(shipment, K100) == ended + AGAIN_AFTER
    frozen.shift(dt.timedelta(minutes=2))
    assert subscriptions.next_at(shipment, K100) == clock.now()


def test_the_fifth_subscription_waits_until_the_month_is_over(shipment, frozen):
    first = clock.now()
    for _ in range(4):
        subscriptions.begin(shipment, K100)
        abort(shipment)
        frozen.shift(dt.timedelta(days=3))
    assert subscriptions.next_at(shipment, K100) == first + subscriptions.MONTH


def test_who_sets_no_limit_may_be_asked_often(shipment, frozen):
    for _ in range(5):
        subscriptions.begin(shipment, "kdniao")
        subscriptions.heed(shipment, "kdniao", make_report(pushes_ended="结束"))
        frozen.shift(dt.timedelta(hours=1))
    assert subscriptions.next_at(shipment, "kdniao") == clock.now()


def test_a_corrected_carrier_is_told_to_staff(shipment):
    make_carrier("ZTO", name="中通快递", kuaidi100_code="zhongtong")
    corrected(shipment)
    alert = Alert.objects.get(kind=AlertKind.WRONG_NUMBER)
    assert "中通快递（zhongtong）" in alert.detail
    assert alert.order == shipment.orders.get()


def test_what_a_person_settled_is_not_told_again_by_the_next_push(shipment):
    corrected(shipment)
    Alert.objects.update(resolved_at=clock.now(), open_key=None)
    corrected(shipment)
    assert Alert.objects.count() == 1


def test_questions_go_to_the_corrected_carrier_with_what_it_wants(shipment):
    make_carrier("ZTO", kuaidi100_code="zhongtong", needs_phone_tail=[K100])
    assert polling.question_about(shipment, K100).phone_tail == ""
    corrected(shipment)
    question = polling.question_about(shipment, K100)
    assert (question.carrier_code, question.phone_tail) == ("zhongtong", "1234")
    assert polling.question_about(shipment, "kdniao").carrier_code == "YTO"


def test_an_unknown_carrier_is_told_but_not_asked(shipment):
    corrected(shipment, "nobody")
    assert Alert.objects.filter(kind=AlertKind.WRONG_NUMBER).exists()
    assert polling.question_about(shipment, K100).carrier_code == "yuantong"


def test_a_code_that_two_carriers_share_is_ambiguous(shipment):
    for code in ("ZTO", "ZTOCC"):
        make_carrier(code, kuaidi100_code="zhongtong")
    corrected(shipment)
    assert polling.question_about(shipment, K100).carrier_code == "yuantong"


def test_a_carrier_that_has_the_number_of_another_parcel_is_ambiguous(shipment):
    make_shipment(carrier=make_carrier("ZTO", kuaidi100_code="zhongtong"), waybill_no=shipment.waybill_no)
    corrected(shipment)
    assert polling.question_about(shipment, K100).carrier_code == "yuantong"


@pytest.mark.parametrize("between", [False, True], ids=["one subscription", "two"])
def test_two_opinions_are_none(shipment, frozen, between):
    make_carrier("ZTO", kuaidi100_code="zhongtong")
    subscriptions.begin(shipment, K100)
    corrected(shipment)
    if between:
        abort(shipment)
        frozen.shift(dt.timedelta(hours=1))
        subscriptions.begin(shipment, K100)
    corrected(shipment, "yunda")
    assert polling.question_about(shipment, K100).carrier_code == "yuantong"


def test_the_carrier_that_we_asked_about_is_no_correction(shipment):
    corrected(shipment, "yuantong")
    assert not Alert.objects.exists()
    assert subscriptions.correction(shipment, K100) is None
