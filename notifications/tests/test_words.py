import pytest

from frozenshop.kernel.scrubbing import scrub
from logistics.models import Shipment
from notifications import situation, words
from notifications.models import Milestone, Notice
from notifications.tests.world import bought, notices, parcel, tell
from orders.tests.factories import line


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
    assert words.wrong_in(["{shop}：{order_no}", ""]) == []


def test_a_word_that_does_not_exist_is_named_with_those_that_do():
    [wrong] = words.wrong_in(["{shop}{phone}"])
    assert wrong.startswith("没有变量 {phone}：可用的是 {order_no}")


@pytest.mark.parametrize(
    "text",
    [
        *("{订单号}", "{Order_no}", "{order_no", "order_no}", "{{order_no}}", "{ order_no }"),
        *("${order_no}", "｛order_no｝", "{0}", "{lines!r}"),
    ],
)
def test_a_misspelt_word_is_refused_lest_buyers_read_braces(text):
    [wrong] = words.wrong_in([f"您的{text}"])
    assert wrong.startswith(f"“您的{text}”里的变量写法不对")


@pytest.mark.parametrize("milestone", [m for m in Milestone.values if m in words.HINTS])
def test_hints_fit_into_a_field_of_twenty_characters(milestone):
    assert 0 < len(words.HINTS[milestone]) <= 20
    assert scrub(words.HINTS[milestone]) == words.HINTS[milestone]


def test_an_order_without_a_consignee_has_no_name(post):
    tell(parcel(order := bought()), "exception")
    notice = Notice.objects.get(milestone="exception")
    order.__class__.objects.update(consignee_sealed="")
    assert words.of(notice, situation.load([notice])[notice.pk])["name"] == ""


def test_a_reason_that_nobody_named_is_said_to_be_unknown(post):
    tell(parcel(bought()), "exception")
    notice = Notice.objects.get(milestone="exception")
    said = words.of(notice, situation.load([notice])[notice.pk])
    assert words.fill("派送遇到问题：{reason}", said) == "派送遇到问题：原因不明"


def test_a_text_with_the_shops_number_warns_while_there_is_none(settings):
    settings.SHOP_PHONE = ""
    assert "SHOP_PHONE" in words.unset_in(["{order_no}", "请拨 {shop_phone}"])[0]
    assert not words.unset_in(["{order_no}"])
    settings.SHOP_PHONE = "4000000000"
    assert not words.unset_in(["{shop_phone}"])


def test_a_parcel_of_several_is_named_instead_of_all_the_goods(post):
    order = bought(lines=[line(sku="A"), line(sku="B")])
    first = parcel(order, waybill_no="SF1000000001111", lines={"A": 1})
    second = parcel(order, waybill_no="SF1000000002222")
    for shipment in (first, second):
        tell(shipment, "out_for_delivery")
    sent = notices("out_for_delivery", audience="buyer")
    told = [words.of(one, situation.load([one])[one.pk])["lines"] for one in sent]
    assert told == ["尾号1111的包裹（共2个）", "尾号2222的包裹（共2个）"]
    assert len(told[0]) <= 20
    Shipment.objects.filter(pk=second.pk).update(voided_at=second.shipped_at)
    assert words.of(sent[0], situation.load(sent)[sent[0].pk])["lines"] == order.lines_summary
