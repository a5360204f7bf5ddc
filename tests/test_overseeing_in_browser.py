"""Figures, audit and alerts in Debian's chromium, also phone-sized: drawn, leading to lists, on paper, exported."""

import csv
import datetime as dt

import pytest
from playwright.sync_api import Page

from frozenshop.backoffice.dashboard import boards, refreshing
from frozenshop.backoffice.tests.pages import act
from frozenshop.kernel import audit
from frozenshop.kernel.actor import staff
from frozenshop.kernel.clock import now
from frozenshop.kernel.models import AuditEntry
from logistics.models import Provider, ProviderState, Shipment
from logistics.problems import subject
from logistics.tests.factories import event, make_carrier, make_shipment, report
from orders import alerting
from orders.models import AlertKind
from orders.tests.factories import make_order
from tests.browsing import beside_a_loop, browser, fits, follow, press, said, screen, sit, taken

__all__ = ["beside_a_loop", "browser", "screen", "sit"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
DAY = dt.timedelta(days=1)
DRAWN = "paths => paths.every(path => path.getTotalLength() > 0 && path.getBoundingClientRect().width > 0)"

LONGEST_BAR = "bars => Math.max(...bars.map(bar => bar.getBoundingClientRect().width))"


@pytest.fixture
def shop(sit) -> None:
    """Three weeks of parcels of two carriers, some late, one silent, and what an hour has counted of them."""
    for n in range(8):
        promise = {"promised_by": (now() - (3 * n - 1 + n % 3) * DAY).isoformat()}
        order = make_order("paid", placed_at=(now() - (3 * n + 2) * DAY).isoformat(), **promise)
        carrier = make_carrier("SF" if n % 2 else "JD")
        box = make_shipment(order, carrier=carrier, shipped_at=now() - (3 * n + 2) * DAY)
        taken_in = event("in_transit", box.shipped_at, location="杭州转运中心")
        report(box, taken_in, event("delivered", now() - 3 * n * DAY))
    silent = make_shipment(make_order("paid"))
    Shipment.objects.filter(pk=silent.pk).update(location="武汉东西湖")
    alerting.open_alert(AlertKind.STALE, subject=subject(silent), order=silent.orders.get())
    make_order("paid")
    ProviderState.objects.create(provider=Provider.KDNIAO)
    for kind in refreshing.COUNTED:
        while refreshing.refresh(kind).left:
            pass
    for board in boards.BOARDS:
        refreshing.refresh_board(board)


def test_the_index_page_draws_its_figures_and_each_leads_to_its_list(sit, shop):
    page = sit("wang", "主管")
    page.goto("")
    assert page.locator(".chart .line path").count() == 3
    assert page.locator(".chart .line path, .spark path").evaluate_all(DRAWN)
    assert page.locator(".bar-fill").evaluate_all(LONGEST_BAR) > 10
    page.get_by_text("按周的数字").click()
    assert fits(page)
    numbers = page.locator(".bar-count a, td.number a, .numbers td a, .board h2 a")
    doors = {link.get_attribute("href"): link.inner_text() for link in numbers.all()}
    assert len(doors) > 20
    assert {url: answer for url in doors if (answer := page.request.get(url).status) != 200} == {}


@pytest.mark.parametrize("board", ["订单各步的数量", "停滞的运单，按最后所在地", "待处理预警离期限多远"])
def test_a_figure_is_as_long_as_its_list(sit, shop, board):
    page = sit("wang", "主管")
    page.goto("")
    link = page.get_by_role("table", name=board).locator(".bar-count a:not(:text-is('0'))").first
    count = int(link.inner_text())
    follow(page, link)
    assert page.locator("#result_list tbody tr").count() == count


def test_on_paper_the_index_is_its_figures_and_nothing_to_click(sit, shop):
    page = sit("wang", "主管")
    page.goto("")
    page.emulate_media(media="print")
    assert not page.locator("#header").is_visible()
    assert not page.locator(".quick-search").is_visible()
    assert page.locator(".chart").is_visible()
    assert page.locator(".spark path").evaluate_all(DRAWN)
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="screen")


def rows_of(page: Page) -> list[str]:
    return page.locator("#content table tbody tr:has(td)").all_inner_texts()


