"""The worked examples of the documents can be recomputed."""

import hashlib
import re
from pathlib import Path

import pytest

from frozenshop.kernel import signing

DOCS = Path(__file__).resolve().parent.parent / "docs"
STRING_TO_SIGN = re.compile(r"(?:^    M[PK]1-HMAC-SHA256\n)(?:    ?.*\n|\n){5}    doc-example-nonce-\d+$", re.M)


@pytest.mark.parametrize("name", ["merchant-api.md", "api-example.md"])
def test_the_signature_of_the_example_is_right(name):
    text = (DOCS / name).read_text()
    secret = re.search(r"`([0-9a-f]{64})`", text)
    signature = re.search(r"-Signature: ([0-9a-f]{64})'", text)
    example = STRING_TO_SIGN.search(text)
    assert secret
    assert signature
    assert example
    signed = "\n".join(line.removeprefix("    ") for line in example[0].split("\n"))
    assert signing.sign(secret[1], signed) == signature[1]


def test_the_string_to_sign_of_the_merchant_example_is_of_its_request():
    text = (DOCS / "merchant-api.md").read_text()
    body = re.search(r"-d '(.*)'", text)
    assert body
    assert hashlib.sha256(body[1].encode()).hexdigest() in text
    assert f"Body, {len(body[1].encode())} bytes" in text


def test_the_query_of_the_buyers_example_is_canonical():
    text = (DOCS / "api-example.md").read_text()
    asked = re.search(r"`GET /api/orders\?(.*)`", text)
    assert asked
    assert f"    {signing.canonical_query(asked[1])}\n" in text
