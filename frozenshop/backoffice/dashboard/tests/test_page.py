"""The index page: each number is the length of the list it opens, for who may see it, by few questions."""

import datetime as dt
import re
from html import unescape

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client

from frozenshop.backoffice.dashboard import boards, charts, page, refreshing, tiles, weeks
from frozenshop.backoffice.dashboard.models import Figure, FigureKind, FigureMark
from frozenshop.backoffice.dashboard.passages import Sums
from frozenshop.backoffice.tests.pages import listed
from frozenshop.kernel.clock import now, shanghai
from logistics.models import Provider, ProviderState, Shipment
from logistics.problems import subject
from logistics.tests.factories import event, make_carrier, make_shipment, report
from notifications.models import Notice, SettlementFigure
from orders import alerting
from orders.models import Alert, AlertKind
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
NOON = "2026-11-18T12:00:00+08:00"
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def noon():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def refresh() -> None:
    for kind in refreshing.COUNTED:
        while refreshing.refresh(kind).left:
            pass
    for kind in boards.BOARDS:
        refreshing.refresh_board(kind)


def parcel(
    carrier: str = "SF", *, days: float = 2, promised: float | None = None, province: str = "上海市"
) -> Shipment:
    promise = {} if promised is None else {"promised_by": (now() + promised * DAY).isoformat()}
    order = make_order("paid", placed_at=(now() - days * DAY).isoformat(), province=province, **promise)
    return make_shipment(order, carrier=make_carrier(carrier), shipped_at=now() - days * DAY)


def arrive(box: Shipment, days_ago: float = 0, origin: str = "杭州转运中心") -> None:
    report(box, event("in_transit", box.shipped_at, location=origin), event("delivered", now() - days_ago * DAY))


def silence(box: Shipment, place: str) -> None:
    Shipment.objects.filter(pk=box.pk).update(location=place)
    alerting.open_alert(AlertKind.STALE, subject=subject(box), order=box.orders.get())


def shown(client: Client) -> dict:
    refresh()
    return client.get("/admin/").context


def opened(client: Client, url: str) -> list[str]:
    return listed(client.get(url))


def test_each_step_opens_its_orders(lead):
    for status in ("placed", "paid", "paid", "shipped", "delivered", "cancelled", "refunded"):
        make_order(status)
    make_order("paid", placed_at=(now() - 60 * DAY).isoformat())
    make_order("delivered", placed_at=(now() - 60 * DAY).isoformat())
    bars = shown(lead)["steps"]
    assert [(bar.label, bar.count) for bar in bars[:5]] == [
        ("已下单", 1), ("已付款", 3), ("已发货", 1), ("运输中", 0), ("已签收", 1),
    ]  # fmt: skip
    assert all(len(opened(lead, bar.url)) == bar.count for bar in bars)
    assert all(len(opened(lead, bar.recent_url)) == bar.recent for bar in bars)


def test_what_arrives_today_opens_its_parcels_by_carrier(lead):
    for carrier, likely in (("SF", 0.2), ("SF", 0.1), ("JD", 0.3), ("JD", 1), ("SF", -1)):
        Shipment.objects.filter(pk=parcel(carrier).pk).update(eta_likely=now() + likely * DAY)
    arriving = shown(lead)["arriving"]
    assert len(opened(lead, arriving["url"])) == arriving["count"] == 3
    assert [(bar.label, bar.count) for bar in arriving["bars"]] == [("顺丰速运", 2), ("JD快递", 1)]
    assert all(len(opened(lead, bar.url)) == bar.count for bar in arriving["bars"])


def test_what_is_silent_opens_its_parcels_by_place_and_carrier(lead):
    for carrier, place in (("SF", "武汉东西湖"), ("SF", "武汉中转"), ("JD", "湖北某处"), ("JD", "")):
        silence(parcel(carrier), place)
    stale = shown(lead)["stale"]
    assert len(opened(lead, stale["url"])) == stale["count"] == 4
    assert {bar.label: bar.count for bar in stale["places"]} == {"武汉": 2, "湖北": 1, "未知": 1}
    assert {bar.label: bar.count for bar in stale["carriers"]} == {"顺丰速运": 2, "JD快递": 2}
    assert all(len(opened(lead, bar.url)) == bar.count for bar in (*stale["places"], *stale["carriers"]))


