"""Which provider is asked, and what happens when it fails: played against the sandbox with faults."""

import datetime as dt
import itertools
import random

import pytest

from frozenshop.kernel import clock
from logistics import asking, breaker, cadence, polling, refreshing, refusals, turns
from logistics.models import ProviderCall, ProviderRefusal, ProviderState, Shipment, Subscription
from logistics.models import ShipmentStatus as S
from logistics.providers.base import ProviderError, ProviderReport
from logistics.tests.factories import event, make_carrier, make_report
from logistics.tests.sandboxed import deliver
from logistics.tests.tracked import queued, tracked
from logistics.tracking import record_events
from orders.models import Alert

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
NO = "YT0000000000001"
BOTH = ("kdniao", "kuaidi100")
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


def fresh(shipment: Shipment) -> Shipment:
    return Shipment.objects.select_related("carrier").get(pk=shipment.pk)


def sync(shipment: Shipment) -> polling.Synced:
    return polling.sync_now(fresh(shipment))


def outcomes(shipment: Shipment) -> list[tuple[str, str]]:
    calls = ProviderCall.objects.filter(waybill_no=shipment.waybill_no, operation="query").order_by("pk")
    return list(calls.values_list("provider", "outcome"))


@pytest.fixture
def moving(wire, frozen) -> Shipment:
    """A parcel that both services know, under way for a day."""
    wire.story(NO)
    shipment = wire.parcel(NO, "YTO", *BOTH, ago=0)
    frozen.shift(24 * HOUR)
    return shipment


# --- who is asked ---------------------------------------------------------------------------------


def test_the_carriers_order_is_followed_by_those_that_can_tell(wire):
    assert asking.providers_of(wire.carrier("YTO")) == ["kdniao", "kuaidi100"]
    assert asking.providers_of(wire.carrier("YTO", "kuaidi100", "sf", "kdniao")) == ["kuaidi100", "kdniao"]
    assert asking.providers_of(wire.carrier("YTO", "kuaidi100")) == ["kuaidi100"]
    assert asking.providers_of(make_carrier("OWN", kdniao_code="")) == []


def test_one_that_answers_is_enough(moving, wire):
    assert sync(moving).answered
    assert wire.asked == ["kdniao"]


# --- one fails ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["http_5xx", "bad_json", "cut"])
def test_when_one_fails_the_next_is_asked_at_once(moving, wire, kind):
    wire.fault("kdniao", kind)
    assert sync(moving).answered
    assert outcomes(moving) == [("kdniao", "failed"), ("kuaidi100", "ok")]
    assert fresh(moving).status == S.IN_TRANSIT


def test_a_refused_account_hands_over_and_a_person_is_told(moving, wire, settings):
    settings.KDNIAO_API_KEY = "wrong"
    assert sync(moving).answered
    assert outcomes(moving) == [("kdniao", "refused"), ("kuaidi100", "ok")]
    assert Alert.objects.get(kind="provider_trouble").subject == "provider:kdniao"


def test_behind_an_open_breaker_nobody_waits(wire, frozen):
    parcels = [wire.parcel(f"YT000000000000{n}", "YTO", *BOTH, ago=1) for n in range(8)]
    wire.fault("kdniao")
    for parcel in parcels:
        wire.story(parcel.waybill_no)
    frozen.shift(HOUR)
    assert all(sync(parcel).answered for parcel in parcels)
    assert (wire.asked.count("kdniao"), wire.asked.count("kuaidi100")) == (breaker.THRESHOLD, len(parcels))


def test_after_the_pause_the_first_choice_is_tried_and_comes_back(moving, wire, frozen):
    breaker.state_of("kdniao")
    ProviderState.objects.filter(provider="kdniao").update(failures=5, open_until=clock.now() + MINUTE)
    sync(moving)
    frozen.shift(cadence.FLOOR)
    sync(moving)
    assert outcomes(moving) == [("kuaidi100", "ok"), ("kdniao", "ok")]
    assert breaker.state_of("kdniao").open_until is None


def test_a_budget_that_is_used_up_hands_over(moving, wire):
    breaker.state_of("kdniao")
    ProviderState.objects.filter(provider="kdniao").update(daily_budget=0)
    assert sync(moving).answered
    assert wire.asked == ["kuaidi100"]


def test_a_full_second_does_not_hand_over_to_a_dearer_one(moving, wire):
    breaker.state_of("kdniao")
    ProviderState.objects.filter(provider="kdniao").update(calls_per_minute=1)
    asking.admit("kdniao", "query", "OTHER")
    assert sync(moving).reason == "查询过密"
    assert (wire.asked, fresh(moving).checked_at) == ([], None)


def test_a_refused_plan_is_asked_about_once_a_day_and_not_for_each_parcel(wire, frozen):
    wire.world.own(kdniao_manners()).plans = frozenset()
    parcels = [wire.parcel(f"YT000000000000{n}", "YTO", *BOTH, ago=1) for n in range(4)]
    for parcel in parcels:
        wire.story(parcel.waybill_no)
    frozen.shift(HOUR)
    assert all(sync(parcel).answered for parcel in parcels)
    assert (wire.asked.count("kdniao"), wire.asked.count("kuaidi100")) == (1, 4)
    assert Alert.objects.get(kind="provider_trouble").subject == "provider:kdniao:YTO"
    frozen.shift(refusals.PAUSE)
    assert all(sync(parcel).answered for parcel in parcels)
    assert wire.asked.count("kdniao") == 2


