"""Arrival is an interval that admits its width and rests on something."""

import datetime as dt

import pytest

from frozenshop.kernel import clock
from logistics.eta import Eta, EtaBasis, before_shipping, first_told, is_delayed, look_again_at, predict, take
from logistics.learning import learnt
from logistics.learning.transit import Transit, scale_of
from logistics.models import Carrier, Shipment, TransitModel
from logistics.places import Distance, distance, province_of
from logistics.tests.factories import event, make_carrier, make_report, make_shipment
from logistics.tracking import record_events
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
MORNING = dt.datetime(2026, 11, 18, 1, tzinfo=dt.UTC)  # 09:00 in Shanghai


def eta(status="in_transit", *, origin="杭州市", cold="", status_at=MORNING, started_at=MORNING):
    shipment = Shipment(status=status, shipped_at=MORNING, status_at=status_at)
    return predict(
        shipment, Carrier(cold_chain=cold), province="上海市", city="上海市", origin=origin, started_at=started_at
    )


@pytest.mark.parametrize(
    ("origin", "province", "city", "expected"),
    [
        ("杭州市", "浙江省", "杭州市", Distance.SAME_CITY),
        ("【宁波市】", "浙江省", "杭州市", Distance.SAME_PROVINCE),
        ("杭州市", "上海市", "上海市", Distance.NEIGHBOURING),
        ("广州市", "北京市", "北京市", Distance.FAR),
        ("上海市浦东新区", "上海市", "上海市", Distance.SAME_CITY),
        ("杭州市", "新疆维吾尔自治区", "乌鲁木齐市", Distance.REMOTE),
        ("乌鲁木齐市", "新疆维吾尔自治区", "乌鲁木齐市", Distance.SAME_CITY),
        ("", "上海市", "上海市", Distance.UNKNOWN),
        ("某转运中心", "", "", Distance.UNKNOWN),
    ],
)
def test_distance_is_told_from_what_scans_say(origin, province, city, expected):
    assert distance(origin, province, city) is expected


def test_a_province_is_found_by_its_own_name_or_a_citys():
    assert [province_of(text) for text in ("吉林省长春市", "苏州市", "【广东省】", "?")] == [
        "吉林",
        "江苏",
        "广东",
        None,
    ]


@pytest.mark.parametrize("status", ["delivered", "returned", "returning", "cancelled", "awaiting_pickup"])
def test_nothing_is_predicted_of_what_has_arrived_or_turned_back(status):
    assert eta(status) is None


def test_a_default_admits_that_nothing_was_measured():
    predicted = eta()
    assert (predicted.basis, predicted.confidence) == (EtaBasis.DEFAULT, 0.5)
    assert predicted.latest - predicted.earliest > dt.timedelta(hours=24)


def test_farther_is_later():
    assert eta(origin="杭州市").latest < eta(origin="广州市").latest


def test_cold_chain_is_faster():
    assert eta(cold="dedicated").latest < eta().latest


def test_what_the_carrier_has_not_scanned_yet_may_take_a_day_longer():
    assert eta("no_trace", status_at=None, started_at=None).latest > eta().latest


def test_out_for_delivery_means_today():
    predicted = eta("out_for_delivery")
    assert predicted.basis is EtaBasis.STATUS
    assert clock.shanghai(predicted.latest) == dt.datetime(2026, 11, 18, 21, tzinfo=clock.SHANGHAI)


def test_sent_out_in_the_evening_means_tomorrow_at_the_latest():
    evening = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
    assert clock.shanghai(eta("out_for_delivery", status_at=evening).latest).day == 19


def test_a_problem_makes_the_prediction_weak():
    assert eta("exception").confidence < eta().confidence


@pytest.mark.parametrize("hour", range(24))
def test_doors_are_knocked_at_by_day(hour):
    predicted = eta(started_at=MORNING.replace(hour=hour))
    assert 8 <= clock.shanghai(predicted.earliest).hour <= 21
    assert clock.shanghai(predicted.latest).hour == 21
    assert predicted.earliest < predicted.latest


# --- learnt -----------------------------------------------------------------------------------------


def learn(**support):
    """Keep a model for which every parcel takes about two days, learnt from so many parcels of each group."""
    tables = Transit(mean=scale_of(2.0), spread=0.15).as_json()
    body = {"stages": dict.fromkeys(("shipped", "paid"), tables), "support": support, "origin": "浙江杭州"}
    TransitModel.objects.create(since_at=MORNING, until_at=MORNING, body=body)
    learnt.forget()


def shipment(**changes):
    given = {"carrier": make_carrier(), "status": "in_transit", "shipped_at": MORNING, "status_at": MORNING}
    return Shipment(**given | changes)


def told(parcel=None, *, after=dt.timedelta(), **changes):
    parcel = parcel or shipment(**changes)
    return predict(
        parcel,
        parcel.carrier,
        province="上海市",
        city="上海市",
        origin="杭州市",
        started_at=MORNING,
        now=MORNING + after,
    )


def test_what_was_learnt_is_told_with_its_basis_in_a_line():
    carrier = make_carrier()
    learn(**{f"{carrier.pk}|浙江杭州|上海": 214, "|浙江杭州|上海": 300, "||": 900})
    found = told()
    assert (found.basis, found.confidence) == (EtaBasis.LANE, 0.8)
    assert found.explanation == "杭州→上海 顺丰速运，214 件，近 60 天"
    assert found.earliest < found.likely < found.latest
    assert found.likely - MORNING == pytest.approx(dt.timedelta(days=2), abs=dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("support", "basis", "words"),
    [
        ({"|浙江杭州|上海": 50}, EtaBasis.LANE, "杭州→上海，50 件"),
        ({"|浙江杭州|上海": 5, "||上海": 40}, EtaBasis.DESTINATION, "到上海，40 件"),
        ({"||": 70}, EtaBasis.MERCHANT, "本店全部包裹，70 件"),
    ],
)
def test_a_thin_lane_is_told_by_what_stands_behind_it(support, basis, words):
    learn(**support)
    assert (told().basis, words in told().explanation) == (basis, True)