@pytest.mark.parametrize(("most", "told"), [(2, "2"), (1, "1+")])
def test_of_more_silent_parcels_than_are_looked_at_it_is_said_that_there_are_more(lead, monkeypatch, most, told):
    monkeypatch.setattr(boards, "STALE_MOST", most)
    for carrier in ("SF", "JD"):
        silence(parcel(carrier), "武汉")
    refresh()
    answer = lead.get("/admin/")
    stale = answer.context["stale"]
    assert stale["shown"] == told
    assert f">{told}</a></h2>" in answer.content.decode()
    assert ("都只看最早的" in answer.content.decode()) == told.endswith("+")
    assert len(opened(lead, stale["url"])) == most


def test_each_stretch_before_its_due_time_opens_its_alerts(lead):
    for n, hours in enumerate((-30, -2, -1, 1, 3, 10, 40, 50)):
        alert = alerting.open_alert(AlertKind.STALE, subject=f"x{n}")
        Alert.objects.filter(pk=alert.pk).update(due_at=now() + dt.timedelta(hours=hours))
    Alert.objects.filter(subject="x7").update(snoozed_until=now() + DAY)
    bars = lead.get("/admin/").context["due"]
    assert [bar.count for bar in bars] == [1, 2, 2, 1, 1]
    assert all(len(opened(lead, bar.url)) == bar.count for bar in bars)


def test_a_stretch_that_was_counted_no_further_says_so(lead, monkeypatch):
    monkeypatch.setattr(tiles, "COUNTED_TO", 3)
    for n in range(5):
        alert = alerting.open_alert(AlertKind.STALE, subject=f"x{n}")
        Alert.objects.filter(pk=alert.pk).update(due_at=now() + dt.timedelta(hours=1 if n < 3 else 10))
    assert [bar.shown for bar in lead.get("/admin/").context["due"]] == ["0", "0", "2+", "2", "0"]


def test_each_week_carrier_and_lane_opens_its_deliveries_and_the_late_ones(lead):
    for n in range(4):
        arrive(parcel("SF", days=10, promised=-8 if n else 1), days_ago=7 * (n % 2))
    arrive(parcel("JD", days=3, promised=2, province="北京市"), origin="广州白云")
    arrive(parcel("JD", days=3))
    found = shown(lead)["passages"]
    every = found["drawn"][0]
    assert (every.whole.count, every.whole.late, every.whole.rate) == (6, 3, "40.0%")
    groups = [row.series for _, rows in found["groups"] for row in rows]
    assert {one.label for one in groups} == {"全部", "顺丰速运", "JD快递", "浙江→上海", "广东→北京"}
    for one in groups:
        for cell in (*one.weeks, one.whole):
            assert len(opened(lead, cell.url)) == cell.count, (one.label, cell.first)
            assert len(opened(lead, cell.late_url)) == cell.late, (one.label, cell.first)


def test_each_reason_for_not_telling_opens_its_notices(lead):
    instants = {"occurred_at": now(), "due_at": now()}
    given = {"audience": "buyer", "recipient": "customer:1", "milestone": "delivered", **instants}
    for n, why in enumerate(("failed", "failed", "unknown", "budget")):
        Notice.objects.create(subject=f"order:{n}", state=Notice.State.NOT_TOLD, why=why, **given)
    Notice.objects.create(subject="old", state="not_told", why="failed", created_at=now() - 8 * DAY, **given)
    bars = shown(lead)["untold"]
    assert {bar.label: bar.count for bar in bars} == {"各渠道均失败": 2, "结果未知": 1, "短信预算用完": 1}
    assert all(len(opened(lead, bar.url)) == bar.count for bar in bars)


