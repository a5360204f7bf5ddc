import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock, outbox
from frozenshop.kernel.models import OutboxMessage
from orders import alerting, lifecycle, tasks
from orders.models import Alert, Order, OrderStatus
from orders.tests.factories import SHOP, make_order

pytestmark = pytest.mark.django_db
SLOT = {"slot": "2026-01-01T00:00:00+00:00"}


@pytest.fixture
def late():
    """A paid order whose time to be shipped ended a minute ago."""
    return make_late(1)


def make_late(minutes: int) -> Order:
    order = make_order(OrderStatus.PAID)
    order.not_shipped_after = clock.now() - dt.timedelta(minutes=minutes)
    order.save(update_fields=["not_shipped_after"])
    return order


def run() -> None:
    outbox.enqueue("orders.find_not_shipped", SLOT)
    outbox.deliver(OutboxMessage.objects.latest("id").pk)
    assert OutboxMessage.objects.filter(payload=SLOT).earliest("id").status == "done"


def alerts() -> list[str]:
    return list(Alert.objects.order_by("id").values_list("subject", flat=True))


def test_a_paid_order_past_its_time_gets_an_alert(late):
    run()
    alert = Alert.objects.get()
    assert (alert.kind, alert.order, alert.subject) == ("not_shipped", late, late.order_no)
    assert "前发货" in alert.detail


def test_an_order_in_time_gets_none():
    make_order(OrderStatus.PAID)
    run()
    assert alerts() == []


def test_an_order_that_was_shipped_gets_none(late):
    lifecycle.move(late, OrderStatus.SHIPPED, kind="shipped", occurred_at=clock.now(), actor=SHOP)
    run()
    assert alerts() == []


def test_a_late_order_gets_one_alert_though_the_job_runs_again(late):
    run()
    run()
    assert len(alerts()) == 1


def test_what_a_person_resolved_stays_resolved(late, django_user_model):
    run()
    alerting.resolve(Alert.objects.get(), "缺货，已联系买家", django_user_model.objects.create(username="li"))
    run()
    assert len(alerts()) == 1


def test_a_voided_waybill_can_become_late_again(late):
    run()
    for status in (OrderStatus.SHIPPED, OrderStatus.PAID):
        lifecycle.move(late, status, kind="test", occurred_at=clock.now(), actor=SHOP)
    alerting.resolve_alerts(late.order_no, [alerting.AlertKind.NOT_SHIPPED], by="system", resolution="已发货")
    with time_machine.travel(late.not_shipped_after + dt.timedelta(seconds=1)):
        run()
    assert len(alerts()) == 2


def test_the_oldest_come_first_and_a_full_batch_asks_for_another_run(monkeypatch):
    monkeypatch.setattr(tasks, "BATCH", 2)
    newest, oldest, middle = make_late(1), make_late(3), make_late(2)
    run()
    assert alerts() == [oldest.order_no, middle.order_no]
    outbox.deliver(OutboxMessage.objects.get(topic="orders.find_not_shipped", status="pending").pk)
    assert alerts()[2:] == [newest.order_no]


def test_an_order_whose_check_fails_stands_back_for_the_others(late, monkeypatch):
    other, open_alert = make_late(0), alerting.open_alert
    monkeypatch.setattr(
        alerting, "open_alert", lambda kind, **k: open_alert(kind, **k) if k["order"] != late else 1 / 0
    )
    run()
    assert alerts() == [other.order_no]
    assert late not in tasks.late_orders()
