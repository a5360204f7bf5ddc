"""A presale or a test is told to WeChat once, when a person has decided so."""

import datetime as dt

import pytest

from frozenshop.kernel.errors import NotPossible
from notifications.settlement import frozen as held
from notifications.settlement import guard, special
from notifications.tests import settling
from notifications.tests.settling import Shop, report, transaction
from notifications.tests.wechat_sim import sim

assert sim
pytestmark = pytest.mark.django_db
DAY = "2026-12-24"


@pytest.fixture
def shop(sim, frozen, monkeypatch) -> Shop:
    monkeypatch.setattr(settling, "TOPICS", (*settling.TOPICS, "report_special"))
    return Shop(sim, frozen)


@pytest.fixture
def order(shop):
    found = shop.pay()
    shop.work()
    return found


@pytest.fixture
def ask(shop, order, django_user_model):
    user = django_user_model.objects.create_user("boss")

    def agree(kind="presale", day=DAY):
        special.ask(report(order), user, special.plan(report(order), kind, day))
        shop.work()

    return agree


def told(order):
    return report(order).special_state


def test_a_presale_is_told_with_its_day(shop, order, ask):
    ask()
    (asked,) = shop.asked(special.PATH)
    day = dt.datetime(2026, 12, 24, 10, tzinfo=dt.UTC)  # six in the evening in Shanghai
    assert asked == {"order_id": transaction(), "type": 1, "delay_to": int(day.timestamp())}
    assert (told(order), held.reason_for(report(order))) == ("told", held.PRESALE)
    assert [one.reason for one in held.by_reason()] == [held.PRESALE]


def test_a_test_order_is_told_without_one(shop, order, ask):
    ask("test", "")
    assert (shop.asked(special.PATH), told(order)) == ([{"order_id": transaction(), "type": 2}], "told")


@pytest.mark.parametrize(("kind", "day"), [("presale", "2026-12-01"), ("presale", "2027-11-01"), ("presale", ""),
                                           ("presale", "x"), ("virtual", DAY), ("", "")])  # fmt: skip
def test_what_wechat_would_refuse_is_refused_here(order, kind, day):
    with pytest.raises(NotPossible):
        special.plan(report(order), kind, day)


@pytest.mark.parametrize("edge", [0, 1])
def test_the_first_and_the_last_day_are_taken(shop, order, ask, edge):
    ask(day=special.days(report(order))[edge].isoformat())
    assert told(order) == "told"


def test_it_is_told_once(shop, order, ask):
    ask()
    with pytest.raises(NotPossible):
        ask()
    special.tell(report(order).pk)
    assert (len(shop.asked(special.PATH)), told(order)) == (1, "told")


def test_what_has_a_waybill_is_no_presale(shop, order, ask):
    shop.ship(order)
    shop.later()
    with pytest.raises(NotPossible):
        ask()


@pytest.mark.parametrize("kind", ["cut", "timeout", "http_5xx"])
def test_an_answer_that_got_lost_is_for_a_person_to_find_out(shop, order, ask, kind):
    guard.is_managed()
    shop.fault(kind)
    ask()
    shop.mend()
    shop.later(60)
    assert (told(order), len(shop.asked(special.PATH)) <= 1) == ("unknown", True)


def test_a_worker_that_died_in_between_is_found_out(shop, order, ask):
    ask()
    type(report(order)).objects.update(special_state="sending")
    special.tell(report(order).pk)
    assert (told(order), len(shop.asked(special.PATH))) == ("unknown", 1)


def test_a_refusal_says_why_and_may_be_tried_again(shop, order, ask):
    shop.sim.force(268546002, special.PATH)
    ask()
    assert told(order) == "refused"
    assert "待发货" in report(order).special_said
    ask()
    assert told(order) == "told"


def test_a_busy_account_is_waited_for(shop, order, ask):
    shop.sim.force(45011, special.PATH)
    ask()
    assert told(order) == "asked"
    shop.later(5)
    assert told(order) == "told"


def test_staff_are_warned_of_a_presale_only_before_its_day(shop, order, ask):
    ask()
    shop.frozen.shift(dt.timedelta(days=20))
    assert guard.warn() == 0
    shop.frozen.shift(dt.timedelta(days=12))
    assert guard.warn() == 1
