"""The page of what providers cost, and what staff decide about providers and carriers."""

import datetime as dt

import pytest

from frozenshop.backoffice.tests.pages import messages, text
from frozenshop.kernel import clock
from logistics.models import Carrier, ProviderCall, ProviderRefusal, ProviderState, ProviderUsage
from logistics.tests.conftest import frozen
from logistics.tests.factories import make_carrier, make_shipment
from orders.tests.factories import make_order

assert frozen
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
COSTS = "/admin/costs/"
TODAY = dt.date(2026, 11, 22)


def used(calls: int, *, fen: int = 0, on: dt.date = TODAY, operation: str = "query") -> None:
    ProviderUsage.objects.create(provider="kdniao", used_on=on, operation=operation, calls=calls, cost_fen=fen)


def state(**fields) -> ProviderState:
    return ProviderState.objects.create(provider="kdniao", **{"budget_on": TODAY, **fields})


def test_a_month_shows_days_totals_and_what_its_end_will_cost(viewer):
    for ago in range(8):
        used(10, fen=100, on=TODAY - dt.timedelta(days=ago))
    used(3, operation="subscribe")
    shown = text(viewer.get(COSTS))
    assert "查询 80 次，¥8.00；预计到月底 160 次，¥16.00" in shown


def test_a_past_month_foretells_nothing(viewer):
    used(10, fen=100, on=dt.date(2026, 10, 31))
    shown = text(viewer.get(COSTS, {"month": "2026-10"}))
    assert "2026 年 10 月：已花 ¥1.00</h2>" in shown
    assert "预计到月底" not in shown


@pytest.mark.parametrize(("calls", "told"), [(79, "正常"), (80, "接近上限"), (100, "已达上限")])
def test_a_cap_is_shown_from_eight_tenths_on(viewer, calls, told):
    state(calls_today=calls, daily_budget=100)
    assert f">{told}</span>" in text(viewer.get(COSTS))
    tile = next(one for one in viewer.get("/admin/").context["tiles"] if one.label == "服务商额度告急")
    assert (tile.count, tile.url) == (int(calls >= 80), COSTS)


def test_a_provider_that_staff_switched_off_is_no_emergency(viewer):
    state(daily_budget=0)
    assert ">已停用</span>" in text(viewer.get(COSTS))
    tile = next(one for one in viewer.get("/admin/").context["tiles"] if one.label == "服务商额度告急")
    assert tile.count == 0


def test_yesterdays_calls_are_not_todays(viewer):
    state(calls_today=100, daily_budget=100, budget_on=TODAY - dt.timedelta(days=1))
    assert "正常" in text(viewer.get(COSTS))


def test_an_orders_cost_is_the_sum_of_its_parcels_calls(viewer):
    parcel = make_shipment(make_order("paid", order_no="DEAR"))
    for fen in ("1.50", "2.00"):
        ProviderCall.objects.create(
            provider="kdniao", operation="query", waybill_no=parcel.waybill_no, started_at=clock.now(), cost_fen=fen
        )
    found = viewer.get(COSTS, {"number": "DEAR"}).context["found"]
    assert [(spent.waybill_no, spent.calls, cost) for spent, cost in found] == [(parcel.waybill_no, 2, "¥0.04")]
    ((dearest, _),) = viewer.get(COSTS).context["dearest"]
    assert [order.order_no for order in dearest.orders] == ["DEAR"]


@pytest.mark.parametrize("asked", [{"month": "x"}, {"month": "2999-01"}, {"month": "0001-01"}, {"day": "2026-02-31"},
                                   {"number": "'; --"}, {"day": "\x00"}, {"number": "9" * 500}])  # fmt: skip
def test_nonsense_in_the_address_shows_this_month(viewer, asked):
    assert "2026 年 11 月" in text(viewer.get(COSTS, asked))


def test_the_number_of_queries_does_not_depend_on_how_much_there_is(viewer, django_assert_max_num_queries):
    for ago in range(20):
        used(1, on=TODAY - dt.timedelta(days=ago))
        number = make_shipment().waybill_no
        ProviderCall.objects.create(provider="kdniao", operation="query", waybill_no=number, started_at=clock.now())
    with django_assert_max_num_queries(16):
        viewer.get(COSTS)


def test_who_may_not_see_providers_does_not_see_costs(login):
    assert login().get(COSTS).status_code == 403


# --- deciding -------------------------------------------------------------------------------------


def save_carrier(lead, providers: str):
    carrier = make_carrier("SF")
    given = {"name": carrier.name, "aliases": "[]", "needs_phone_tail": "[]", "kdniao_code": "SF", "enabled": "on"}
    return lead.post(f"/admin/logistics/carrier/{carrier.pk}/change/", given | {"providers": providers}, follow=True)


@pytest.mark.parametrize(("given", "kept"), [
    ("kuaidi100, kdniao", ["kuaidi100", "kdniao"]),
    ("快递100，快递鸟，快递100", ["kuaidi100", "kdniao"]),
    ("", []),
])  # fmt: skip
def test_the_order_of_providers_is_a_persons_choice(lead, given, kept):
    save_carrier(lead, given)
    assert Carrier.objects.get(code="SF").providers == kept


def test_an_unknown_provider_is_named_with_those_that_there_are(lead):
    shown = text(save_carrier(lead, "kdniao, karrio"))
    assert "没有名为“karrio”的轨迹服务商，可填：kdniao（快递鸟）" in shown
    assert Carrier.objects.get(code="SF").providers == []


def test_what_was_chosen_is_shown_as_it_is_typed(lead):
    carrier = make_carrier("SF")
    Carrier.objects.update(providers=["kuaidi100", "kdniao"])
    assert 'value="kuaidi100，kdniao"' in text(lead.get(f"/admin/logistics/carrier/{carrier.pk}/change/"))


def test_a_price_changes_what_later_calls_cost(lead):
    one = state(calls_today=7)
    given = {"daily_budget": "500", "calls_per_minute": "60", "price_fen": "1.5"}
    lead.post(f"/admin/logistics/providerstate/{one.pk}/change/", given)
    one.refresh_from_db()
    assert (one.daily_budget, one.calls_per_minute, str(one.price_fen), one.calls_today) == (500, 60, "1.50", 7)


def test_no_call_a_minute_is_refused_with_the_way_to_switch_a_provider_off(lead):
    one = state()
    given = {"daily_budget": "500", "calls_per_minute": "0", "price_fen": "0"}
    assert "把每日上限设为 0" in text(lead.post(f"/admin/logistics/providerstate/{one.pk}/change/", given))


def test_a_mended_plan_is_tried_at_once(lead):
    one = state(failures=5, open_until=clock.now() + dt.timedelta(hours=1))
    refusal = {"carrier": make_carrier(), "reason": "没有可用套餐", "retry_at": clock.now() + dt.timedelta(days=1)}
    ProviderRefusal.objects.create(provider="kdniao", **refusal)
    assert "没有可用套餐" in text(lead.get(COSTS))
    asked = {"action": "close_breaker", "_selected_action": [one.pk], "index": "0"}
    assert "已解除熔断" in messages(lead.post("/admin/logistics/providerstate/", asked, follow=True))
    assert not ProviderRefusal.objects.exists()
