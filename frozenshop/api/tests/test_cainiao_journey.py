"""A carrier that only 菜鸟 knows: from shipped to delivered by asking it and by its pushes, over the real wire."""

import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import clock
from logistics import polling
from logistics.models import Carrier, ProviderMessage, Shipment
from logistics.models import ShipmentStatus as S
from logistics.shipping import ship
from logistics.tests.sandbox_server import served
from logistics.tests.tracked import deliver
from orders.tests.factories import SHOP, make_order

pytestmark = pytest.mark.django_db
NO = "YT7300000000001"
PATH_SECRET = "test-only-path-Secret-0001"
HOURS = {"picked up": 2, "out for delivery": 28, "signed": 31}


@pytest.fixture
def now():
    with time_machine.travel("2026-11-22T12:00:00+08:00", tick=False) as traveller:
        yield traveller


@pytest.fixture
def sandbox(settings, now):
    settings.KDNIAO_API_KEY = ""
    settings.CAINIAO_PROVIDER_ID, settings.CAINIAO_APP_CODE = "0123456789abcdef0123456789abcdef", "demo-app"
    settings.CAINIAO_SECRET, settings.CAINIAO_CALLBACK_SECRETS = "demo-secret-0001", PATH_SECRET
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    config = {
        "cainiao_provider_id": settings.CAINIAO_PROVIDER_ID,
        "cainiao_app_code": settings.CAINIAO_APP_CODE,
        "cainiao_secret": settings.CAINIAO_SECRET,
        "cainiao_callback_secret": PATH_SECRET,
    }
    with served(**config) as found:
        settings.CAINIAO_BASE_URL = found.url
        yield found


@pytest.fixture
def parcel(sandbox):
    """A parcel shipped now, whose story begins now."""
    carrier = Carrier.objects.create(code="YTO", name="圆通速递", cainiao_code="YTO")
    bought = make_order("paid", placed_at=(clock.now() - dt.timedelta(hours=2)).isoformat())
    return ship(bought, carrier=carrier, waybill_no=NO, shipped_at=clock.now(), actor=SHOP)


def status(parcel):
    parcel = Shipment.objects.get(pk=parcel.pk)
    return parcel.status, parcel.orders.get().status


def ask(parcel):
    assert polling.sync_now(Shipment.objects.get(pk=parcel.pk)).answered


@pytest.mark.parametrize("epoch_times", [False, True], ids=["wall clock", "milliseconds"])
def test_by_asking(sandbox, parcel, now, epoch_times):
    sandbox.put("cainiao", epoch_times=epoch_times)
    sandbox.put(f"shipments/{NO}", provider="cainiao", carrier_code="YTO", scenario="normal", push=False)
    ask(parcel)
    assert status(parcel) == (S.NO_TRACE, "shipped")
    now.shift(HOURS["picked up"] * 3600)
    ask(parcel)
    assert status(parcel) == (S.PICKED_UP, "in_transit")
    now.shift((HOURS["signed"] - HOURS["picked up"]) * 3600)
    ask(parcel)
    assert status(parcel) == (S.DELIVERED, "delivered")
    assert Shipment.objects.get(pk=parcel.pk).event_count == 8


@pytest.mark.parametrize("shape", ["nested", "nested_text"])
def test_by_asking_where_details_carry_no_status_at_all(sandbox, parcel, now, shape):
    sandbox.put("cainiao", shape=shape)
    sandbox.put(f"shipments/{NO}", provider="cainiao", carrier_code="YTO", scenario="normal", push=False)
    now.shift(HOURS["signed"] * 3600)
    ask(parcel)
    assert status(parcel) == (S.DELIVERED, "delivered")


@pytest.mark.parametrize("digest", ["base64-raw", "upper-hex"])
@pytest.mark.parametrize("form", ["link", "array"])
def test_by_pushes_of_the_newest_node(sandbox, settings, parcel, now, form, digest):
    settings.CAINIAO_PUSH_DIGEST = digest
    sandbox.put("cainiao", push_form=form, push_digest=digest)
    sandbox.put(f"shipments/{NO}", provider="cainiao", carrier_code="YTO", scenario="normal")
    seen = []
    for _ in range(HOURS["signed"]):
        now.shift(3600)
        sandbox.push()
        deliver("logistics.apply_message")
        seen += [status(parcel)[0]] if not seen or seen[-1] != status(parcel)[0] else []
    assert seen == [S.NO_TRACE, S.PICKED_UP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED][1:]
    assert status(parcel)[1] == "delivered"
    assert sandbox.pushed("cainiao") == [(200, "")] * 8


def test_a_forged_push_changes_nothing_and_its_faults_are_got_over(sandbox, parcel, now):
    for kind in ("forged", "duplicate", "reordered", "twice_encoded"):
        sandbox.fault("cainiao", kind)
    sandbox.put(f"shipments/{NO}", provider="cainiao", carrier_code="YTO", scenario="returned")
    for _ in range(52 * 2):
        now.shift(1800)
        sandbox.push()
        deliver("logistics.apply_message")
    assert status(parcel) == (S.RETURNED, "returned")
    assert {code for code, fault in sandbox.pushed("cainiao") if "forged" in fault} == {401}
    assert {code for code, fault in sandbox.pushed("cainiao") if "forged" not in fault} == {200}
    assert ProviderMessage.objects.count() == 11
