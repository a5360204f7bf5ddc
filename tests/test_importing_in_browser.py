"""A file of waybills from its upload to its undo in Debian's chromium, also phone-sized."""

import pytest

from frozenshop.backoffice.batches.tests.doing import work
from logistics.tests.factories import make_carrier
from orders.models import Order
from orders.tests.factories import make_order
from orders.tests.test_importing import as_csv
from tests.browsing import beside_a_loop, browser, fits, press, screen, sit, taken

__all__ = ["beside_a_loop", "browser", "screen", "sit"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def waybills(sit, tmp_path) -> str:
    make_carrier("SF", aliases=["顺丰"])
    for n in range(3):
        make_order("paid", order_no=f"A-{n}")
    path = tmp_path / "发货.csv"
    rows = [["订单编号", "物流公司", "快递单号"], *[[f"A-{n}", "顺丰", f"SF000000000000{n}"] for n in range(4)]]
    path.write_text(as_csv(rows))
    return str(path)


def test_waybills_are_imported_and_taken_back(sit, waybills, tmp_path):
    page = sit("wang", "主管")
    page.goto("import/")
    page.get_by_text("按文件发货").click()
    page.set_input_files("input[type=file]", waybills)
    press(page, "上传")
    assert fits(page)
    press(page, "检查")
    page.wait_for_selector("progress")
    work()
    page.wait_for_selector(".importing table")  # the page looks again by itself
    assert "没有这个订单" in page.inner_text(".importing table")
    path = tmp_path / "problems.csv"
    taken(page, page.get_by_role("link", name="下载全部问题（CSV）")).save_as(path)
    assert "A-3" in path.read_text(encoding="utf-8-sig")
    press(page, "只导入没有问题的 3 项")
    page.wait_for_url("**/backoffice/batch/**")
    work()
    assert Order.objects.filter(status="shipped").count() == 3
    page.get_by_role("button", name="撤销这个任务").wait_for()
    page.get_by_label("原因").fill("文件拿错了")
    press(page, "撤销这个任务")
    work()
    page.locator("#batch-state", has_text="已完成").wait_for()
    assert Order.objects.filter(status="paid").count() == 3
