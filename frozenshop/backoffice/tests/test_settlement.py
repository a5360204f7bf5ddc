"""The page of the money that WeChat holds back, and what a person may tell WeChat from it."""

import datetime as dt

import pytest

from frozenshop.backoffice.dashboard.models import FigureKind
from frozenshop.backoffice.dashboard.refreshing import refresh_board
from frozenshop.backoffice.tests.pages import messages, text
from frozenshop.kernel.models import AuditEntry
from logistics import shipping
from logistics.tests.factories import STAFF
from notifications.settlement import companies, guard
from notifications.tests.conftest import frozen
from notifications.tests.settling import Shop, report, state
from notifications.tests.wechat_sim import sim

assert frozen
assert sim
pytestmark = pytest.mark.django_db
PAGE = "/admin/settlement/"


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


@pytest.fixture
def changed(shop):
    """An order whose waybill was replaced after WeChat was told."""
    order = shop.pay()
    shipment = shop.ship(order)
    shop.later()
    replacement = (shipment.carrier, "SF0000000000077")
    shipping.void(shipment, order=order, reason="填错", actor=STAFF, replacement=replacement)
    shop.later()
    return order


def test_held_money_stands_by_reason_with_its_sum(shop, viewer):
    shop.ship(number=1)
    shop.pay(2)
    shop.work()
    shown = text(viewer.get(PAGE))
    assert "未结算 ¥200.00，2 个订单" in shown
    assert "还没有发货" in shown
    assert "待上报" in shown
    assert "没有未结算的订单" in text(viewer.get(PAGE, {"hours": "48"}))


def test_the_page_says_that_wechat_does_not_manage_the_program(shop, viewer):
    shop.sim.wechat.shipping.manners.managed = False
    shop.pay()
    shop.work()
    guard.warn()
    shown = text(viewer.get(PAGE))
    assert "未结算 ¥0.00，0 个订单" in shown
    assert "未托管" in shown


def test_the_codes_that_a_carrier_may_be_given_are_shown(shop, viewer):
    companies.download()
    assert "<td>JTSD</td><td>极兔速递</td>" in text(viewer.get(PAGE))


def test_what_waits_longer_than_wechat_waits_is_on_the_index_page(shop, login):
    shop.pay(1)
    shop.ship(number=2)
    shop.later()
    shop.frozen.shift(dt.timedelta(hours=49))
    refresh_board(FigureKind.FROZEN)
    client = login("查看")
    tile = next(one for one in client.get("/admin/").context["tiles"] if one.label == "货款冻结")
    assert (tile.count, client.get(tile.url).context["count"], client.get(PAGE).context["count"]) == (1, 1, 2)


def test_a_correction_is_seen_before_it_is_told(shop, changed, lead):
    page = f"{PAGE}{report(changed).pk}/"
    shown = text(lead.get(page))
    assert "顺丰速运 SF0000000000077" in shown
    assert 'value="correct"' in shown
    lead.post(page, {"act": "correct"})
    shop.work()
    assert (state(changed), shop.payment().finished) == (("uploaded", ""), 2)
    assert 'value="correct"' not in text(lead.get(page))


def test_a_correction_pressed_twice_is_one(shop, changed, lead):
    page = f"{PAGE}{report(changed).pk}/"
    lead.post(page, {"act": "correct"})
    assert "用完" in messages(lead.post(page, {"act": "correct"}, follow=True))
    shop.work()
    assert shop.uploads() == 2


def test_only_what_was_seen_is_confirmed(shop, changed, lead):
    page = f"{PAGE}{report(changed).pk}/"
    seen = lead.get(page).context["preview"].seen
    assert f'name="seen" value="{seen}"' in text(lead.get(page))
    former = changed.shipments.get(voided_at=None)
    replacement = (former.carrier, "SF0000000000055")
    shipping.void(former, order=changed, reason="填错", actor=STAFF, replacement=replacement)
    shop.later()
    assert "重新核对" in messages(lead.post(page, {"act": "correct", "seen": seen}, follow=True))
    lead.post(page, {"act": "correct", "seen": lead.get(page).context["preview"].seen})
    shop.work()
    assert shop.asked()[-1]["shipping_list"][0]["tracking_no"] == "SF0000000000055"


def test_only_the_lead_may_tell_wechat_otherwise(shop, changed, service):
    page = f"{PAGE}{report(changed).pk}/"
    assert 'value="correct"' not in text(service.get(page))
    assert service.post(page, {"act": "correct"}).status_code == 403


@pytest.mark.parametrize("act", ["", "nonsense"])
def test_nonsense_is_not_found(changed, lead, act):
    assert lead.post(f"{PAGE}{report(changed).pk}/", {"act": act}).status_code == 404
    assert lead.get(f"{PAGE}{2**70}/").status_code == 404
    assert "未结算" in text(lead.get(PAGE, {"hours": "x"}))


def test_who_may_not_see_it_does_not(login):
    assert login().get(PAGE).status_code == 403


def test_a_presale_is_seen_before_it_is_told_and_audited(shop, lead):
    order = shop.pay()
    shop.work()
    page = f"{PAGE}{report(order).pk}/"
    assert "特殊发货报备" in text(lead.get(page))
    shown = text(lead.get(page, {"kind": "presale", "day": "2026-12-24"}))
    assert "预计 2026-12-24 前发货" in shown
    assert report(order).special_state == ""
    lead.post(page, {"act": "special", "kind": "presale", "day": "2026-12-24"})
    assert report(order).special_state == "asked"
    assert AuditEntry.objects.filter(action="settlement.special", subject=order.order_no).count() == 1
    assert "待报备" in text(lead.get(page))


def test_a_day_that_wechat_does_not_take_is_refused_with_the_rule(shop, lead):
    order = shop.pay()
    shop.work()
    page = f"{PAGE}{report(order).pk}/"
    assert "15 至 330 天" in text(lead.get(page, {"kind": "presale", "day": "2026-11-25"}))
    assert "15 至 330 天" in messages(lead.post(page, {"act": "special", "kind": "presale", "day": "x"}, follow=True))
    assert report(order).special_state == ""


def test_only_the_lead_may_tell_of_a_presale(shop, service):
    order = shop.pay()
    shop.work()
    page = f"{PAGE}{report(order).pk}/"
    assert "特殊发货报备" not in text(service.get(page))
    assert service.post(page, {"act": "special", "kind": "test"}).status_code == 403


def test_orders_that_were_paid_in_one_go_are_shown_with_each_other(shop, viewer):
    first, second = (
        shop.pay(n, payment={"mchid": "16", "out_trade_no": f"A{n}", "combine_out_trade_no": "C"}, known=False)
        for n in (1, 2)
    )
    shop.work()
    assert second.order_no in text(viewer.get(f"{PAGE}{report(first).pk}/"))


def test_a_report_leads_back_to_the_list(changed, lead):
    assert f'<a href="{PAGE}">微信结算</a> &rsaquo;' in text(lead.get(f"{PAGE}{report(changed).pk}/"))
