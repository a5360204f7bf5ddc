"""One scan in two wordings shows once; two scans show twice; and the order of arrival decides nothing."""

import csv
import datetime as dt
import hashlib
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frozenshop.kernel import clock
from logistics import document, merging, tracking
from logistics.models import Provider, Shipment, TrackingEvent
from logistics.tests.factories import event, make_report, make_shipment

FIXTURES = Path(__file__).parent / "fixtures"
NOON = dt.datetime(2026, 11, 22, 4, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Told:
    provider: str
    status: str
    text: str
    occurred_at: dt.datetime = NOON
    location: str = ""
    code: str = ""
    overall: bool = False

    @property
    def key(self) -> str:
        return hashlib.sha256(
            repr((self.provider, self.status, self.text, self.occurred_at, self.code)).encode()
        ).hexdigest()


def shown(*told: Told) -> list[Told]:
    gone = merging.repeats(told)
    return [one for one in told if one.key not in gone]


def arrived(provider: str, text: str = "快件到达【上海浦东中心】", **fields) -> Told:
    return Told(provider, fields.pop("status", "in_transit"), text, **fields)


# --- which one is shown ---------------------------------------------------------------------------


def test_the_same_scan_told_by_two_providers_shows_once():
    told = arrived("kdniao"), arrived("kuaidi100", "【上海市】 快件已经到达 【上海浦东中心】")
    assert shown(*told) == [told[0]]


def test_one_with_a_known_status_is_shown_before_one_without():
    told = arrived("kdniao", status="unknown"), arrived("sf", code="31")
    assert shown(*told) == [told[1]]


def test_one_with_a_code_is_shown_before_one_without():
    told = arrived("kdniao"), arrived("sf", code="31")
    assert shown(*told) == [told[1]]


def test_else_the_first_provider_is_shown():
    told = [arrived(provider.value) for provider in reversed(Provider)]
    assert [one.provider for one in shown(*told)] == ["kdniao"]


def test_two_scans_of_one_provider_are_never_one():
    assert len(shown(arrived("sf"), arrived("sf", occurred_at=NOON + SECOND))) == 2


def test_a_scan_told_without_and_with_a_code_by_one_provider_is_one():
    told = arrived("kdniao", status="unknown"), arrived("kdniao", code="204")
    assert shown(*told) == [told[1]]


def pushed(text: str, **fields) -> Told:
    return Told("cainiao", "out_for_delivery", text, code="DELIVERING", **fields)


def answered(text: str, **fields) -> Told:
    return Told("cainiao", fields.pop("status", "in_transit"), text, **fields)


@pytest.mark.parametrize(
    ("push", "answer", "apart"),
    [
        ("【上海市】快件正在派送中", "【上海市】快件正在派送中", 0.377),  # epoch milliseconds beside a wall clock
        ("【上海市】快件正在派送中", "【上海市】 快件正在派送中。", 0),
        ("【上海市】快件正在派送中", "【上海市】快件正在派送中", 37),  # cut to the minute
        ("派送中", "【上海市】快递员王师傅正在为您派送中", 0),  # a push without a sentence tells the status's name
    ],
)
def test_what_is_pushed_with_a_code_and_answered_without_is_one(push, answer, apart):
    told = answered(answer, status="out_for_delivery"), pushed(push, occurred_at=NOON + apart * SECOND)
    assert shown(*told) == [told[1]]


def test_a_code_that_is_unknown_says_less_than_its_sentence():
    told = answered("快件正在派送中", status="out_for_delivery"), replace(pushed("快件正在派送中"), status="unknown")
    assert shown(*told) == [told[0]]


def test_each_pushed_scan_stands_for_one_answered_scan_alone():
    again = answered("快件正在派送中", occurred_at=NOON + 20 * SECOND)
    told = answered("快件正在派送中"), again, pushed("快件正在派送中", occurred_at=NOON + 0.5 * SECOND)
    assert shown(*told) == list(told[1:])


def test_other_words_with_and_without_a_code_of_one_provider_stay_two():
    arrival, departure = "快件到达【杭州中转部】", "快件离开【杭州中转部】，发往【深圳中心】"
    assert len(shown(answered(arrival), Told("cainiao", "in_transit", departure, code="TRANSPORT"))) == 2
    later = pushed("快件正在派送中", occurred_at=NOON + 61 * SECOND)
    assert len(shown(answered("快件正在派送中"), later)) == 2


def test_of_two_codes_the_more_exact_one_is_shown():
    sentence = "【上海市】快件由王师傅正在派送，请保持电话畅通"
    coarse = Told("kdniao", "in_transit", sentence, NOON + 37 * SECOND, code="2")
    exact = Told("kuaidi100", "out_for_delivery", sentence, code="501")
    assert shown(coarse, exact) == [exact]


def test_each_scan_of_one_provider_finds_its_own_of_the_other():
    texts = "快件到达【杭州中转部】", "快件离开【杭州中转部】，发往【深圳中心】"
    told = [Told(provider, "in_transit", text) for provider in ("kdniao", "sf") for text in texts]
    assert shown(*told) == told[:2]


def test_a_minute_apart_is_too_far_but_rounding_to_the_minute_is_not():
    apart = [arrived("kdniao"), arrived("sf", occurred_at=NOON + 61 * SECOND)]
    rounded = [arrived("kdniao"), arrived("sf", occurred_at=NOON + 59 * SECOND)]
    assert (len(shown(*apart)), len(shown(*rounded))) == (2, 1)


def test_an_overall_state_is_no_scan_to_compare():
    assert len(shown(arrived("kdniao"), replace(arrived("sf"), overall=True))) == 2


# --- how well: crafted pairs, real sentences, real journeys -----------------------------------------


@dataclass
class Score:
    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)


