"""The published description: complete, without warnings, with the closed lists."""

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from logistics.models import ShipmentStatus
from orders.models import AlertKind, OrderStatus


@pytest.fixture(scope="module")
def schema():
    GENERATOR_STATS.reset()
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_description_is_made_without_a_warning(schema):
    assert not GENERATOR_STATS


def test_every_route_of_programs_is_described(schema):
    assert sorted(path for path in schema["paths"] if path != "/api/schema/") == [
        "/api/auth/login", "/api/auth/logout", "/api/auth/phone", "/api/auth/sms-code", "/api/me/notifications",
        "/api/orders",
        "/api/orders/counts", "/api/orders/statuses", "/api/orders/{order_no}", "/api/orders/{order_no}/confirm",
        "/api/orders/{order_no}/refresh", "/api/orders/{order_no}/wechat", "/api/shop", "/api/subscriptions",
        "/api/subscriptions/advice", "/merchant/orders", "/merchant/orders/{order_no}",
        "/merchant/orders/{order_no}/events", "/merchant/orders/{order_no}/shipments",
        "/merchant/orders/{order_no}/shipments/{waybill_no}/events",
        "/merchant/orders/{order_no}/shipments/{waybill_no}/void",
    ]  # fmt: skip


@pytest.mark.parametrize("enum", [OrderStatus, ShipmentStatus, AlertKind])
def test_closed_lists_are_published(schema, enum):
    assert schema["components"]["schemas"][enum.__name__]["enum"] == list(enum.values)


@pytest.mark.parametrize(("path", "prefix"), [("/api/orders", "X-MP-"), ("/merchant/orders/{order_no}", "X-")])
def test_the_signature_is_described(schema, path, prefix):
    headers = {p["name"] for p in schema["paths"][path]["get"]["parameters"] if p["in"] == "header"}
    assert headers >= {f"{prefix}Timestamp", f"{prefix}Nonce", f"{prefix}Signature"}


def test_it_is_public(client):
    answer = client.get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert client.get("/api/schema/").status_code == 200
