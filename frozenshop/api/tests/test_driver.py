"""The driver's page: looking changes nothing, a confirmed tap counts once, dead links look alike."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse

from frozenshop.api.views import driver
from frozenshop.kernel import clock, throttling
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from frozenshop.kernel.scrubbing import scrub
from logistics import driver_links
from logistics.models import DriverLink, Shipment, TrackingEvent
from logistics.shipping import join, void
from logistics.tests.factories import STAFF, make_carrier, make_shipment
from orders.models import Order, OrderEvent
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
PHONE, STREET = "13812347788", "世纪大道 1 号"
CHAT_APP = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50"


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch):
    monkeypatch.setattr(throttling, "hit", throttling.LocalLimits().hit)


@pytest.fixture
def shipment() -> Shipment:
    order = make_order("paid", name="欧阳雪", phone=PHONE, address=STREET)
    return make_shipment(order, carrier=make_carrier("OWN_FLEET", name="自有车队", kdniao_code=""))


@pytest.fixture
def page(shipment) -> str:
    return address(shipment)


@pytest.fixture
def phone() -> Client:
    """A phone keeps no cookie and sends no token: enforcing checks of forms shows that none is needed."""
    return Client(enforce_csrf_checks=True, headers={"User-Agent": CHAT_APP})


def address(shipment, **changes) -> str:
    return driver_links.issue(shipment, by=STAFF, **changes)[1].removeprefix("https://testserver")


def text(answer) -> str:
    return answer.content.decode()


def confirm(phone, page, step, turn=None, **more):
    if turn is None:
        found = re.search(r'name="turn" value="(\d+)"', text(phone.get(page, {"step": step})))
        turn = found[1] if found else "0"
    return phone.post(page, {"step": step, "turn": turn, "confirmed": "yes", **more})


def everything() -> list:
    rows = (Shipment, TrackingEvent, DriverLink, Order, OrderEvent, AuditEntry, OutboxMessage)
    return [list(model.objects.order_by("pk").values()) for model in rows]


# --- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", "?step=delivered", "?step=delivered&turn=0&confirmed=yes", "?step=x", "?address=show"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_a_link_changes_nothing_and_shows_no_address(phone, page, method, query):
    before = everything()
    for _ in range(3):
        answer = phone.generic(method, page + query)
        assert answer.status_code == 200
        assert PHONE not in text(answer)
        assert STREET not in text(answer)
    assert everything() == before


def test_the_page_says_what_to_bring_and_offers_each_step(phone, page, shipment):
    shown = text(phone.get(page))
    assert shipment.waybill_no in shown
    assert "自有车队" in shown
    assert [f"?step={name}" in shown for name in ("picked_up", "arriving", "delivered", "failed")] == [True] * 4


def test_the_title_that_chat_apps_preview_is_about_nobody(phone, page):
    assert re.search("<title>(.*?)</title>", text(phone.get(page)))[1] == "配送任务"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_do_nothing(phone, page, method):
    assert phone.generic(method, page).status_code == 405


def test_the_page_stays_with_who_opened_it(phone, page):
    for answer in (phone.get(page), phone.get("/d/unknown"), phone.post(page, {"address": "show"})):
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Frame-Options"] == "DENY"
        assert "noindex" in answer["X-Robots-Tag"]
        assert not answer.cookies


def test_the_page_needs_no_script_and_nothing_in_line(phone, page):
    for answer in (phone.get(page), phone.get(page, {"step": "failed"}), phone.post(page, {"address": "show"})):
        assert not re.search(r"<script|<style|style=|\son\w+=|javascript:", text(answer))


# --- the address ----------------------------------------------------------------------------------


def test_the_driver_asks_for_door_and_number_on_record(phone, page, shipment):
    shown = text(phone.post(page, {"address": "show"}))
    assert STREET in shown
    assert f'href="tel:{PHONE}"' in shown
    assert "欧阳雪" not in shown
    assert "欧*" in shown
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("driver.address_shown", f"shipment:{shipment.pk}")
    assert entry.actor == f"driver_link:{DriverLink.objects.get().pk}"


@pytest.mark.parametrize(
    ("number", "dialled"),
    [("13812347788-1234", "13812347788,1234"), ("021-61234567", "02161234567"),
     ("021-61234567-88", "02161234567,88"), ("+85291234567", "+85291234567")],
)  # fmt: skip
def test_a_number_is_dialled_with_its_extension(phone, number, dialled):
    page = address(make_shipment(make_order("paid", phone=number)))
    assert f'href="tel:{dialled}"' in text(phone.post(page, {"address": "show"}))


def test_a_box_for_two_doors_shows_both_and_one_door_once(phone, shipment, page):
    for street in (STREET, "南京路 9 号"):
        join(shipment, make_order("paid", name="欧阳雪", phone=PHONE, address=street), actor=STAFF)
    shown = text(phone.post(page, {"address": "show"}))
    assert (shown.count(STREET), shown.count("南京路 9 号")) == (1, 1)


def test_a_consignee_that_can_not_be_read_breaks_nothing(phone, page):
    Order.objects.update(consignee_sealed="broken")
    assert "联系商家" in text(phone.get(page))
    Order.objects.update(consignee_sealed="")
    assert phone.post(page, {"address": "show"}).status_code == 200


# --- steps ----------------------------------------------------------------------------------------


def test_a_drivers_day(phone, page):
    assert "已记录" in text(confirm(phone, page, "picked_up"))
    assert "派送中" in text(confirm(phone, page, "arriving"))
    done = confirm(phone, page, "delivered")
    assert done.status_code == 200
    assert "已签收" in text(done)
    assert (Shipment.objects.get().status, Order.objects.get().status) == ("delivered", "delivered")
    assert STREET[:2] not in text(done)


def test_a_tap_acts_only_when_it_is_confirmed(phone, page):
    answer = phone.post(page, {"step": "delivered", "turn": "0"})
    assert "确认已送达" in text(answer)
    assert not TrackingEvent.objects.exists()


def test_a_double_tap_counts_once(phone, page):
    answers = [confirm(phone, page, "arriving", turn="0") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "没有重复记录" in text(answers[2])
    assert TrackingEvent.objects.count() == 1


def test_an_older_page_of_a_second_phone_must_look_again(phone, page):
    confirm(phone, page, "picked_up", turn="0")
    assert "再点一次" in text(confirm(phone, page, "delivered", turn="0"))
    assert Shipment.objects.get().status == "picked_up"


@pytest.mark.parametrize("turn", ["", "x", "-1", "9" * 400, "１", "1.0", "\x00"])
def test_a_turn_that_is_none_counts_for_nothing(phone, page, turn):
    assert confirm(phone, page, "delivered", turn=turn).status_code == 200
    assert not TrackingEvent.objects.exists()


def test_not_delivered_needs_a_reason(phone, page):
    assert "请选择" in text(confirm(phone, page, "failed"))
    assert "一句说明" in text(confirm(phone, page, "failed", reason="other"))
    assert confirm(phone, page, "failed", reason="lost").status_code == 400
    assert confirm(phone, page, "failed", reason="refused", remark="x" * 61).status_code == 400
    assert confirm(phone, page, "failed", reason="refused", remark="a\x00b").status_code == 400
    assert not TrackingEvent.objects.exists()
    confirm(phone, page, "failed", reason="other", remark="小区封闭")
    assert TrackingEvent.objects.get().text == "派送未成功：小区封闭"


def test_what_a_driver_writes_is_text(phone, page, shipment):
    confirm(phone, page, "failed", reason="other", remark="<script>alert(1)</script>")
    assert "<script" not in text(phone.get(page))


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"\xff\xfe", "application/x-www-form-urlencoded"), (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
     (b"{}", "application/json"), (b"x", "multipart/form-data"), (b"step=delivered&turn=%00", "text/plain"),
     (b"&".join([b"a=1"] * 3000), "application/x-www-form-urlencoded"),
     (b"a" * 70_000, "application/x-www-form-urlencoded")],
)  # fmt: skip
def test_nonsense_never_breaks_it(phone, page, body, kind):
    assert phone.post(page, body, content_type=kind).status_code in (200, 400, 413)
    assert not TrackingEvent.objects.exists()


# --- dead links -----------------------------------------------------------------------------------


def look(phone, page, method="GET"):
    answer = phone.generic(method, page)
    return answer.status_code, answer.content, {k: v for k, v in answer.items() if k != "X-Request-Id"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_dead_links_look_alike_whatever_they_died_of(phone, shipment, method):
    expired = address(shipment, life=dt.timedelta(0))
    ended = address(shipment)
    driver_links.end(shipment)
    withdrawn = make_shipment()
    voided = address(withdrawn)
    void(withdrawn, order=withdrawn.orders.get(), reason="x", actor=STAFF)
    over = make_shipment()
    delivered = address(over)
    confirm(phone, delivered, "delivered")
    pages = [expired, ended, voided, delivered, "/d/unknown", f"/d/{'0' * 48}", "/d/", "/d/a/b/../c", "/d/%00"]
    looks = [look(phone, page, method) for page in pages]
    assert all(one == looks[0] for one in looks)
    assert looks[0][0] == 404
    if method != "HEAD":
        assert "链接已失效" in looks[0][1].decode()


def test_a_dead_link_tells_nothing_and_does_nothing(phone, page, shipment):
    confirm(phone, page, "delivered")
    for answer in (phone.get(page), phone.post(page, {"address": "show"}), confirm(phone, page, "failed", turn="1")):
        assert answer.status_code == 404
        assert not any(part in text(answer) for part in (shipment.waybill_no, PHONE, STREET, "欧*"))
    assert TrackingEvent.objects.count() == 1


def test_a_link_opens_its_own_parcel_only(phone, page, shipment):
    other = make_shipment()
    for _ in range(2):
        confirm(phone, page, "arriving", shipment=other.pk, waybill_no=other.waybill_no)
    other.refresh_from_db()
    assert other.status == "no_trace"
    assert other.waybill_no not in text(phone.get(page, {"shipment": other.pk}))


# --- limits and logs ------------------------------------------------------------------------------


def test_guessing_is_slowed_down_while_live_links_go_on(phone, page):
    codes = [phone.get("/d/unknown").status_code for _ in range(driver.GUESS_BURST + 1)]
    assert codes[-2:] == [404, 429]
    assert phone.get("/d/unknown")["Retry-After"]
    assert phone.get(page).status_code == 200


def test_behind_a_proxy_who_guesses_slows_down_nobody_else(phone, settings):
    settings.TRUSTED_PROXIES = 1
    for _ in range(driver.GUESS_BURST + 1):
        refused = phone.get("/d/unknown", headers={"X-Forwarded-For": "203.0.113.7"})
    other = phone.get("/d/unknown", headers={"X-Forwarded-For": "203.0.113.8"})
    assert (refused.status_code, other.status_code) == (429, 404)


def test_behind_a_proxy_the_driver_s_own_address_is_on_record(phone, page, settings):
    settings.TRUSTED_PROXIES = 1
    for act in ({"address": "show"}, {"step": "arriving", "turn": 0, "confirmed": "yes"}):
        phone.post(page, act, headers={"X-Forwarded-For": "203.0.113.7"})
    assert set(AuditEntry.objects.values_list("address", flat=True)) == {"203.0.113.7"}


def test_one_link_is_slowed_down_alone(phone, page):
    codes = [phone.get(page).status_code for _ in range(driver.LINK_BURST + 1)]
    assert codes[-2:] == [200, 429]
    assert phone.get(address(make_shipment())).status_code == 200


def test_the_secret_never_reaches_a_log(phone, page, capsys):
    secret = page.rpartition("/")[2]
    driver_links.end(Shipment.objects.get())
    for path in (page, f"/x{page}", f"{page}/more"):
        phone.get(path)
    logged = capsys.readouterr().err
    assert "/d/" in logged
    assert secret not in logged
    assert secret not in scrub(f"GET https://shop.example{page}?step=delivered HTTP/1.1")
    assert scrub("/admin/d/ and /d/short stay") == "/admin/d/ and /d/short stay"


def test_the_secret_is_told_to_no_metric(phone, page):
    phone.get(page)
    found = phone.get(reverse("schema"))
    assert page not in text(found)
    assert page not in text(phone.get("/metrics", headers={"Authorization": "Bearer test-only-metrics-token"}))


def test_until_when_it_lives_is_shown(phone, page):
    assert f"{clock.shanghai(DriverLink.objects.get().expires_at):%m月%d日}" in text(phone.get(page))