def crafted() -> Iterable[tuple[bool, Told, Told]]:
    with (FIXTURES / "same_scan.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            later = NOON + int(row["apart_seconds"]) * SECOND
            first = Told("kdniao", row["first_status"], row["first"], NOON, row["first_place"])
            yield (
                row["same"] == "yes",
                first,
                Told("kuaidi100", row["second_status"], row["second"], later, row["second_place"]),
            )


def test_crafted_pairs():
    score = Score()
    for same, one, other in crafted():
        merged = bool(merging.repeats([one, other]))
        score.right += same and merged
        score.wrong += merged and not same
        score.missed += same and not merged
    assert (score.precision, score.recall) >= (0.96, 0.96)


STATUS = {
    "揽收": "picked_up",
    "在途": "in_transit",
    "到达": "in_transit",
    "派送": "out_for_delivery",
    "签收": "delivered",
    "代收": "awaiting_pickup",
    "问题件": "exception",
    "退回": "returning",
    "清关": "customs",
}


def real_sentences() -> dict[str, list[tuple[str, str]]]:
    """Return (text, status) as carriers wrote them, by carrier."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in ("development.csv", "held_out.csv"):
        with (FIXTURES / "texts" / name).open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["kind"] == "real":
                    found.setdefault(row["carrier"], []).append((row["text"], STATUS[row["status"]]))
    return found


def reworded(text: str, rng: random.Random) -> str:
    """Tell a scan as another service tells it: other brackets, no city in front, numbers hidden, courtesies cut."""
    changes = (
        (r"^[\[【][^\]】]{2,4}(?:市|港)?[\]】]\s*", ""),
        (r"[【】\[\]]", rng.choice(("", " "))),
        (r"\d{5,7}(?=\d{4})", "***"),
        (r"(?:感谢|如有疑问|期待|投诉电话).*$", ""),
        (r"^快件", rng.choice(("快件", "您的快件", ""))),
        (r"(?<=到达) | (?=到达)|已经", ""),
        (r"派送业务员|派件人", "派件员"),
    )
    for pattern, instead in changes:
        text = re.sub(pattern, instead, text) or text
    return text


def measured(*, crowded: bool, seed: int = 7) -> Score:
    """Let two providers tell journeys made of real sentences, the second one four of five scans, and compare all pairs.

    `crowded`: all scans of a journey within seconds of each other, as never happens; else minutes to hours apart.
    """
    rng, score = random.Random(seed), Score()
    for _ in range(40):
        for sentences in real_sentences().values():
            at, truth, told = NOON, {}, []
            for text, status in rng.sample(sentences, min(len(sentences), 6)):
                at += (rng.randint(5, 50) if crowded else rng.choice((40, 200, 900, 8000))) * SECOND
                told.append(Told("kdniao", status, text, at, code="1"))
                if rng.random() < 0.8:
                    cut = at.replace(second=0) if rng.random() < 0.3 else at
                    other = Told("kuaidi100", rng.choice((status, "unknown")), reworded(text, rng), cut)
                    truth[other.key] = told[-1].key
                    told.append(other)
            compare(told, truth, score)
    return score


def compare(told: list[Told], truth: dict[str, str], score: Score) -> None:
    """Read from the shown scans which pairs were joined: all but one of each pair of providers are gone."""
    groups = merging._joined(sorted(told, key=merging._when))
    joined = {frozenset((one.key, other.key)) for group in groups for one, other in combinations(group, 2)}
    wanted = {frozenset(pair) for pair in truth.items()}
    score.right += len(joined & wanted)
    score.wrong += len(joined - wanted)
    score.missed += len(wanted - joined)


@pytest.mark.parametrize(("crowded", "precision", "recall"), [(False, 0.99, 0.97), (True, 0.95, 0.94)])
def test_real_sentences_told_by_two_providers(crowded, precision, recall):
    score = measured(crowded=crowded)
    assert score.precision >= precision
    assert score.recall >= recall


def real_journeys() -> Iterable[list[tuple[str, str]]]:
    """Return (time, text) of journeys that providers told in one answer."""
    shunfeng = json.loads((FIXTURES / "kuaidi100_query_ok_shunfeng_no_resultv2.json").read_text())
    shentong = json.loads((FIXTURES / "kuaidi100_query_ok_shentong.json").read_text())
    for payload in (shunfeng, shentong):
        yield [(row["time"], row["context"]) for row in payload["response"]["data"]]
    routes = json.loads((FIXTURES / "sf_opcode_sequence.json").read_text())["routes"]
    yield [(row["scanDateTime"], row["remark"]) for row in routes]


def as_told(rows: Iterable[tuple[str, str]], provider: str, rng: random.Random | None = None) -> list[Told]:
    return [
        Told(provider, "unknown", reworded(text, rng) if rng else text, dt.datetime.fromisoformat(f"{at}+08:00"))
        for at, text in rows
    ]


@pytest.mark.parametrize("journey", list(real_journeys()))
def test_a_real_journey_told_twice_shows_once(journey):
    told = as_told(journey, "sf"), as_told(journey, "kuaidi100", random.Random(1))
    assert len(shown(*told[0], *told[1])) == len(journey)


@pytest.mark.parametrize("journey", list(real_journeys()))
def test_of_a_real_journey_of_which_each_told_every_other_scan_all_are_shown(journey):
    assert len(shown(*as_told(journey[::2], "sf"), *as_told(journey[1::2], "kuaidi100"))) == len(journey)


# --- a function of the set --------------------------------------------------------------------------

SCANS = st.builds(
    Told,
    provider=st.sampled_from(["kdniao", "cainiao", "kuaidi100", "sf"]),
    status=st.sampled_from(["in_transit", "out_for_delivery", "delivered", "unknown"]),
    text=st.sampled_from(
        ["快件到达【杭州】", "到达 杭州", "快件离开【杭州】发往【上海】", "已发车", "派件中", "已签收", ""]
    ),
    occurred_at=st.integers(0, 150).map(lambda seconds: NOON + seconds * SECOND),
    code=st.sampled_from(["", "1"]),
)


@given(st.lists(SCANS, max_size=12), st.randoms())
def test_the_order_of_arrival_and_repetition_do_not_matter(told, rng):
    again = told + rng.sample(told, len(told) // 2)
    rng.shuffle(again)
    assert merging.repeats(again) == merging.repeats(told)


@given(st.lists(SCANS, max_size=12))
def test_what_one_provider_told_with_codes_is_all_kept_or_stands_for_another(told):
    scans = {one.key: one for one in told if one.code}.values()
    for provider in ("kdniao", "sf"):
        own = [one for one in scans if one.provider == provider]
        assert not merging.repeats(own)
        assert len(own) <= len(shown(*scans))


# --- in the database --------------------------------------------------------------------------------


def record(shipment: Shipment, provider: str, text: str, status: str = "in_transit", **fields) -> Shipment:
    told = event(status, clock.now().replace(microsecond=0), text=text, **fields)
    return tracking.record_events(shipment, make_report(told), provider=provider).shipment


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_all_rows_are_kept_and_one_is_counted_and_shown():
    shipment = make_shipment()
    record(shipment, "kuaidi100", "您的快件到达上海浦东中心", "unknown", code="")
    before = shipment.orders.get().version
    shipment = record(shipment, "kdniao", "【上海市】 快件已经到达 【上海浦东中心】")
    order = shipment.orders.get()
    (parcel,) = document.build(order)["shipments"]
    assert (TrackingEvent.objects.count(), shipment.event_count) == (2, 1)
    assert [told["description"] for told in parcel["events"]] == ["【上海市】 快件已经到达 【上海浦东中心】"]
    assert order.version > before


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_the_coarser_word_of_another_provider_moves_no_status_back():
    sentence, minute = "【上海市】快件由王师傅正在派送，请保持电话畅通", clock.now().replace(second=0, microsecond=0)
    for coarse_first in (True, False):
        shipment, told = make_shipment(), []
        told.append(("kdniao", event("in_transit", minute, text=sentence, code="2")))
        told.append(("kuaidi100", event("out_for_delivery", minute - 37 * SECOND, text=sentence, code="501")))
        for provider, scan in told if coarse_first else reversed(told):
            shipment = tracking.record_events(shipment, make_report(scan), provider=provider).shipment
        assert (shipment.status, shipment.event_count) == ("out_for_delivery", 1)


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_why_it_stands_still_is_not_forgotten_for_another_who_tells_the_same_scan():
    shipment = make_shipment()
    record(shipment, "kdniao", "快件因分拣错误，正在转往正确的中心", reason="missorted")
    minute = clock.now().replace(second=0, microsecond=0)
    scan = event("in_transit", minute + 59 * SECOND, text="快件因分拣错误，正在转往正确的中心")
    shipment = tracking.record_events(shipment, make_report(scan), provider="sf").shipment
    assert (shipment.reason, shipment.event_count) == ("missorted", 1)


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_a_scan_of_cainiao_pushed_and_answered_shows_once():
    shipment, sentence = make_shipment(), "【上海市】快件由王师傅正在派送，请保持电话畅通"
    at = clock.now().replace(microsecond=0)
    for scan in (
        event("unknown", at, text=sentence, code=""),
        event("out_for_delivery", at + dt.timedelta(milliseconds=377), text=sentence, code="DELIVERING"),
    ):
        shipment = tracking.record_events(shipment, make_report(scan), provider="cainiao").shipment
    (parcel,) = document.build(shipment.orders.get())["shipments"]
    assert (len(parcel["events"]), shipment.event_count, shipment.status) == (1, 1, "out_for_delivery")


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
def test_a_repeat_still_counts_as_evidence():
    shipment = make_shipment()
    record(shipment, "kdniao", "快件已由长河店代收，请及时取件")
    shipment = record(shipment, "sf", "快件已由长河店代收，请及时取件", "awaiting_pickup")
    assert (shipment.status, shipment.event_count) == ("awaiting_pickup", 1)
