"""A consignee's parcel is asked for, told of and looked up, and no log holds a word of them, wherever it lies."""

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from frozenshop.api.tests.client import shop
from frozenshop.backoffice.roles import ensure_roles
from frozenshop.backoffice.tests.pages import ORDERS
from frozenshop.kernel import logstore
from frozenshop.kernel.logstore import spool
from frozenshop.kernel.tests import logs
from frozenshop.kernel.tests.mongo import Mongo
from logistics import asking, messages
from logistics.providers.base import Concerns, ProviderError
from logistics.tests.test_kdniao import parcel, push_of, trace
from logistics.tests.tracked import deliver
from notifications import quiet
from notifications.channels.base import ChannelError
from notifications.tests import fake_channel
from notifications.tests.world import bought, tell
from notifications.tests.world import parcel as shipped
from orders.tests.factories import order_payload
from tests import canary
from tests.canary import DASHED, LATIN, NAME, PHONE, SPACED, STREET

pytestmark = pytest.mark.django_db
CONSIGNEE = {"name": NAME, "phone": PHONE, "address": STREET}
QUOTE = f"{NAME}（{STREET}，{SPACED}，{DASHED}，{PHONE}）拒绝签收"
SECRETS = (django_settings.KDNIAO_API_KEY, django_settings.WECHAT_APP_SECRET, "0123456789abcdef0123456789abcdef")
STORES = ("database", "mongodb", "spool")


@pytest.fixture(params=STORES)
def written(request, monkeypatch, settings, tmp_path, django_capture_on_commit_callbacks):
    """Do things, and return the bytes that each store keeps of their logs."""
    kind, url = request.param, "mongodb://127.0.0.1:1/logs" if request.param == "spool" else ""
    server = Mongo(tmp_path)
    if kind == "mongodb":
        server.start()
        url = server.url
    writer = logs.use(monkeypatch, settings, var_dir=tmp_path, mongodb_url=url)

    def after(act):
        with django_capture_on_commit_callbacks(execute=True):
            act()
        writer.flush()
        return b"\n".join(_all_of(kind, server))

    yield after
    logs.close()
    writer._spool.close()
    server.kill()


def _all_of(kind, server):
    if kind == "spool":
        yield from (path.read_bytes() for path in spool.waiting())
    elif kind == "mongodb":
        with server.client() as client:
            for name in client.logs.list_collection_names():
                yield from (repr(row).encode() for row in client.logs[name].find())
        yield from (path.read_bytes() for path in (server.folder / "mongo").rglob("*") if path.is_file())
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM kernel_logentry")
            yield from ("\n".join(map(str, row)).encode() for row in cursor.fetchall())


def journey(monkeypatch, staff):
    post = fake_channel.install(monkeypatch, *fake_channel.BUYER)
    post["wechat_subscribe"].always = ChannelError(QUOTE, code="43101", permanent=True)
    key = shop("orders:write", "orders:read", "orders:read_unmasked")
    key.post("/merchant/orders", order_payload(order_no="CANARY1", **CONSIGNEE))
    key.get("/merchant/orders/CANARY1")
    Client().get(f"/api/orders/{NAME}", {"q": PHONE}, headers={"user-agent": NAME, "x-request-id": PHONE})
    Client().post(f"/callbacks/sf/{SECRETS[-1]}", QUOTE.encode(), content_type="application/json")
    for typed in (NAME, PHONE, LATIN):
        staff.get(ORDERS, {"q": typed})
        staff.get("/admin/logs/", {"subject": typed})
    shipment = shipped(bought(**CONSIGNEE))
    tell(shipment, "out_for_delivery", text=QUOTE)
    messages.receive(
        "kdniao", push_of(parcel(trace("2026-11-22 08:00:00", QUOTE), LogisticCode=shipment.waybill_no, Reason=QUOTE))
    )
    deliver("logistics.apply_message")
    with pytest.raises(ProviderError):
        asking.ask("kdniao", "query", shipment.waybill_no, refused)
    return shipment


def refused():
    raise ProviderError(f"{QUOTE} api_key={SECRETS[0]}", permanent=True, concerns=Concerns.WAYBILL)


def test_nothing_of_the_consignee_and_no_secret_is_in_any_log(monkeypatch, written, django_user_model):
    monkeypatch.setattr(quiet, "over_at", lambda instant: instant)  # at night nobody would be told
    ensure_roles()
    staff = Client()
    staff.force_login(django_user_model.objects.create_user("s", password="x", is_staff=True, is_superuser=True))
    kept = written(lambda: journey(monkeypatch, staff))
    for kind in logstore.Kind:
        assert kind.encode() in kept
    assert canary.found_in(kept) == []
    assert not [secret for secret in SECRETS if secret.encode() in kept]
