"""Each request leaves one line: by its route's template, without its path, query, body and exact address."""

import pytest
from django.test import Client

from frozenshop.api.tests.client import shop
from frozenshop.kernel import logstore
from frozenshop.kernel.logstore import Kind
from frozenshop.kernel.tests import logs

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(monkeypatch, settings, tmp_path):
    writer = logs.use(monkeypatch, settings, var_dir=tmp_path)

    def read():
        writer.flush()
        return logstore.find(logstore.Query(kinds=(Kind.ACCESS,)))

    return read


def test_a_request_is_told_by_its_route(lines):
    answer = Client().get(
        "/api/orders/CANARY-ORDER-1", {"q": "canary"}, headers={"x-request-id": "canary-request-1"},
        REMOTE_ADDR="203.0.113.77",
    )  # fmt: skip
    assert answer.status_code == 401
    (line,) = lines()
    assert (line.service, line.what) == ("api", "GET /api/orders/<any:order_no>")
    assert (line.outcome, line.failed, line.request_id) == ("401", True, "canary-request-1")
    assert (line.address, line.who) == ("203.0.113.0/24", "")
    assert line.ms >= 0
    assert "CANARY" not in repr(line)


def test_secrets_in_paths_and_bodies_are_not_told(lines):
    Client().post("/callbacks/sf/0123456789abcdef0123456789abcdef", b'{"canary": 1}', content_type="application/json")
    Client().get("/d/0123456789abcdefghij")
    Client().get("/nowhere/canary")
    told = repr(lines())
    assert len(lines()) == 3
    assert "0123456789abcdef" not in told
    assert "canary" not in told


def test_a_key_and_a_member_of_staff_are_named_by_id(lines, django_user_model):
    key = shop("orders:read")
    key.get("/merchant/orders/F1")
    staff = django_user_model.objects.create_user("canary", password="x", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(staff)
    client.get("/admin/")
    people = {line.service: line.who for line in lines()}
    assert people["admin"] == f"staff:{staff.pk}"
    assert people["merchant"].startswith("key:mk_")


def test_an_ipv6_source_is_told_by_its_network(lines):
    Client().get("/api/shop", REMOTE_ADDR="2001:db8:1:2:3:4:5:6")
    Client().get("/api/shop", REMOTE_ADDR="")
    assert {line.address for line in lines()} == {"2001:db8:1::/48", ""}


def test_probes_are_not_told(lines):
    for path in ("/healthz", "/readyz", "/metrics"):
        Client().get(path)
    assert lines() == []
