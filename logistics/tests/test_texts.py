"""Reading carriers' sentences: the held-out part, crafted wordings, and what is never guessed."""

import csv
import time
from pathlib import Path

import pytest

from logistics import texts
from logistics.tests.split_texts import split
from logistics.texts import learned
from logistics.texts.cleaning import clean
from logistics.texts.labels import Score, statuses

FIXTURES = Path(__file__).parent / "fixtures" / "texts"
CRAFTED = ("crafted", "crafted_unseen", "crafted_terse")
MANNERS = ("manner", "manner_unseen", "manner_later")
PARTS = ("development", "held_out", *CRAFTED, *MANNERS)


def rows(part: str) -> list[dict[str, str]]:
    with (FIXTURES / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("part", PARTS)
def test_what_is_answered_is_right_and_little_is_left_open(part):
    score = Score()
    for row in rows(part):
        score.add(row["carrier"], row["status"], texts.read(row["carrier"], row["text"]).status)
    asked, answered, right = score.asked["全部"], score.answered["全部"], score.right["全部"]
    assert right >= 0.97 * answered
    assert answered >= 0.85 * asked


def test_the_parts_are_the_ones_that_the_digest_chose():
    development, held_out = rows("development"), rows("held_out")
    assert split(development + held_out) == (development, held_out)
    assert len(held_out) >= 0.35 * (len(development) + len(held_out))


def test_most_reasons_are_found_too():
    crafted = [row for part in CRAFTED for row in rows(part)]
    right = sum(texts.read(row["carrier"], row["text"]).reason in row["reason"].split("/") for row in crafted)
    assert right >= 0.95 * len(crafted)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("快件尚未签收，正在派送中", "out_for_delivery"),
        ("正在派送途中,请您准备签收(派件人:小李)", "out_for_delivery"),
        ("如未收到请联系客服，快件正在派件", "out_for_delivery"),
        ("如有破损请当面拒收，快件已签收", "delivered"),
        ("疫情期间每天消毒，快件到达【南京转运中心】", "in_transit"),
        ("因疫情管控，快件暂停派送", "exception"),
        ("快递员联系不上您，已将包裹放入丰巢", "awaiting_pickup"),
        ("快件到达【杭州国力大酒店物业楼营业部】", "in_transit"),
        ("退回件已由寄件人签收", "returned"),
        ("派件不成功，因收件人拒收", "delivery_failed"),
        ("滞留件出仓", "in_transit"),
        ("已代签收(圆通快递)", "awaiting_pickup"),
        ("您的快件已签收，签收人在【丰巢柜】领取", "delivered"),
    ],
)
def test_negation_scope_and_order(text, status):
    assert texts.read("SF", text).status == status


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("快件到达【佛山南海甘蕉店】", "in_transit"),  # 顺丰's own station
        ("快件到达顺丰店/站", "awaiting_pickup"),
        ("收件员【席饰旗舰店】已收件", "picked_up"),
        ("小哥(超区花园/张某)正在为您派送", "out_for_delivery"),
        ("正在为您派送，您也可联系小哥将快件放置代收点", "out_for_delivery"),
        ("包裹已由驿站保管，超时未取将退回", "awaiting_pickup"),
        ("包裹超时未取，已退回", "returning"),
        ("快件暂存至城南洪大花园1栋2单元3号店菜鸟驿站", "awaiting_pickup"),
        ("快件由便利店分部进行签收扫描，快件已被签收", "delivered"),
        ("已上门取货", "picked_up"),
        ("货物已由【义乌网点】揽收，运单已打印", "picked_up"),
        ("揽收任务已分配", "no_trace"),
    ],
)
def test_names_offers_and_threats_are_no_events(text, status):
    assert texts.read("SF", text).status == status


def test_a_carrier_may_mean_something_of_its_own():
    assert texts.read("JTSD", "出仓扫描").status == "out_for_delivery"
    assert texts.read("ZTO", "快件到达【锦绣江南店】").status == "awaiting_pickup"


@pytest.mark.parametrize(
    "text",
    [
        "客户签收人：北苑三栋菜鸟驿站 已签收",  # signed for by a shop: it may lie there still
        "货物异常签收",
        "快件已由前台代收",
        "合作点交接给顺丰",
        "快件离开【广州】，运往内地口岸",
        "预计8月15日17:00前送达",
        "您的订单待配货",
    ],
)
def test_where_two_readings_are_near_nothing_is_guessed(text):
    assert texts.read("SF", text) == texts.ABSTAINED


@pytest.mark.parametrize(
    "text", ["", " ", "你好", "12345", "\0\ud800", "感谢使用顺丰，期待再次为您服务", "hello world", "🙂" * 9]
)
def test_what_says_nothing_is_not_guessed(text):
    assert texts.read("SF", text) == texts.ABSTAINED


def test_every_reading_is_one_of_our_words():
    for part in PARTS:
        for row in rows(part):
            reading = texts.read(row["carrier"], row["text"])
            assert 0 < reading.confidence <= 1 or not reading.status


def test_a_label_is_chinese_or_ours():
    assert statuses("退回") == ("returning", "returned", "forwarded")
    assert statuses("exception/delivery_failed") == ("exception", "delivery_failed")


def test_the_second_opinion_is_silent_unless_sure():
    model = learned.train([("快件启程", "in_transit"), ("车辆启程", "in_transit"), ("客户领走", "delivered")])
    assert learned.read_by_likeness("完全不同", model) == texts.ABSTAINED
    assert learned.read_by_likeness("客户领快件", model).status != "in_transit"


def test_the_weights_are_those_of_the_committed_sentences():
    pairs = []
    for part in ("development", "crafted", "crafted_unseen", "manner"):
        pairs += [(clean(row["text"]), statuses(row["status"])[0]) for row in rows(part)]
    assert learned.train(pairs) == learned._stored()


def test_where_it_is_and_whom_to_call_is_found():
    text = "【长沙市】快件离开【长沙黄花集散中心】，已发往【武汉空港集散中心】，电话 13900001111"
    assert (texts.place(text), texts.phone_numbers(text)) == ("长沙黄花集散中心", ["13900001111"])
    assert texts.place("快件已发往【武汉空港集散中心】") == ""
    assert texts.place("从福建三明分拨中心发出") == "福建三明"
    assert texts.mask_numbers("电话13900001111") == "电话*********11"


def test_a_shape_knows_neither_names_nor_numbers():
    first = texts.shape("【长沙】包裹 123 号怎么样了，电话13900001111")
    assert first == texts.shape("【武汉】包裹 45 号怎么样了，电话13900002222")
    assert "139" not in first


def test_five_thousand_sentences_take_less_than_a_second_or_two():
    told = [f"{row['text']}{n}" for n in range(20) for row in rows("development")]
    started = time.perf_counter()
    for text in told:
        texts.read("SF", text)
    assert len(told) / (time.perf_counter() - started) > 1000  # 5,000/s on a quiet core


def test_a_long_text_is_no_burden():
    started = time.perf_counter()
    texts.read("SF", "已送派放柜取签收" * 50_000)
    texts.read("SF", "【" * 100_000)
    assert time.perf_counter() - started < 1
