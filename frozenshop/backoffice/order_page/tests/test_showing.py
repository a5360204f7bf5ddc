"""What one order's page shows in one scroll, by how many questions, and the way its parcels are drawn."""

import datetime as dt
import re

import pytest
import time_machine
from django.contrib.auth.models import User
from django.urls import reverse

from frozenshop.backoffice import order_page
from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.models import BatchRow
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.order_page import route as drawing
from frozenshop.backoffice.order_page.route import Route, route_of
from frozenshop.backoffice.tests.pages import act, page, text
from frozenshop.kernel import audit
from frozenshop.kernel.clock import now
from logistics import problems
from logistics.models import Shipment, TrackingEvent
from logistics.tests.factories import event, make_carrier, make_shipment, report
from notifications.models import Delivery, Notice
from orders import alerting
from orders.models import AlertKind, AlertNote, Order
from orders.tests.factories import line, make_order

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def noon():
    """A slow machine's minute would have the session written once more."""
    with time_machine.travel("2026-11-22T12:00:00+08:00", tick=False):
        yield


def drawn(*places: str, destination: str = "上海市浦东新区", **about) -> Route | None:
    """Draw a parcel that was scanned at these places, one an hour."""
    start = now() - len(places) * HOUR
    events = [TrackingEvent(location=place, occurred_at=start + n * HOUR) for n, place in enumerate(places)]
    return route_of(Shipment(destination=destination, **about), events[::-1])


def names(*places: str, **about) -> list[str]:
    return [stop.place for stop in way(*places, **about).stops]


def way(*places: str, **about) -> Route:
    found = drawn(*places, **about)
    assert found
    return found


def full(lead, parcels: int, rows: int) -> Order:
    """An order with so many parcels, and so many of everything else."""
    order = make_order("paid", lines=[line(sku=f"S{n}") for n in range(parcels)])
    for n in range(parcels):
        box = make_shipment(order, carrier=make_carrier(f"C{n}"), lines={f"S{n}": 2})
        report(box, *[event("in_transit", now() - k * HOUR, location=f"第{k}站") for k in range(rows)])
        alert = alerting.open_alert(AlertKind.STALE, subject=problems.subject(box), order=order)
        for k in range(rows):
            AlertNote.objects.create(alert=alert, author="staff:1", text=f"记录{k}")
    for k in range(rows):
        act(lead, order, "note", text=f"备注{k}")
        act(lead, order, "unmask", reason=f"理由{k}")
        notice = Notice.objects.create(
            audience="buyer", recipient=f"customer:{order.pk}", subject=f"shipment:{k}", milestone="delivered", round=k,
            order=order, occurred_at=now(), due_at=now(), state="told",
        )  # fmt: skip
        Delivery.objects.create(notice=notice, channel="sms_aliyun", state="sent", reference=f"r{order.pk}-{k}")
    return order


@pytest.mark.parametrize("role", ["主管", "客服"])
def test_the_page_asks_the_same_questions_of_any_order(login, role, django_assert_max_num_queries):
    """In a process that has shown none before: the carriers are read as well."""
    staff, lead = login(role), login(superuser=True)
    small, large = full(lead, 1, 1), full(lead, 4, 6)
    order_page._carriers_in.cache_clear()
    with django_assert_max_num_queries(15) as few:
        assert "C0快递" in text(staff.get(page(small)))
    order_page._carriers_in.cache_clear()
    with django_assert_max_num_queries(len(few)):
        staff.get(page(large))


def test_events_are_folded_by_day_with_only_the_newest_open(lead):
    box = make_shipment(order := make_order("paid"))
    report(box, event("in_transit", now() - 30 * HOUR), event("in_transit", now() - 29 * HOUR), event("in_transit"))
    shown = text(lead.get(page(order)))
    assert len(re.findall(r'<details class="day"', shown)) == 2
    assert len(re.findall(r'<details class="day" open', shown)) == 1


def test_every_part_that_is_listed_is_there_and_has_its_key(lead):
    answer = lead.get(page(make_order("paid")))
    shown = text(answer)
    for anchor, name, key in answer.context["sections"]:
        assert shown.count(f'id="{anchor}"') == 1, name
        assert f'href="#{anchor}" data-key="{key}"' in shown
    keys = [key for *_, key in answer.context["sections"]]
    assert len(set(keys)) == len(keys)


def test_who_may_not_read_messages_finds_no_part_for_them(login):
    from django.contrib.auth.models import Permission

    client = login()
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_order"))
    parts = [anchor for anchor, *_ in client.get(page(make_order("paid"))).context["sections"]]
    assert not {"told", "do"} & set(parts)


def test_who_looked_at_the_consignee_is_named_with_the_reason(lead, service):
    order = make_order("paid")
    act(service, order, "unmask", reason="客户来电核对地址")
    act(service, order, "note", text="别的事")
    looks = lead.get(page(order)).context["looks"]
    assert [(who, what, entry.reason) for entry, who, what in looks] == [("客服", "查看完整收件人", "客户来电核对地址")]


def test_a_look_that_lies_behind_many_acts_is_still_shown(lead):
    order = make_order("paid")
    audit.record("key:shop", "order.unmasked", order.order_no)
    for _ in range(60):
        audit.record("staff:1", "order.synced", order.order_no)
    context = lead.get(page(order)).context
    assert (len(context["looks"]), len(context["acts"])) == (1, 50)


