import json
import string
from pathlib import Path
from urllib.parse import quote

import pytest
import time_machine
from hypothesis import assume, given
from hypothesis import strategies as st

from frozenshop.kernel import signing

VECTORS = json.loads((Path(__file__).parent / "fixtures" / "request_signing.json").read_text())
SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
OTHER = "ff" * 32
REQUEST = {
    "scheme": signing.MP1,
    "method": "POST",
    "path": "/api/orders/FD1/confirm",
    "query_string": "a=1&b=2",
    "body": b'{"x":1}',
    "timestamp": "1767225600",
    "nonce": "n-0000000000000001",
}
SIGNATURE = signing.sign(SECRET, signing.string_to_sign(**REQUEST))


def accepts(request, signature=SIGNATURE):
    try:
        return signing.signature_matches([SECRET], signing.string_to_sign(**request), signature)
    except signing.SignatureInvalid:
        return False


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["nonce"])
def test_every_published_vector_is_reproduced(vector):
    path, _, query = vector["url"].partition("?")
    assert path == path.encode("ascii").decode()
    text = signing.string_to_sign(
        vector["string_to_sign"].split("\n")[0],
        vector["method"],
        vector["decoded_path"],
        query,
        vector["body"].encode(),
        str(vector["timestamp"]),
        vector["nonce"],
    )
    assert text == vector["string_to_sign"]
    assert signing.sign(vector["secret_hex"], text) == vector["signature"]


@given(st.sampled_from(sorted(REQUEST)), st.data())
def test_any_mutation_of_any_part_is_refused(part, data):
    original = REQUEST[part]
    changed = data.draw(st.binary() if isinstance(original, bytes) else st.text(string.printable))
    same = changed.upper() == original if part == "method" else changed == original
    assume(not same)
    if part == "query_string":
        assume(canonical(changed) != canonical(original))
    assert not accepts(REQUEST | {part: changed})


def canonical(query):
    try:
        return signing.canonical_query(query)
    except signing.SignatureInvalid:
        return None


@given(st.integers(0, 63), st.sampled_from("0123456789abcdefABCDEF \n锁"))
def test_any_mutation_of_the_signature_is_refused(position, character):
    assume(SIGNATURE[position] != character)
    assert not accepts(REQUEST, SIGNATURE[:position] + character + SIGNATURE[position + 1 :])


@pytest.mark.parametrize("given_signature", ["", SIGNATURE.upper(), SIGNATURE + "0", SIGNATURE[:-1], "锁" * 64])
def test_a_signature_in_another_form_is_refused(given_signature):
    assert accepts(REQUEST)
    assert not accepts(REQUEST, given_signature)


@pytest.mark.parametrize("live", [[SECRET], [SECRET, OTHER], [OTHER, SECRET]])
def test_either_of_two_live_secrets_is_accepted(live):
    assert signing.signature_matches(live, signing.string_to_sign(**REQUEST), SIGNATURE)


@pytest.mark.parametrize("live", [[], [OTHER]])
def test_a_dead_secret_is_refused(live):
    assert not signing.signature_matches(live, signing.string_to_sign(**REQUEST), SIGNATURE)


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("a", "a="),
        ("a=", "a="),
        ("=", "="),
        ("&&a=1&&", "a=1"),
        ("a=1=2", "a=1%3D2"),
        ("q=a+b", "q=a%20b"),
        ("q=a%2Bb", "q=a%2Bb"),
        ("q=%e9%b1%bc", "q=%E9%B1%BC"),
        ("b=1&a=2&a=1", "a=1&a=2&b=1"),
        ("q=~-_.!*'()", "q=~-_.%21%2A%27%28%29"),
        ("%F0%A0%AE%B7=1&%EF%BC%A1=2", "%EF%BC%A1=2&%F0%A0%AE%B7=1"),
        ("a%3Db=1", "a%3Db=1"),
        ("q=é".encode().decode("latin-1"), "q=%C3%A9"),
    ],
)
def test_a_query_has_one_canonical_form(query, canonical):
    assert signing.canonical_query(query) == canonical


@given(st.lists(st.tuples(st.text(), st.text())))
def test_the_canonical_form_does_not_depend_on_the_order_of_pairs(pairs):
    encode = lambda some: "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in some)  # noqa: E731
    assert signing.canonical_query(encode(pairs)) == signing.canonical_query(encode(pairs[::-1]))


@pytest.mark.parametrize("query", ["a=%", "a=%2", "a=%GG", "a=%FF", "%C0%AF=1", "a=%ED%A0%80", "a=\xff", "a=鱼"])
def test_a_query_that_cannot_be_decoded_is_refused(query):
    with pytest.raises(signing.SignatureInvalid):
        signing.canonical_query(query)


def test_a_path_is_read_as_utf8():
    assert signing.decoded_path("/api/orders/订单 1/a".encode().decode("latin-1")) == "/api/orders/订单 1/a"


@pytest.mark.parametrize("path", ["/\xff", "/\xc0\xaf", "/鱼"])
def test_a_path_that_is_not_utf8_is_refused(path):
    with pytest.raises(signing.SignatureInvalid):
        signing.decoded_path(path)


@pytest.mark.parametrize("age", [-30, 0, 120])
def test_a_request_within_the_window_is_accepted(age):
    with time_machine.travel(1767225600, tick=False):
        assert signing.check_timestamp(str(1767225600 - age)) == 1767225600 - age


@pytest.mark.parametrize("age", [-31, 121])
def test_a_request_outside_the_window_is_refused(age):
    with time_machine.travel(1767225600, tick=False), pytest.raises(signing.TimestampOutOfRange):
        signing.check_timestamp(str(1767225600 - age))


@pytest.mark.parametrize(
    "text", ["", " 1767225600", "+1767225600", "1767225600.0", "１７６７２２５６００", "9" * 5000, "-1"]
)
def test_a_malformed_timestamp_is_out_of_range(text):
    with time_machine.travel(1767225600, tick=False), pytest.raises(signing.TimestampOutOfRange):
        signing.check_timestamp(text)


@pytest.mark.parametrize("nonce", ["a" * 16, "Z_9-" * 16])
def test_a_nonce_of_16_to_64_characters_is_accepted(nonce):
    assert signing.check_nonce(nonce) == nonce


@pytest.mark.parametrize("nonce", ["", "a" * 15, "a" * 65, "a" * 16 + "\n", "锁" * 16, "a b" * 6])
def test_a_malformed_nonce_is_refused(nonce):
    with pytest.raises(signing.SignatureInvalid):
        signing.check_nonce(nonce)
