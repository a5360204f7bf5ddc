import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifications.wechat import field_rules
from notifications.wechat.field_rules import check, fit, shorten
from sandbox import wechat_rules

CASES = json.loads((Path(__file__).parent / "fixtures/wechat_fields.json").read_text(encoding="utf-8"))
KINDS = sorted(field_rules.RULES)


@pytest.mark.parametrize(("field", "value", "fine"), CASES)
def test_the_official_rules(field, value, fine):
    assert (check(field, value) == "") is fine


@pytest.mark.parametrize("field", ["things1", "thing", "keyword1", "", "thing１"])
def test_what_is_no_field_of_wechats_is_said_so(field):
    assert "字段名" in check(field, "x")


def test_a_broken_rule_names_the_field_the_rule_and_the_way_out():
    assert check("character_string1", "订单1") == (
        "character_string1：“订单1”不符合规则。最多 32 个数字、字母或符号，不能有汉字；有汉字请改用 thing"
    )


def test_an_enum_knows_its_values():
    assert check("enum1", "是", ("是", "否")) == ""
    assert "是、否" in check("enum1", "也许", ("是", "否"))


@pytest.mark.parametrize(
    ("field", "given", "fitted"),
    [
        ("thing1", "手打鱼丸500g*2；牛肉卷250g*1；黄花鱼1500g*3 等3件", "手打鱼丸500g*2；牛肉卷…等3件"),
        ("thing1", "深海野生大黄鱼净重特选精品礼盒共1500g装", "深海野生大黄鱼净重特选精品礼盒共…"),
        ("thing1", "冻虾🦐\n2kg", "冻虾 2kg"),
        ("thing1", "⭐冻虾⏰\u202e2kg\ufeff\ud800", "冻虾2kg"),
        ("thing1", "", "暂无"),
        ("character_string1", "SF1234567890123、SF1234567890124、SF1234567890125", "SF1234567890123 +2"),
        ("character_string1", "ORDER-2026-" + "9" * 30, ".." + "9" * 30),
        ("character_string1", "ＳＦ１２３", "SF123"),
        ("phrase1", "正在派送途中", "派送途中"),
        ("phrase1", "派送中（第2次）", "派送中"),
        ("time1", "2026年11月23日 09:00–15:00", "2026年11月23日 09:00~15:00"),
        ("time1", "11月23日 15：00 至 18：00", "11月23日 15:00~18:00"),
        ("date1", "2018-01-01 - 2018-01-02", "2018-01-01~2018-01-02"),
        ("name1", "用户410774", "用户"),
        ("name1", "张*", "张*"),
        ("amount1", "¥1,280.50元", "¥1280.50元"),
        ("phone_number1", "021-12345678转12", "021-12345678-12"),
        ("number1", "1,280", "1280"),
    ],
)
def test_texts_are_brought_to_the_rule_without_changing_what_they_say(field, given, fitted):
    assert fit(field, given) == fitted
    assert check(field, fitted) == ""


@pytest.mark.parametrize(
    ("field", "value"), [("character_string1", "订单1"), ("time1", "明天下午"), ("phrase1", "再派2次"), ("time1", "")]
)
def test_what_can_not_be_brought_there_is_refused(field, value):
    assert check(field, fit(field, value))


@given(st.sampled_from(KINDS), st.text(max_size=60))
def test_what_passes_here_passes_at_wechat(kind, text):
    value = fit(f"{kind}1", text)
    if check(f"{kind}1", value) == "":
        assert wechat_rules.fits(f"{kind}1", value)


@given(st.text(max_size=60))
def test_any_text_fits_a_thing(text):
    assert check("thing1", fit("thing1", text)) == ""


@given(st.sampled_from(KINDS), st.text(max_size=60))
@example("name", ": 0 :")
def test_what_fits_is_left_as_it_is(kind, text):
    once = fit(f"{kind}1", text)
    assert check(f"{kind}1", once) or fit(f"{kind}1", once) == once


@given(st.text(alphabet="鱼虾0123456789g.×、 等件", max_size=60))
def test_a_number_is_never_torn(text):
    short = shorten(text, 20)
    head = short.partition("…")[0]
    assert len(short) <= 20
    torn = "…" in short and head[-1:].isdigit() and text[len(head)].isdigit()
    assert not torn or len(head.rstrip("0123456789.g×")) <= 10  # unless it alone fills the field
