import pytest

from frozenshop.kernel.scrubbing import scrub
from logistics.models import Shipment
from notifications import situation, words
from notifications.models import Milestone, Notice
from notifications.tests.world import bought, parcel, tell


@pytest.fixture
def said(post):
    order = bought(name="李四光", phone="13900001111")
    shipment = tell(parcel(order), "exception", location="上海市")
    Shipment.objects.filter(pk=shipment.pk).update(reason="damaged", eta_likely=shipment.shipped_at)
    notice = Notice.objects.get(milestone="exception")
    return words.of(notice, situation.load([notice])[notice.pk]), order, shipment


def test_every_word_is_known_and_said(said):
    assert set(said[0]) == set(words.WORDS) == set(words.sample("shipped"))


def test_words_are_the_orders_and_its_parcels(said):
    told, order, shipment = said
    assert told["order_no"] == order.order_no
    assert told["status"] == "问题件"
    assert (told["carrier"], told["waybill_tail"]) == ("顺丰速运", shipment.waybill_no[-4:])
    assert (told["reason"], told["location"], told["lines"]) == ("破损", "上海市", "虾仁×2")
    assert told["eta"] == "2026年11月22日 11:30"
    assert told["time"] == "2026年11月22日 12:00"


def test_no_word_shows_a_person(said):
    assert said[0]["name"] == "李*"
    everything = "".join(said[0].values())
    assert "四光" not in everything
    assert "13900001111" not in everything
    assert "世纪大道" not in everything


def test_words_are_put_into_texts():
    assert words.fill("{shop}：{order_no}{nonsense}", {"shop": "小店", "order_no": "A1"}) == "小店：A1"
    assert words.unknown_in("{shop}{phone}{Order}") == ["phone"]


@pytest.mark.parametrize("milestone", [m for m in Milestone.values if m in words.HINTS])
def test_hints_fit_into_a_field_of_twenty_characters(milestone):
    assert 0 < len(words.HINTS[milestone]) <= 20
    assert scrub(words.HINTS[milestone]) == words.HINTS[milestone]


def test_an_order_without_a_consignee_has_no_name(post):
    tell(parcel(order := bought()), "exception")
    notice = Notice.objects.get(milestone="exception")
    order.__class__.objects.update(consignee_sealed="")
    assert words.of(notice, situation.load([notice])[notice.pk])["name"] == ""
