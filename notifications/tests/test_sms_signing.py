"""Every published or recomputed signature of 阿里云 and 腾讯云."""

import hashlib
import json
from pathlib import Path

import pytest

from notifications.sms import aliyun, tencent

VECTORS = json.loads((Path(__file__).parent / "fixtures" / "sms_signatures.json").read_text())
RPC, ACS3, TC3 = VECTORS["aliyun_rpc_v1"], VECTORS["aliyun_acs3"], VECTORS["tencent_tc3"]
# The body of 腾讯云's own example.
CVM = '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'


@pytest.mark.parametrize("vector", RPC, ids=lambda vector: vector["signature"])
def test_rpc_v1(vector):
    assert aliyun.sign_rpc(vector["method"], vector["params"], vector["access_key_secret"]) == vector["signature"]
    if "canonicalized_query" in vector:
        assert aliyun.canonical_query(vector["params"]) == vector["canonicalized_query"]


def test_acs3():
    vector = ACS3[0]
    query = aliyun.canonical_query(vector["query"])
    key_id, secret = vector["access_key_id"], vector["access_key_secret"]
    assert aliyun.authorise_acs3("POST", query, vector["headers"], key_id, secret) == vector["authorization"]


@pytest.mark.parametrize("vector", ACS3, ids=lambda vector: vector["signature"][:8])
def test_acs3_from_its_string_to_sign(vector):
    assert aliyun.sign_acs3(vector["string_to_sign"], vector["access_key_secret"]) == vector["signature"]


@pytest.mark.parametrize("name", ["authorization", "authorization_with_x_tc_action"])
def test_tc3(name):
    vector = TC3[0]
    headers = {"content-type": vector["content_type"], "host": vector["host"]}
    if name != "authorization":
        headers["x-tc-action"] = "SendSms"
    body, keys = vector["body_utf8"].encode(), (vector["secret_id"], vector["secret_key"])
    assert tencent.authorise(body, headers, vector["timestamp"], *keys) == vector[name]


@pytest.mark.parametrize("vector", TC3[1:], ids=lambda vector: vector["signature"][:8])
def test_tc3_of_the_published_example(vector):
    names = vector["doc_example"].rpartition("SignedHeaders ")[2].split(";")
    known = {"content-type": "application/json; charset=utf-8", "host": "cvm.tencentcloudapi.com"}
    headers = {name: (known | {"x-tc-action": "DescribeInstances"})[name] for name in names}
    keys = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    told = tencent.authorise(CVM.encode(), headers, 1551113065, *keys, service="cvm")
    assert told.endswith(f"Signature={vector['signature']}")


def test_the_body_is_signed_as_it_is_sent():
    vector = TC3[0]
    assert hashlib.sha256(vector["body_utf8"].encode()).hexdigest() == vector["canonical_request"].splitlines()[-1]
