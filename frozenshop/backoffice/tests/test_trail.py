"""The page that shows what one id set off."""

import datetime as dt

import pytest

from frozenshop.backoffice import trail
from frozenshop.backoffice.tests.pages import text
from frozenshop.kernel import audit, clock, outbox, request_id
from frozenshop.kernel.actor import SYSTEM
from frozenshop.kernel.models import AuditEntry, OutboxMessage
from logistics.models import ProviderCall, ProviderMessage

pytestmark = pytest.mark.django_db
PAGE = "/admin/trail/"
MINE, OTHER = "one-request-0001", "another-request-1"


def call(**fields) -> ProviderCall:
    return ProviderCall.objects.create(provider="kdniao", operation="query", outcome="ok", **fields)


def test_rows_of_all_tables_stand_in_order_of_time():
    with request_id.carrying(MINE):
        outbox.enqueue("logistics.apply_message", {"message_id": 1})
        call(waybill_no="SF1", started_at=clock.now() - dt.timedelta(minutes=1))
        ProviderMessage.objects.create(provider="kdniao", kind="push", digest="x", body_sealed="", waybill_no="SF1")
        audit.record(SYSTEM, "order.seen", "F1")
    steps, cut = trail.follow(MINE)
    assert [step.what for step in steps] == ["服务商调用", "待办消息", "服务商消息", "审计记录"]
    assert cut == []


def test_another_id_is_not_shown(lead):
    for given in (MINE, OTHER):
        with request_id.carrying(given):
            call(waybill_no=f"WAYBILL-{given}")
    shown = text(lead.get(PAGE, {"id": MINE}))
    assert f"WAYBILL-{MINE}" in shown
    assert f"WAYBILL-{OTHER}" not in shown


def test_who_may_not_see_a_table_does_not_see_it_here(login):
    from django.contrib.auth.models import Permission, User

    client = login()
    with request_id.carrying(MINE):
        outbox.enqueue("kernel.purge", {})
        call(waybill_no="SF1")
    right = Permission.objects.get(codename="view_outboxmessage")
    User.objects.get(username="nobody").user_permissions.add(right)
    shown = text(client.get(PAGE, {"id": MINE}))
    assert "kernel.purge" in shown
    assert "SF1" not in shown


def test_a_long_trail_says_that_it_is_cut(monkeypatch):
    monkeypatch.setattr(trail, "SHOWN", 2)
    with request_id.carrying(MINE):
        for number in range(3):
            call(waybill_no=f"SF{number}")
    steps, cut = trail.follow(MINE)
    assert len(steps) == 2
    assert cut == ["服务商调用"]


def test_the_logs_of_the_id_are_one_step_away(root):
    assert f'href="/admin/logs/?request_id={MINE}"' in text(root.get(PAGE, {"id": MINE}))


def test_nothing_is_looked_for_without_an_id(lead, django_assert_max_num_queries):
    call(request_id="")
    with django_assert_max_num_queries(8):
        shown = text(lead.get(PAGE))
    assert "没有这个编号" not in shown
    assert "服务商调用" not in shown


@pytest.mark.parametrize("kept", trail.TABLES, ids=lambda kept: kept.model.__name__)
def test_every_table_finds_the_id_by_an_index(kept):
    by = kept.model if "__" not in kept.by else kept.model._meta.get_field(kept.by.split("__")[0]).related_model
    assert any(index.fields[0] == "request_id" for index in by._meta.indexes)


def test_what_is_enqueued_outside_of_any_request_begins_an_id():
    outbox.enqueue("kernel.purge", {})
    assert OutboxMessage.objects.get().request_id


def test_an_act_of_staff_and_the_work_that_it_queues_share_an_id(lead):
    message = OutboxMessage.objects.create(topic="kernel.purge", status="dead")
    given = {"action": "replay", "_selected_action": [message.pk]}
    answer = lead.post("/admin/kernel/outboxmessage/", given, headers={"X-Request-Id": MINE})
    assert answer["X-Request-Id"] == MINE
    assert AuditEntry.objects.get(action="outbox.replayed").request_id == MINE