def test_money_held_back_is_told_by_reason(lead):
    for age, fen in (("1d", 100), ("older", 250)):
        SettlementFigure.objects.create(reason="refused", age=age, orders=1, fen=fen, measured_at=now())
    money = lead.get("/admin/").context["money"]
    assert [(reason.label, orders, amount) for reason, orders, amount in money["held"]] == [("被微信拒绝", 2, "¥3.50")]
    assert lead.get(money["url"]).status_code == 200


def test_a_provider_that_is_cut_off_says_so(lead):
    ProviderState.objects.create(provider=Provider.KDNIAO, open_until=now() + DAY)
    assert "熔断至" in lead.get("/admin/").content.decode()


def test_every_link_on_the_page_leads_somewhere(lead):
    silence(parcel(), "武汉")
    arrive(parcel(promised=-1))
    ProviderState.objects.create(provider=Provider.KDNIAO)
    refresh()
    body = lead.get("/admin/").content.decode()
    urls = {unescape(url) for url in re.findall(r'href="(/admin/[^"]*\?[^"]*)"', body)}
    assert len(urls) > 30
    assert {url: status for url in urls if (status := lead.get(url).status_code) != 200} == {}


def test_figures_say_when_they_were_counted_and_when_that_is_too_long_ago(lead):
    make_order("paid")
    assert "还没有统计过" in lead.get("/admin/").content.decode()
    refresh()
    assert "统计于 11-18 12:00" in (body := lead.get("/admin/").content.decode())
    assert "已久未更新" not in body
    FigureMark.objects.update(at=now() - DAY)
    assert "已久未更新" in lead.get("/admin/").content.decode()


def test_each_kind_says_when_it_was_counted(lead):
    refresh()
    assert set(lead.get("/admin/").context["counted"]) == {kind.value for kind in page.LATEST}


def fill(n: int) -> None:
    for i in range(n):
        silence(parcel(f"C{i}"), ("武汉", "长沙", "北京")[i % 3])
        arrive(parcel(f"C{i}", days=20, promised=-1), days_ago=i)
    ProviderState.objects.get_or_create(provider=Provider.KDNIAO)
    refresh()


def test_the_page_asks_the_same_few_questions_whatever_there_is(lead, django_assert_max_num_queries):
    fill(1)
    with django_assert_max_num_queries(15) as few:
        lead.get("/admin/")
    fill(6)
    with django_assert_max_num_queries(len(few)):
        lead.get("/admin/")


def test_the_page_reads_no_big_table_but_for_bounded_counts(lead, django_assert_max_num_queries):
    fill(1)
    with django_assert_max_num_queries(15) as asked:
        lead.get("/admin/")
    big = re.compile(r'FROM ["`](orders_order|logistics_shipment|orders_alert|notifications_notice)["`]')
    reads = [one["sql"] for one in asked.captured_queries if big.search(one["sql"])]
    assert len(reads) == 1
    assert len(re.findall(r"LIMIT 100", reads[0])) == reads[0].count("SELECT COUNT(*)")


@pytest.mark.parametrize(
    ("right", "there"),
    [
        (page.ORDERS, {"steps"}),
        (page.ALERTS, {"due"}),
        (page.PARCELS, {"arriving", "stale", "passages"}),
        (page.NOTICES, {"untold"}),
        (page.MONEY, {"money"}),
        (page.PROVIDERS, {"providers"}),
    ],
)
def test_each_right_shows_its_own_board_and_no_other(login, right, there):
    fill(1)
    client = login()
    app, codename = right.split(".")
    User.objects.get(username="nobody").user_permissions.add(
        Permission.objects.get(content_type__app_label=app, codename=codename)
    )
    context = client.get("/admin/").context
    names = ("steps", "due", "arriving", "stale", "passages", "untold", "money", "providers")
    assert {name for name in names if context[name] not in (None, [])} | {"untold"} == there | {"untold"}
    assert (context["untold"] is not None) == (right == page.NOTICES)