def test_what_is_too_long_to_be_shown_whole_says_so(lead, monkeypatch):
    monkeypatch.setattr(order_page, "EVENTS_SHOWN", 3)
    monkeypatch.setattr(order_page, "ACTS_READ", 2)
    order = make_order("paid", lines=[line(sku="S1"), line(sku="S2")])
    quiet, busy = (make_shipment(order, carrier=make_carrier(f"C{n}"), lines={f"S{n}": 2}) for n in (1, 2))
    report(quiet, event("in_transit", now() - 9 * HOUR))
    report(busy, *[event("in_transit", now() - n * HOUR, location=f"第{n}站") for n in range(5)])
    for _ in range(2):
        audit.record("staff:1", "order.synced", order.order_no)
    answer = lead.get(page(order))
    assert [(parcel.count, parcel.cut) for parcel in answer.context["parcels"]] == [(1, False), (3, True)]
    shown = text(answer)
    assert "暂无轨迹" not in shown
    assert "没有人看过" not in shown
    assert shown.count("只显示最近 3 条") == 2


def test_an_alert_of_the_box_shows_with_its_notes_on_each_order_in_it(lead):
    first, second = make_order("paid"), make_order("paid")
    box = make_shipment(first, waybill_no="SF0001112223334")
    make_shipment(second, waybill_no="SF0001112223334")
    alert = alerting.open_alert(AlertKind.STALE, subject=problems.subject(box), order=first)
    for text_ in ("已致电", "再等一天"):
        AlertNote.objects.create(alert=alert, author="staff:1", text=text_)
    for order in (first, second):
        (about,) = lead.get(page(order)).context["open_alerts"]
        assert [noted for _, noted in about.notes] == ["已致电", "再等一天"]


def test_an_alert_of_a_companion_alone_is_not_shown(lead):
    first, second = make_order("paid"), make_order("paid")
    for order in (first, second):
        make_shipment(order, waybill_no="SF0001112223334")
    alerting.open_alert(AlertKind.MONEY_CONFLICT, subject=first.order_no, order=first)
    assert lead.get(page(second)).context["open_alerts"] == []


def test_what_was_written_about_another_order_is_not_shown(lead):
    OrderNote.objects.create(order_no="OTHER", author="staff:1", text="不是这个")
    assert "不是这个" not in text(lead.get(page(make_order("paid"))))


def test_nothing_on_the_page_needs_inline_script_or_style(lead):
    order = full(lead, 2, 3)
    body = text(lead.get(page(order))).split('id="content-main"')[1]
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script|<style", body)


# --- the way ---------------------------------------------------------------------------------------


def test_places_follow_in_the_order_of_their_scans_and_each_once():
    assert names("杭州转运中心", "杭州下沙", "", "南京江宁", "上海浦东", "上海徐汇") == ["杭州", "南京", "上海"]


def test_a_place_that_is_passed_twice_is_drawn_twice():
    assert names("杭州", "南京", "杭州", destination="杭州市") == ["杭州", "南京", "杭州"]


def test_the_goal_is_drawn_ahead_until_the_parcel_is_there():
    goal = way("杭州").stops[-1]
    assert (goal.place, goal.ahead, goal.told) == ("上海", True, "还没有到")
    assert way("杭州").ahead
    assert names("杭州", delivered_at=now()) == names("杭州", voided_at=now()) == ["杭州"]


@pytest.mark.parametrize("status", ["returning", "returned", "cancelled"])
def test_what_comes_back_has_no_goal_ahead(status):
    assert names("上海", "杭州", destination="北京市", status=status) == ["上海", "杭州"]


def test_a_stay_is_told_with_its_length():
    assert way("杭州", "杭州").stops[0].told.endswith("1 小时")


def test_what_lies_east_stands_right():
    xs = [stop.x for stop in way("成都", "武汉", "上海", destination="上海市").stops]
    assert xs == sorted(xs)
    assert (xs[0], xs[-1]) == (drawing.LEFT, drawing.LEFT + drawing.BREADTH)


def test_a_place_nobody_knows_is_drawn_below_the_one_before():
    known, unknown = way("成都", "某某集散点", destination="某某集散点").stops
    assert known.x == unknown.x


def test_a_long_way_is_drawn_from_its_end():
    long = way(*["杭州", "南京"] * 15, destination="南京市")
    assert (len(long.stops), long.left_out) == (drawing.MOST, 10)


def test_without_a_place_there_is_nothing_to_draw():
    assert drawn() is None
    assert drawn("", "") is None


def test_all_stands_inside_the_drawing():
    wide = way("乌鲁木齐", "哈尔滨", "一个名字特别特别特别特别长的地方", "上海")
    assert all(0 < stop.x < wide.text_x and 0 < stop.y < wide.height for stop in wide.stops)
    assert all(len(stop.name) <= drawing.NAMED for stop in wide.stops)


def test_the_batches_that_an_order_was_in_stand_on_its_page_and_ones_own_can_be_opened(login):
    clerk, order = login("客服"), make_order("paid", order_no="A-1")
    own, others = (moves.begin("act", title=title, owner=who) for title, who in _two_batches(clerk))
    for batch in (own, others):
        moves.add_rows(batch, [BatchRow(batch=batch, number=1, about="A-1", message="状态不变")])
    shown = text(clerk.get(page(order)))
    assert "别人的任务" in shown
    links = [reverse("admin:backoffice_batch_change", args=[batch.pk]) in shown for batch in (own, others)]
    assert links == [True, False]
    assert "我的任务" not in text(login("查看").get(page(order)))


def _two_batches(client) -> list[tuple[str, User]]:
    own = User.objects.get(pk=client.session["_auth_user_id"])
    return [("我的任务", own), ("别人的任务", User.objects.create_user("li"))]


def test_who_may_read_the_audit_comes_from_an_order_to_all_that_was_done_to_it(login):
    order = make_order("paid", order_no="A-1")
    link = reverse("admin:audit_order", args=["A-1"])
    assert link in text(login("审计").get(page(order)))
    assert link not in text(login("客服").get(page(order)))
