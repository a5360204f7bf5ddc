"""Whatever is typed anywhere, the answer is a page."""

import pytest
from django.contrib import admin
from django.urls import reverse

from frozenshop.backoffice.order_actions import ACTIONS
from frozenshop.backoffice.tests.pages import BATCH, ORDERS, act
from logistics.tests.factories import make_shipment
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db

NONSENSE = [
    "", " ", "\x00", "😀𠮷", "'; DROP TABLE orders_order; --", "%", "_", "％", "<b>", "x" * 10_000, "９" * 11, "\ud7ff",
    "-1", "1e9999", "NaN", "99999999999999999999999", "2026-02-30", "2026-11-01T25:61", "../..", "{{ 7*7 }}",
    "\u202eabc", "0000", "1234 \x00", "1380000000" + "0" * 30, "null", "true", "[]", "İ", "ß", "\r\n\t",
]  # fmt: skip
FIELDS = (
    "carrier", "waybill_no", "shipped_at", "shipment", "reason", "fact", "occurred_at", "amount", "reference", "text",
    "qty:XR-1",
)  # fmt: skip
PARAMETERS = (
    "q", "after", "before", "p", "o", "e", "all", "todo", "placed_from", "placed_to", "carrier", "alert", "category",
    "status__exact", "state", "owner", "kind", "outcome__exact", "_to_field", "_popup", "_changelist_filters",
    "enabled__exact",    "groups__id__exact",
)  # fmt: skip
SOME_OR_ALL = pytest.mark.parametrize(
    "nonsense", [NONSENSE[::3], pytest.param(NONSENSE, marks=pytest.mark.slow)], ids=["some", "all"]
)
SAFE = {200, 302, 400, 403, 404}


@pytest.mark.parametrize("typed", NONSENSE, ids=lambda typed: ascii(typed)[:24])
def test_the_search_box_takes_anything(root, typed):
    make_order()
    assert root.get(ORDERS, {"q": typed}).status_code == 200


VALUES = ("\x00", "😀", "x" * 300, "99999999999999999999999", "-1", "W10", "bnVsbA", "[1]")


@pytest.mark.parametrize(
    "parameter",
    [name if turn % 3 == 0 else pytest.param(name, marks=pytest.mark.slow) for turn, name in enumerate(PARAMETERS)],
)
def test_every_list_takes_any_parameter(root, parameter):
    """In turns: over all parameters each list meets each value, and over all lists each parameter does."""
    for turn, model in enumerate(admin.site._registry, PARAMETERS.index(parameter)):
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for typed in (VALUES[turn % 8], VALUES[(turn + 3) % 8]):
            assert root.get(url, {parameter: typed}).status_code in SAFE, (url, typed)


@SOME_OR_ALL
@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_takes_any_field(service, name, nonsense):
    order = make_order("paid")
    make_shipment(order)
    for typed in nonsense:
        assert act(service, order, name, **dict.fromkeys(FIELDS, typed)).status_code == 200, typed


@SOME_OR_ALL
@pytest.mark.parametrize("action", ["", "sync", "mark", "ship", "export", "nonsense"])
def test_the_batch_view_takes_anything(root, action, nonsense):
    for typed in nonsense:
        data = dict.fromkeys(("numbers", "order", "ship_rows", "fact", "occurred_at", "reference", "amount"), typed)
        assert root.post(BATCH, {**data, "action": action}).status_code == 200, typed


def test_every_page_of_a_row_opens(root):
    shipment = make_shipment()
    for url in (f"/admin/logistics/shipment/{shipment.pk}/", f"/admin/logistics/shipment/{shipment.pk}/history/"):
        assert root.get(url, follow=True).status_code == 200


@pytest.mark.parametrize("key", ["0", "-1", "abc", "99999999999999999999999", "%00", "😀"])
def test_a_row_that_is_not_there_is_no_crash(root, key):
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{key}"
        for tail in ("/change/", "/history/", "/delete/"):
            assert root.get(base + tail).status_code in SAFE, base + tail
