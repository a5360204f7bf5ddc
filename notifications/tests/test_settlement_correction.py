"""What was told and then changed waits for a person, who may correct it once."""

import pytest

from notifications.settlement import correction
from notifications.tests.settling import Shop, alerts, report, state, void
from notifications.tests.wechat_sim import sim
from orders.tests.factories import line

assert sim
pytestmark = pytest.mark.django_db
TWO = [line(), line(sku="NR-2", name="牛肉卷", quantity=1)]


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


def changed(shop):
    order = shop.pay()
    shipment = shop.ship(order)
    shop.later()
    void(shipment, order, (shipment.carrier, "SF0000000000077"))
    shop.later()
    return order


def test_a_change_after_all_was_told_waits_for_a_person(shop, django_user_model):
    order, user = changed(shop), django_user_model.objects.create_user("boss")
    assert (state(order), len(shop.asked())) == (("uploaded", "changed"), 1)
    shown = correction.preview(report(order))
    assert shown.correction
    assert "SF0000000000077" in shown.wanted[0]
    correction.correct(report(order), user)
    shop.work()
    assert (state(order), report(order).corrections, shop.payment().finished, alerts()) == (("uploaded", ""), 1, 2, [])


def test_a_second_correction_is_not_even_tried(shop, django_user_model):
    order, user = changed(shop), django_user_model.objects.create_user("boss")
    correction.correct(report(order), user)
    shop.work()
    former = order.shipments.get(voided_at=None)
    void(former, order, (former.carrier, "SF0000000000066"))
    shop.later()
    with pytest.raises(correction.NotPossible):
        correction.correct(report(order), user)
    assert (len(shop.asked()), state(order)[1]) == (2, "changed")
    assert "用完" in report(order).said


def test_what_was_agreed_is_told_only_as_it_was_agreed(shop, django_user_model):
    order, user = changed(shop), django_user_model.objects.create_user("boss")
    correction.correct(report(order), user)
    former = order.shipments.get(voided_at=None)
    void(former, order, (former.carrier, "SF0000000000055"))
    shop.later()
    assert (len(shop.asked()), state(order)[1]) == (1, "changed")


def test_what_will_never_be_sent_can_be_ended_by_a_person(shop, django_user_model):
    order = shop.pay(lines=TWO)
    shop.ship(order, lines={"XR-1": 2})
    shop.later()
    correction.finish(report(order), django_user_model.objects.create_user("boss"))
    shop.work()
    assert (report(order).complete, shop.payment().state) == (True, 2)
    shop.later(60)
    assert (len(shop.asked()), state(order)) == (2, ("uploaded", ""))
