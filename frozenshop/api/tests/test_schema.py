"""The published description: complete, without warnings, with the closed lists."""

import json
from pathlib import Path

import pytest
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from docs import buyers_api
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
        "/api/auth/login", "/api/auth/logout", "/api/auth/phone", "/api/auth/sms-code", "/api/me",
        "/api/me/notifications", "/api/orders", "/api/orders/counts", "/api/orders/statuses",
        "/api/orders/{order_no}", "/api/orders/{order_no}/confirm",
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


class TestTheBuyersPart:
    """The mini-program's types are made of it, so that it doesn't compile against an API that has changed."""

    def test_is_what_the_mini_program_was_made_for(self):
        known = Path(settings.BASE_DIR, buyers_api.FILE).read_text(encoding="utf-8")
        assert known == buyers_api.text(), (
            "`make docs`, then `npm run api` in miniprogram/, then mend what doesn't compile"
        )

    def test_is_complete_in_itself(self, schema):
        part = buyers_api.buyers_part(json.loads(json.dumps(schema)))
        shapes = set(part["components"]["schemas"])
        assert set(buyers_api.reached(part["paths"], part["components"]["schemas"])) == shapes
        assert shapes >= {"OrderDocument", "ErrorDetail", "Eta"}

    def test_says_nothing_of_the_shops_side(self, schema):
        part = buyers_api.buyers_part(json.loads(json.dumps(schema)))
        assert all(path.startswith("/api/") for path in part["paths"])
        assert "OrderIn" not in part["components"]["schemas"]
