"""The lists of unknown codes and unread texts: one action maps them, and it is on record."""

import pytest

from frozenshop.kernel.models import AuditEntry
from logistics.models import UnknownCode, UnreadText
from logistics.tests.factories import make_carrier

pytestmark = pytest.mark.django_db
CODES, TEXTS = "/admin/logistics/unknowncode/", "/admin/logistics/unreadtext/"


def act(client, page, action, row, **fields):
    return client.post(page, {"action": action, "_selected_action": [row.pk], **fields}, follow=True)


def test_a_code_is_mapped_by_one_action(lead):
    code = UnknownCode.objects.create(provider="kdniao", code="777", count=3)
    assert "777" in lead.get(CODES).content.decode()
    act(lead, CODES, "map_codes", code, meant="in_transit", reason="")
    code.refresh_from_db()
    assert (code.mapped_status, bool(code.mapped_by)) == ("in_transit", True)
    assert AuditEntry.objects.filter(action="unknowncode.mapped").exists()


def test_a_wording_is_mapped_by_one_action(lead):
    text = UnreadText.objects.create(carrier_code="SF", digest="x", shape="怪话", count=9)
    act(lead, TEXTS, "map_texts", text, meant="exception", reason="lost")
    text.refresh_from_db()
    assert (text.status, text.reason) == ("exception", "lost")


def test_without_a_meaning_nothing_happens(lead):
    text = UnreadText.objects.create(carrier_code="SF", digest="x", shape="怪话")
    page = act(lead, TEXTS, "map_texts", text, meant="")
    text.refresh_from_db()
    assert text.status == ""
    assert "请先" in page.content.decode()


def test_a_wrong_reading_is_corrected_by_adding_it(lead):
    make_carrier("SF")
    given = {"carrier_code": "SF", "sample": "快件已签收", "status": "awaiting_pickup", "reason": "locker"}
    lead.post(f"{TEXTS}add/", given)
    text = UnreadText.objects.get()
    assert (text.status, text.reason, text.decided_at is not None) == ("awaiting_pickup", "locker", True)


def test_who_may_only_look_cant_map(viewer):
    text = UnreadText.objects.create(carrier_code="SF", digest="x", shape="怪话")
    act(viewer, TEXTS, "map_texts", text, meant="exception")
    text.refresh_from_db()
    assert text.status == ""