def test_silence_moves_the_prediction_and_the_odds():
    learn()
    found, later = told(), told(after=dt.timedelta(days=3))
    assert later.earliest >= MORNING + dt.timedelta(days=3)
    assert later.latest > found.latest
    promised_by = MORNING + dt.timedelta(days=2, hours=12)
    assert found.late(promised_by) < 0.4
    assert told(after=dt.timedelta(days=2, hours=6)).late(promised_by) > found.late(promised_by)
    assert later.late(promised_by) == 1
    assert found.late(None) is None


def test_the_default_guesses_at_the_odds():
    found = told()
    assert found.late(found.latest + dt.timedelta(days=9)) == 0.05
    assert found.late(found.earliest) == 0.75


def test_before_shipping_the_lane_is_enough():
    learn()
    order = make_order("paid", province="上海市", city="上海市")
    found = before_shipping(order, clock.now())
    assert found.basis is EtaBasis.MERCHANT
    assert found.earliest < found.likely < found.latest
    assert before_shipping(make_order("placed"), clock.now()) is None


def test_before_shipping_and_without_history_it_is_wide():
    found = before_shipping(make_order("paid"), clock.now())
    assert found.basis is EtaBasis.DEFAULT
    assert found.latest - found.earliest > dt.timedelta(days=1)


def test_the_provider_s_opinion_is_told_where_nothing_was_learnt():
    opinion = MORNING + dt.timedelta(days=2)
    found = told(provider_eta_at=opinion)
    assert (found.basis, found.likely) == (EtaBasis.PROVIDER, opinion)
    learn()
    assert told(provider_eta_at=opinion).basis is EtaBasis.MERCHANT


def test_a_delay_is_noticed_once_and_over_by_a_margin():
    learn()
    parcel, promised_by = shipment(), MORNING + dt.timedelta(days=2, hours=8)

    def delayed(after):
        take(parcel, told(parcel, after=dt.timedelta(hours=after)), promised_by, lambda: None)
        return parcel.delayed_since

    assert delayed(0) is None
    assert (first := delayed(54)) is not None
    assert delayed(60) == first
    take(parcel, told(parcel), promised_by + dt.timedelta(hours=2), lambda: None)
    assert parcel.delayed_since is None


def test_what_is_barely_better_is_no_recovery():
    found = Eta(MORNING, MORNING, 0.8, EtaBasis.LANE, odds=lambda instant: 0.55)
    assert not is_delayed(found, MORNING, lambda: None)
    assert is_delayed(found, MORNING, lambda: None, already=True)


def test_without_a_promise_a_delay_is_measured_by_what_was_first_told():
    def interval(hours):
        start = MORNING + dt.timedelta(hours=hours)
        return Eta(start, start + dt.timedelta(hours=24), 0.8, EtaBasis.LANE)

    assert not is_delayed(interval(24), None, lambda: interval(0))
    assert is_delayed(interval(31), None, lambda: interval(0))
    assert is_delayed(interval(20), None, lambda: interval(0), already=True)
    assert not is_delayed(interval(17), None, lambda: interval(0), already=True)


def test_what_was_to_arrive_before_it_was_registered_was_never_told():
    parcel = shipment(recorded_at=MORNING + dt.timedelta(days=60))
    assert first_told(parcel, Carrier(), province="上海市", city="上海市") is None
    parcel.recorded_at = MORNING
    assert first_told(parcel, Carrier(), province="上海市", city="上海市")


def test_what_hardly_knows_begins_no_delay_and_ends_none():
    weak = Eta(MORNING, MORNING, 0.5, EtaBasis.DEFAULT)
    assert [is_delayed(weak, MORNING, lambda: None, already=already) for already in (True, False)] == [True, False]


def test_arrival_ends_a_delay():
    parcel = shipment(status="delivered", delayed_since=MORNING)
    take(parcel, told(parcel), None, lambda: None)
    assert (parcel.delayed_since, parcel.eta_latest, parcel.late_probability) == (None, None, None)


def test_silence_alone_asks_for_another_look():
    parcel = shipment(eta_likely=MORNING + dt.timedelta(hours=40), eta_basis="lane")
    assert look_again_at(parcel, MORNING) == parcel.eta_likely
    assert look_again_at(parcel, parcel.eta_likely) == parcel.eta_likely + dt.timedelta(hours=3)
    assert look_again_at(shipment(eta_likely=MORNING, eta_basis="default"), MORNING) is None
    assert look_again_at(parcel, MORNING + dt.timedelta(days=40)) is None


def test_a_shipment_knows_its_lane_and_the_provider_s_opinion():
    parcel = make_shipment(make_order("paid"))
    assert parcel.orders.get().city in parcel.destination
    opinion = clock.now().replace(microsecond=0) + dt.timedelta(days=1)
    told_by = make_report(event("in_transit", location="杭州市"), arrival_at=opinion)
    parcel = record_events(parcel, told_by, provider="kuaidi100").shipment
    assert (parcel.origin, parcel.provider_eta_at, parcel.provider_eta_by) == ("杭州市", opinion, "kuaidi100")