@pytest.fixture
def acts(sit, login) -> None:
    """What two people did to an order, and one to another."""
    order, other = make_order("paid", order_no="A-1"), make_order("paid", order_no="A-2")
    clerk = login("客服")
    act(clerk, order, "note", text="请走后门")
    act(clerk, order, "unmask", reason="=1+1")
    act(login("主管"), other, "unmask", reason="核对地址")


def test_the_audit_is_filtered_followed_and_exported(sit, acts, tmp_path):
    page = sit("wang", "管理员")
    page.goto("audit/")
    assert len(rows_of(page)) >= 3
    page.get_by_label("动作").fill("order.unmasked")
    page.get_by_label("从", exact=True).fill(f"{now() - DAY:%Y-%m-%dT%H:%M}")
    press(page, "查询")
    assert len(rows_of(page)) == 2
    file = taken(page, page.get_by_role("button", name="导出为 CSV"))
    file.save_as(tmp_path / "audit.csv")
    lines = list(csv.DictReader((tmp_path / "audit.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert {line["动作"] for line in lines} == {"order.unmasked"}
    assert "'=1+1" in {line["理由"] for line in lines}
    assert AuditEntry.objects.filter(action="audit.exported").exists()
    follow(page, page.get_by_role("link", name="A-1").first)
    assert "添加备注" in page.locator("#content").inner_text()
    follow(page, page.get_by_role("link", name="客服").first)
    assert len(rows_of(page)) == 2


def test_from_an_order_and_from_an_account_one_comes_to_the_audit(sit, acts):
    page = sit("wang", "审计")
    page.goto("orders/order/?q=A-1")
    follow(page, page.locator("#result_list tbody th a").first)
    follow(page, page.get_by_role("link", name="这个订单的全部审计"))
    assert "查看完整收件人" in page.locator("#content").inner_text()
    page.goto("auth/user/")
    follow(page, page.locator("#result_list").get_by_role("link", name="客服"))
    follow(page, page.get_by_role("link", name="做过什么"))
    assert "添加备注" in page.locator("#content").inner_text()


def test_more_audit_than_a_page_is_walked_back_and_forth(sit):
    for n in range(120):
        audit.record(staff(7), "order.noted", f"A-{n:03}")
    page = sit("wang", "审计")
    page.goto("audit/?action=order.noted")
    first = rows_of(page)
    follow(page, page.get_by_role("link", name="较早 ›"))
    follow(page, page.get_by_role("link", name="较早 ›"))
    assert len(rows_of(page)) == 20
    follow(page, page.get_by_role("link", name="‹ 较新"))
    follow(page, page.get_by_role("link", name="‹ 较新"))
    assert rows_of(page) == first
    assert page.get_by_role("button", name="导出为 CSV").count() == 1


@pytest.fixture
def alerts(sit) -> None:
    for n in range(2):
        alerting.open_alert(AlertKind.STALE, subject=f"x{n}", order=make_order("paid", order_no=f"A-{n}"))


def do(page: Page, action: str, *, text: str = "", **chosen: str) -> str:
    """Do something with the first alert of the queue; return what is said then."""
    page.locator("#result_list input.action-select").first.check()
    page.get_by_label("动作").select_option(label=action)
    page.get_by_role("textbox", name="说明").fill(text)
    for name, label in chosen.items():
        page.locator(f"select[name={name}]").select_option(label=label)
    press(page, "执行")
    return said(page)


def test_an_alert_is_taken_put_off_given_away_and_resolved(sit, alerts):
    page = sit("wang", "客服")
    page.goto("orders/alert/?q=A-0")
    assert "已认领 1 条" in do(page, "认领")
    assert "已添加记录 1 条" in do(page, "添加记录（填写说明）", text="已致电")
    assert "已指派 1 条" in do(page, "指派（选择指派给谁）", assignee="wang")
    assert "没有处理" in do(page, "解决（选择结果并填写说明）", text="好了")
    assert "已解决 1 条" in do(page, "解决（选择结果并填写说明）", text="次日补送", outcome="承运商处理")
    page.goto("orders/alert/?q=A-1")
    assert "已暂缓 1 条" in do(page, "暂缓（选择时间并填写说明）", text="等回音", hours="1 天")
    page.goto("orders/alert/?state=resolved")
    follow(page, page.locator("#result_list tbody th a").first)
    assert "次日补送" in page.locator("#content").inner_text()
