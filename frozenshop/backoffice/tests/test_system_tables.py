import pytest
from django.contrib import admin
from django_celery_beat import models as beat

from frozenshop.backoffice.tests.pages import messages, text
from frozenshop.kernel import merchant_keys, scheduling
from frozenshop.kernel.models import AuditEntry, CalendarDay, MerchantKey, OutboxMessage
from logistics.models import Provider, ProviderState
from logistics.tests.factories import make_carrier, make_shipment
from orders.models import Product, ProductCategory

pytestmark = pytest.mark.django_db
OUTBOX, KEYS, SCHEDULE = (
    "/admin/kernel/outboxmessage/",
    "/admin/kernel/merchantkey/",
    "/admin/django_celery_beat/periodictask/",
)


def run(client, url: str, action: str, *rows):
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows], "index": "0"}, follow=True)


def test_a_dead_message_is_replayed_and_others_are_left_alone(lead):
    dead = OutboxMessage.objects.create(topic="t", status="dead", attempts=9)
    done = OutboxMessage.objects.create(topic="t", status="done")
    shown = run(lead, OUTBOX, "replay", dead, done)
    dead.refresh_from_db()
    done.refresh_from_db()
    assert (dead.status, dead.attempts, done.status) == ("pending", 0, "done")
    assert "1 条" in messages(shown)
    assert AuditEntry.objects.filter(action="outbox.replayed").exists()


def test_a_new_keys_secret_is_shown_once(lead):
    shown = text(lead.post(f"{KEYS}add/", {"name": "商城", "scopes": ["orders:write"]}))
    key = MerchantKey.objects.get()
    (secret,) = merchant_keys.live_secrets(key)
    assert secret in shown
    assert secret not in text(lead.get(f"{KEYS}{key.pk}/change/"))
    assert key.scopes == ["orders:write"]
    assert AuditEntry.objects.filter(action="merchantkey.added").exists()


def test_a_rotated_key_has_two_live_secrets(lead):
    key, former = merchant_keys.issue("商城", ["orders:read"])
    shown = text(run(lead, KEYS, "rotate", key))
    key.refresh_from_db()
    newest, kept = merchant_keys.live_secrets(key)
    assert newest in shown
    assert kept == former
    assert former not in shown


def test_a_former_secret_is_ended_at_once_and_recorded(lead):
    key, _ = merchant_keys.issue("商城", [])
    newest = merchant_keys.rotate(key)
    run(lead, KEYS, "end_previous", key)
    key.refresh_from_db()
    assert merchant_keys.live_secrets(key) == [newest]
    assert AuditEntry.objects.get(action="merchantkey.previous_ended").details == {"keys": [key.key_id]}


def test_a_key_is_switched_off_and_recorded(lead):
    key, _ = merchant_keys.issue("商城", [])
    run(lead, KEYS, "switch_off", key)
    key.refresh_from_db()
    assert not key.active
    assert AuditEntry.objects.get(action="merchantkey.switched_off").details == {"keys": [key.key_id]}


def test_changing_a_key_leaves_its_secret(lead):
    key, secret = merchant_keys.issue("商城", [])
    lead.post(f"{KEYS}{key.pk}/change/", {"name": "新商城", "scopes": ["orders:read"], "active": "on"})
    key.refresh_from_db()
    assert (key.name, merchant_keys.live_secrets(key)) == ("新商城", [secret])


def test_of_beats_tables_only_the_schedule_is_shown():
    shown = {model for model in admin.site._registry if model._meta.app_label == "django_celery_beat"}
    assert shown == {beat.PeriodicTask}


def test_a_job_is_switched_off_and_on(lead):
    scheduling.sync()
    task = beat.PeriodicTask.objects.first()
    run(lead, SCHEDULE, "switch_off", task)
    task.refresh_from_db()
    assert not task.enabled
    run(lead, SCHEDULE, "switch_on", task)
    task.refresh_from_db()
    assert task.enabled


def test_what_a_job_runs_is_not_edited(lead):
    scheduling.sync()
    task = beat.PeriodicTask.objects.first()
    lead.post(f"{SCHEDULE}{task.pk}/change/", {"enabled": "on", "task": "os.system", "args": "[]"})
    former, _ = task.task, task.refresh_from_db()
    assert task.task == former


def test_an_edited_row_is_recorded_with_its_fields(lead):
    lead.post("/admin/kernel/calendarday/add/", {"day": "2027-01-01", "kind": "holiday", "name": "元旦"})
    day = CalendarDay.objects.get(day="2027-01-01")
    lead.post(f"/admin/kernel/calendarday/{day.pk}/change/", {"day": "2027-01-01", "kind": "holiday", "name": "新年"})
    assert AuditEntry.objects.get(action="calendarday.changed").details == {"fields": ["说明"]}


def test_saving_a_form_does_not_put_a_counter_back(root):
    state = ProviderState.objects.create(provider=Provider.KDNIAO, calls_today=5)
    page = f"/admin/logistics/providerstate/{state.pk}/change/"
    ProviderState.objects.filter(pk=state.pk).update(calls_today=9)
    root.post(page, {"daily_budget": "100", "calls_per_minute": "600", "price_fen": "0"})
    state.refresh_from_db()
    assert (state.daily_budget, state.calls_today) == (100, 9)


def test_the_audit_is_read_only_even_for_root(root):
    entry = AuditEntry.objects.create(actor="staff:1", action="x")
    for url in ("/admin/kernel/auditentry/add/", f"/admin/kernel/auditentry/{entry.pk}/delete/"):
        assert root.post(url, {"post": "yes"}).status_code == 403
    assert root.post(f"/admin/kernel/auditentry/{entry.pk}/change/", {"actor": "y"}).status_code == 403


def test_a_shipments_state_is_not_edited_even_by_root(root):
    shipment = make_shipment()
    assert root.post(f"/admin/logistics/shipment/{shipment.pk}/change/", {"status": "delivered"}).status_code == 403


def test_shipments_are_synced_from_their_list(service):
    shipment = make_shipment()
    OutboxMessage.objects.all().delete()
    run(service, "/admin/logistics/shipment/", "sync", shipment)
    assert OutboxMessage.objects.get().payload == {"shipment_id": shipment.pk}


def test_a_carriers_code_is_given_once(lead):
    carrier = make_carrier("SF")
    lead.post(f"/admin/logistics/carrier/{carrier.pk}/change/", {"code": "XX", "name": "顺丰", "enabled": "on"})
    carrier.refresh_from_db()
    assert carrier.code == "SF"


def test_autocomplete_finds_by_prefix(root):
    category = ProductCategory.objects.create(code="zz-test", name="测试类目")
    asked = {"app_label": "orders", "model_name": "product", "field_name": "category", "term": "zz"}
    found = root.get("/admin/autocomplete/", asked).json()
    assert found == {"results": [{"id": str(category.pk), "text": "测试类目"}], "pagination": {"more": False}}
    assert Product.objects.count() == 0