def test_a_refused_plan_says_nothing_of_other_carriers(wire, frozen):
    refusals.note("kdniao", wire.carrier("YTO"), "没有可用套餐")
    sync(wire.parcel("ST0000000000001", "STO", *BOTH, ago=1))
    assert wire.asked == ["kdniao"]


def test_a_mended_plan_is_found_out_by_one_question(moving, wire, frozen):
    refusals.note("kdniao", moving.carrier, "没有可用套餐")
    frozen.shift(refusals.PAUSE)
    sync(moving)
    assert outcomes(moving) == [("kdniao", "ok")]
    assert not ProviderRefusal.objects.exists()


# --- all fail, and the floor ----------------------------------------------------------------------


def test_when_all_fail_each_was_asked_once_and_the_floor_holds(moving, wire, frozen):
    for service in BOTH:
        wire.fault(service)
    synced = sync(moving)
    assert not synced.answered
    assert synced.reason.startswith("kdniao：")
    frozen.shift(cadence.FLOOR - MINUTE)
    assert sync(moving).reason == "30 分钟内已查询过"
    assert wire.asked == ["kdniao", "kuaidi100"]
    assert fresh(moving).next_poll_at > clock.now()


def test_the_floor_is_of_the_waybill_whoever_answered(moving, wire, frozen):
    wire.fault("kdniao")
    sync(moving)
    wire.world.faults.clear()
    frozen.shift(cadence.FLOOR - MINUTE)
    assert not sync(moving).answered
    frozen.shift(MINUTE)
    assert sync(moving).answered


def test_when_nobody_may_be_asked_the_floor_is_not_used_up(moving, wire, frozen):
    for name, minutes in (("kdniao", 20), ("kuaidi100", 5)):
        breaker.state_of(name)
        ProviderState.objects.filter(provider=name).update(open_until=clock.now() + minutes * MINUTE, failures=5)
    sync(moving)
    assert (wire.asked, fresh(moving).checked_at) == ([], None)
    late = fresh(moving).next_poll_at - clock.now() - 5 * MINUTE
    assert dt.timedelta(0) <= late <= dt.timedelta(seconds=polling.SPREAD_SECONDS)


def test_the_buyers_refresh_goes_past_an_open_breaker_too(moving, wire):
    breaker.state_of("kdniao")
    ProviderState.objects.filter(provider="kdniao").update(open_until=clock.now() + HOUR, failures=5)
    assert refreshing.refresh_now(moving.orders.get()).refreshed
    assert wire.asked == ["kuaidi100"]


# --- no trace where another knows it --------------------------------------------------------------


def test_who_knows_a_parcel_is_asked_once_the_first_has_been_silent_too_long(wire, frozen):
    wire.story(NO, known_by=["kuaidi100"])
    shipment = wire.parcel(NO, "YTO", *BOTH, ago=0)
    frozen.shift(HOUR)
    sync(shipment)
    frozen.shift(turns.NO_TRACE_PATIENCE)
    sync(shipment)
    assert wire.asked == ["kdniao", "kuaidi100"]
    assert fresh(shipment).status != S.NO_TRACE
    frozen.shift(HOUR)
    sync(shipment)
    assert wire.asked[2:] == ["kuaidi100"], "who has traces is preferred from then on"


def test_who_only_failed_may_know_it_too(moving, wire, frozen):
    wire.fault("kdniao")
    sync(moving)
    wire.world.faults.clear()
    frozen.shift(HOUR)
    sync(moving)
    assert outcomes(moving)[-1] == ("kdniao", "ok")


def test_while_nobody_knows_anything_turns_alternate(wire, frozen):
    shipment = wire.parcel(NO, "YTO", *BOTH, ago=12)
    for _ in range(4):
        sync(shipment)
        frozen.shift(HOUR)
    assert wire.asked == ["kdniao", "kuaidi100"] * 2


def test_who_fell_behind_goes_after_who_did_not(wire):
    shipment = wire.parcel(NO, "YTO", *BOTH, ago=48)
    tell(shipment, "kdniao", event("in_transit", clock.now() - 20 * HOUR))
    assert turns.turn_of(fresh(shipment)) == ["kdniao", "kuaidi100"]
    tell(shipment, "kuaidi100", event("in_transit", clock.now() - HOUR))
    assert turns.turn_of(fresh(shipment)) == ["kuaidi100", "kdniao"]
    tell(shipment, "kdniao", event("in_transit", clock.now() - 2 * HOUR))
    assert turns.turn_of(fresh(shipment)) == ["kdniao", "kuaidi100"]


