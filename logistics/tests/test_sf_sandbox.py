"""顺丰 from end to end: our side and the stand-in, over the wire."""

import pytest
from django.db import DatabaseError

from logistics import messages, tracking
from logistics.models import Provider, ProviderMessage, Shipment, TrackingEvent
from logistics.providers import sf
from logistics.providers.base import ProviderError, Question
from logistics.tests.factories import make_shipment
from logistics.tests.sandbox_server import served

CHECKWORD, SECRET = "demoCheckWord0001", "0f1e2d3c4b5a69788796a5b4c3d2e19a"
WAYBILL = "SF0000000000001"
SCENARIOS = ["normal", "locker", "problem_then_signed", "returned", "cold_weather"]


@pytest.fixture
def sandbox(settings, frozen):
    settings.SF_PARTNER_ID, settings.SF_CHECKWORD, settings.SF_CALLBACK_SECRETS = "DEMO", CHECKWORD, SECRET
    with served(sf_partner_id="DEMO", sf_checkword=CHECKWORD, sf_callback_secret=SECRET) as found:
        settings.SF_BASE_URL = found.url
        yield found


def parcel(sandbox, number=WAYBILL, **asked):
    sandbox.put(f"shipments/{number}", **{"provider": "sf", "carrier_code": "SF", "scenario": "normal"} | asked)


def apply_all():
    for message in ProviderMessage.objects.filter(outcome=ProviderMessage.Outcome.RECEIVED).order_by("?"):
        messages.apply_message(message)


def play(sandbox, frozen, *, hours):
    for _ in range(hours // 4):
        frozen.shift(4 * 3600)
        sandbox.push()


def test_ten_waybills_are_answered_in_one_call(sandbox, frozen):
    numbers = [f"SF{n:013}" for n in range(10)]
    for n, number in enumerate(numbers[:9]):
        parcel(sandbox, number, phone_tail=f"000{n}")
    frozen.shift(99 * 3600)
    tails = [f"000{n}" for n in range(8)] + ["9999", ""]
    found = sf.query_many([Question("SF", no, tail) for no, tail in zip(numbers, tails, strict=True)])
    assert [found[number].found for number in numbers] == [True] * 8 + [False, False]
    assert len(sandbox.world.calls.find("sf")) == 1


def test_a_wrong_checkword_stops_all_questions(sandbox, settings):
    settings.SF_CHECKWORD = "another"
    with pytest.raises(ProviderError, match="A1006"):
        sf.query(Question("SF", WAYBILL))


def test_registering_is_taken(sandbox):
    parcel(sandbox)
    sf.subscribe(Question("SF", WAYBILL))
    assert sandbox.world.shipments[WAYBILL].subscription == sf.REGISTER


@pytest.mark.django_db
@pytest.mark.parametrize("xml", [False, True])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pushes_amount_to_what_an_answer_says(sandbox, frozen, scenario, xml):
    sandbox.put("sf", xml=xml)
    parcel(sandbox, scenario=scenario)
    shipment = make_shipment(waybill_no=WAYBILL)
    play(sandbox, frozen, hours=120)
    apply_all()
    pushed = Shipment.objects.get(pk=shipment.pk)
    assert {status for status, _ in sandbox.pushed("sf")} == {200}
    told = sandbox.world.shipments[WAYBILL].story
    assert pushed.event_count == TrackingEvent.objects.filter(shipment=pushed).count() == len(told)
    asked = tracking.record_events(pushed, sf.query(Question("SF", WAYBILL)), provider=Provider.SF)
    assert (asked.new_events, asked.shipment.status) == (0, pushed.status)


@pytest.mark.django_db
def test_a_push_that_could_not_be_kept_comes_again(sandbox, frozen, monkeypatch):
    parcel(sandbox)
    shipment = make_shipment(waybill_no=WAYBILL)
    with monkeypatch.context() as down:
        down.setattr(messages, "keep_push", broken)
        frozen.shift(2 * 3600)
        sandbox.push()
    assert ProviderMessage.objects.count() == 0
    frozen.shift(120)
    sandbox.push()
    apply_all()
    assert Shipment.objects.get(pk=shipment.pk).event_count == 1


def broken(provider, body):
    raise DatabaseError("down")
