import base64

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from frozenshop.kernel import crypto

OLD = "k1:" + base64.b64encode(bytes(range(32))).decode()
NEW = "k2:" + base64.b64encode(bytes(range(100, 132))).decode()
ROTATING = f"{NEW},{OLD}"


@given(st.text(), st.text(min_size=1))
def test_a_sealed_value_opens_for_its_purpose(plaintext, purpose):
    assert crypto.open_sealed(crypto.seal(plaintext, purpose=purpose), purpose=purpose) == plaintext


def test_the_same_text_never_seals_to_the_same_value():
    assert crypto.seal("张三", purpose="consignee:A") != crypto.seal("张三", purpose="consignee:A")


def test_a_sealed_value_does_not_open_for_another_row_or_column():
    sealed = crypto.seal("张三", purpose="consignee:A")
    for other in ("consignee:B", "consignee:", "phone:A"):
        with pytest.raises(crypto.SealBroken):
            crypto.open_sealed(sealed, purpose=other)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_every_altered_byte_is_found(position, flip):
    head, _, encoded = crypto.seal("13812341234", purpose="phone:1").rpartition("|")
    data = bytearray(base64.b64decode(encoded))
    data[position % len(data)] ^= flip
    with pytest.raises(crypto.SealBroken):
        crypto.open_sealed(f"{head}|{base64.b64encode(data).decode()}", purpose="phone:1")


@given(st.text())
def test_what_is_no_sealed_value_is_refused(text):
    with pytest.raises(crypto.SealBroken):
        crypto.open_sealed(text, purpose="phone:1")


@pytest.mark.parametrize(
    "text", ["", "v1", "v1|t1|", "v1|t1|AAAA", "v1|t1|锁", "v2|t1|AAAA", "v1||AAAA", "v1|t1|x|AAAA"]
)
def test_a_cut_or_foreign_value_is_refused(text):
    with pytest.raises(crypto.SealBroken):
        crypto.open_sealed(text, purpose="phone:1")


@override_settings(FIELD_ENCRYPTION_KEYS=OLD)
def test_a_value_sealed_under_the_old_key_opens_while_both_live_and_new_ones_use_the_newest():
    old = crypto.seal("张三", purpose="consignee:A")
    with override_settings(FIELD_ENCRYPTION_KEYS=ROTATING):
        assert crypto.open_sealed(old, purpose="consignee:A") == "张三"
        assert crypto.sealed_under(old) == "k1"
        assert crypto.sealed_under(crypto.seal("张三", purpose="consignee:A")) == "k2"


def test_a_value_whose_key_is_gone_is_refused():
    with override_settings(FIELD_ENCRYPTION_KEYS=OLD):
        sealed = crypto.seal("张三", purpose="consignee:A")
    with override_settings(FIELD_ENCRYPTION_KEYS=NEW), pytest.raises(crypto.SealBroken):
        crypto.open_sealed(sealed, purpose="consignee:A")


def test_another_key_under_the_same_id_does_not_open():
    with override_settings(FIELD_ENCRYPTION_KEYS=OLD):
        sealed = crypto.seal("张三", purpose="consignee:A")
    with override_settings(FIELD_ENCRYPTION_KEYS=NEW.replace("k2", "k1")), pytest.raises(crypto.SealBroken):
        crypto.open_sealed(sealed, purpose="consignee:A")


def test_a_blind_index_is_stable_and_32_hex_digits():
    index = crypto.blind_index("13812341234", purpose="phone")
    assert index == crypto.blind_index("13812341234", purpose="phone")
    assert len(index) == 32
    assert int(index, 16)


def test_blind_indexes_differ_by_purpose_and_value():
    values = {
        crypto.blind_index(value, purpose=purpose) for value in ("1", "2") for purpose in ("phone", "name", "tail")
    }
    assert len(values) == 6


@override_settings(BLIND_INDEX_KEYS=OLD)
def test_a_search_finds_what_was_indexed_under_the_old_key():
    old = crypto.blind_index("张三", purpose="name")
    with override_settings(BLIND_INDEX_KEYS=ROTATING):
        newest, *older = crypto.blind_indexes("张三", purpose="name")
        assert older == [old]
        assert newest == crypto.blind_index("张三", purpose="name") != old


@override_settings(FIELD_ENCRYPTION_KEYS=OLD, BLIND_INDEX_KEYS=OLD)
def test_equal_master_keys_still_give_different_derived_keys():
    assert crypto._derive(bytes(range(32)), "seal:phone") != crypto._derive(bytes(range(32)), "index:phone")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "第 1 个密钥缺少编号"),
        ("AAAA", "缺少编号"),
        ("k1:!!!!", "不是有效的 base64"),
        ("k1:QUFB", "3 字节"),
        (f"{OLD},{OLD}", "重复"),
        (f"{OLD},", "第 2 个"),
    ],
)
def test_malformed_keys_are_refused_with_the_reason(text, reason):
    with pytest.raises(crypto.KeyMalformed, match=reason):
        crypto.parse_keys(text)