def test_a_scan_from_the_future_makes_nobody_fall_behind(wire):
    shipment = wire.parcel(NO, "YTO", *BOTH, ago=48)
    tell(shipment, "kdniao", event("in_transit", clock.now() - HOUR))
    tell(shipment, "kuaidi100", event("in_transit", clock.now() + 99 * HOUR))
    assert turns.turn_of(fresh(shipment))[0] == "kdniao"


# --- another source moves nothing back ------------------------------------------------------------


def tell(shipment: Shipment, provider: str, *scans) -> Shipment:
    return record_events(shipment, make_report(*scans), provider=provider).shipment


def test_a_source_that_knows_less_moves_nothing_back():
    shipment = tracked(ago=48)
    early, late = event("in_transit", clock.now() - 20 * HOUR), event("out_for_delivery", clock.now() - HOUR)
    tell(shipment, "kdniao", early, late)
    assert tell(shipment, "kuaidi100", early).status == S.OUT_FOR_DELIVERY
    assert record_events(shipment, ProviderReport("", "", found=False), provider="sf").shipment.status == late.status


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 10))])
def test_who_told_what_in_which_order_does_not_matter(seed):
    rng = random.Random(seed)
    steps = ["picked_up", "in_transit", "in_transit", "out_for_delivery", "delivery_failed", "delivered"]
    story = [event(step, clock.now() - (24 - 3 * n) * HOUR, text=f"第 {n} 站") for n, step in enumerate(steps)]
    ends = set()
    for n in range(3):
        shipment = tracked(f"SF000000000000{n}", ago=48)
        told = [(name, scan) for name, scan in itertools.product(("kdniao", "sf", "kuaidi100"), story)]
        rng.shuffle(told)
        for name, scan in told:
            tell(shipment, name, scan)
        end = fresh(shipment)
        ends.add((end.status, end.status_at, end.picked_up_at, end.delivered_at, end.last_event_at))
    assert len(ends) == 1
    assert next(iter(ends))[0] == S.DELIVERED


# --- subscribing ----------------------------------------------------------------------------------


def subscribed(shipment: Shipment) -> list[str]:
    return list(Subscription.objects.filter(shipment=shipment).values_list("provider", flat=True))


def test_the_first_that_takes_a_subscription_pushes(moving, wire):
    deliver("logistics.subscribe")
    assert (subscribed(moving), fresh(moving).subscribed_at) == (["kdniao"], clock.now())


def test_the_next_pushes_if_the_first_refuses(moving, wire):
    wire.world.own(kdniao_manners()).plans = frozenset({"8001"})
    deliver("logistics.subscribe")
    assert subscribed(moving) == ["kuaidi100"]
    assert Alert.objects.get(kind="provider_trouble").subject == "provider:kdniao:YTO"
    assert not ProviderRefusal.objects.exists(), "a plan without pushes may well answer"


def test_the_next_pushes_while_the_firsts_breaker_is_open(moving, wire):
    breaker.state_of("kdniao")
    ProviderState.objects.filter(provider="kdniao").update(open_until=clock.now() + HOUR, failures=5)
    deliver("logistics.subscribe")
    assert subscribed(moving) == ["kuaidi100"]


@pytest.mark.parametrize("way", ["subscribe", "query"])
def test_what_one_has_against_a_parcel_is_no_trouble_where_another_hasnt(moving, monkeypatch, way):
    def refuse(*args, **options):
        raise ProviderError("手机尾号不能为空", permanent=True)

    monkeypatch.setattr("logistics.providers.kdniao.subscribe", refuse)
    monkeypatch.setattr("logistics.providers.kdniao.query", refuse)
    deliver("logistics.subscribe") if way == "subscribe" else sync(moving)
    assert not Alert.objects.filter(kind="provider_trouble").exists()
    assert ProviderCall.objects.filter(provider="kuaidi100", outcome="ok").exists()


def test_a_failure_of_both_is_tried_again(moving, wire):
    for service in BOTH:
        wire.fault(service)
    deliver("logistics.subscribe")
    (row,) = queued("logistics.subscribe")
    assert (row.status, row.attempts, subscribed(moving)) == ("pending", 1, [])


def test_an_aborted_subscription_is_polled_on_and_asked_for_again(wire, frozen):
    wire.story(NO, provider="kuaidi100", scenario="no_trace")
    shipment = wire.parcel(NO, "YTO", "kuaidi100", ago=0)
    deliver("logistics.subscribe")
    aborted = clock.now() + dt.timedelta(days=3)
    while not Subscription.objects.exclude(ended_at=None).exists():
        frozen.shift(HOUR)
        wire.sandbox.pusher.tick()
        deliver("logistics.apply_message")
        assert clock.now() < aborted + 6 * HOUR, "the sandbox aborts after three days"
    assert (fresh(shipment).subscribed_at, cadence.is_over(fresh(shipment))) == (None, False)
    assert fresh(shipment).next_poll_at is not None
    frozen.shift(31 * MINUTE)
    deliver("logistics.subscribe")
    assert Subscription.objects.filter(ended_at=None).count() == 1


def kdniao_manners():
    from sandbox.kdniao import Manners

    return Manners