def test_who_has_no_rights_is_asked_nothing_and_shown_nothing(login):
    fill(1)
    body = login().get("/admin/").content.decode()
    assert "board-" not in body.split("</header>")[-1].replace("dashboard-", "")


def test_nothing_on_the_page_needs_inline_script_or_style(lead):
    fill(2)
    body = lead.get("/admin/").content.decode().split('id="content-main"')[1]
    assert "<svg" in body
    assert not re.search(r"\sstyle=|\son\w+=|<script|<style", body)


# --- the list behind it --------------------------------------------------------------------------


def parcels(client: Client, query: str) -> list[str]:
    return opened(client, f"/admin/logistics/shipment/?{query}")


def test_nonsense_in_the_address_of_the_list_breaks_nothing(lead):
    parcel()
    for query in (
        "delivered_from=x",
        "promise=x&carrier=%00",
        "board=x",
        "lane=x→",
        "place=y",
        "delivered_to=9999-12-31",
    ):
        assert lead.get(f"/admin/logistics/shipment/?{query}").status_code == 200


def test_an_unknown_carrier_has_no_parcels(lead):
    parcel()
    assert parcels(lead, "carrier=NOBODY") == []
    assert len(parcels(lead, "carrier=SF")) == 1


def test_kept_and_late_are_all_that_had_a_promise(lead):
    for promised in (1, -1, -2, None):
        arrive(parcel(promised=promised))
    today = shanghai(now()).date().isoformat()
    found = [len(parcels(lead, f"delivered_from={today}{more}")) for more in ("", "&promise=kept", "&promise=late")]
    assert found == [4, 1, 2]


def test_pages_of_the_deliveries_follow_each_other(lead, monkeypatch):
    from django.contrib import admin

    monkeypatch.setattr(admin.site._registry[Shipment], "list_per_page", 2)
    for n in range(5):
        arrive(parcel(), days_ago=n / 10)
    url, found = "/admin/logistics/shipment/?delivered_from=2026-11-01", list[str]()
    while url:
        changelist = lead.get(url).context["cl"]
        found += [str(row) for row in changelist.result_list]
        url = changelist.older_query and "/admin/logistics/shipment/" + changelist.older_query
    assert len(set(found)) == len(found) == 5


# --- quantiles and pictures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "half", "ninth"), [({}, None, None), ({5: 1}, 5.5, 5.5), ({1: 5, 10: 4, 50: 1}, 1.5, 10.5)]
)
def test_half_and_nine_tenths_of_what_was_counted(hours, half, ninth):
    assert (weeks.quantile(hours, 0.5), weeks.quantile(hours, 0.9)) == (half, ninth)


def cells(*shares: float | None) -> weeks.Series:
    first, made = dt.date(2026, 9, 7), []
    for n, one in enumerate(shares):
        sums = Sums(10, 10 * (one is not None), round(10 * (one or 0)))
        made.append(weeks._cell(first + weeks.WEEK * n, first + weeks.WEEK * n, sums, {}))
    return weeks.Series("x", made, made[0])


def test_a_line_breaks_off_where_a_week_has_no_promise():
    chart = charts.rates([cells(0.5, 1.0, None, 0.9)])
    assert chart.lines[0].path.count("M") == 2
    assert len(chart.lines[0].dots) == 3
    assert all(
        charts.TOP <= dot.y <= chart.bottom and chart.left <= dot.x <= chart.right for dot in chart.lines[0].dots
    )


def test_without_a_promise_there_is_nothing_to_draw():
    assert charts.rates([cells(None, None)]) is None


def test_the_figures_of_another_day_are_no_board_of_today(lead, noon):
    silence(parcel(), "武汉")
    refresh()
    noon.shift(DAY)
    refreshing.refresh_board(FigureKind.STALE)
    assert set(Figure.objects.filter(kind=FigureKind.STALE).values_list("day", flat=True)) == {dt.date(2026, 11, 19)}
