"""Every request is signed; what was changed, repeated, late or forged is refused, in this order."""

import json
import random
from pathlib import Path

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client, RequestFactory

from frozenshop.api.authentication import MK1, MP1, _verify
from frozenshop.api.models import BuyerSession
from frozenshop.api.tests.client import code_of, log_in, nonce, sign
from frozenshop.kernel import clock, merchant_keys, signing
from frozenshop.kernel.tests import stores
from orders.tests.factories import make_customer, make_order

VECTORS = json.loads((Path(signing.__file__).parent / "tests/fixtures/request_signing.json").read_text())
MISSING = (401, "signature_missing")
INVALID = (401, "signature_invalid")


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["url"][:40] for vector in VECTORS])
def test_published_vectors_are_accepted_as_they_travel(vector):
    names = MP1 if vector["string_to_sign"].startswith("MP1") else MK1
    given = (str(vector["timestamp"]), vector["nonce"], vector["signature"])
    headers = dict(zip(names[1:], given, strict=True))
    request = RequestFactory().generic(
        vector["method"], vector["url"], vector["body"].encode(), "application/json", **headers
    )
    with time_machine.travel(vector["timestamp"]):
        assert _verify(request, names, [vector["secret_hex"]]) == (vector["timestamp"], vector["nonce"])


@pytest.mark.django_db
class TestBuyers:
    def test_a_signed_request_passes(self, buyer):
        assert buyer.get("/api/orders?q=%E9%B1%BC+a%2Bb&status=&limit=20").status_code == 200

    @pytest.mark.parametrize("left_out", ["X-MP-Timestamp", "X-MP-Nonce", "X-MP-Signature"])
    def test_an_unsigned_request_is_told_so(self, buyer, left_out):
        headers = buyer.headers("GET", "/api/orders")
        del headers[left_out]
        assert code_of(buyer.client.get("/api/orders", headers=headers)) == MISSING

    @pytest.mark.parametrize("ahead", [-121, 32, -(10**6), 10**6])
    def test_a_device_whose_clock_is_wrong_learns_ours(self, buyer, ahead):
        with time_machine.travel(clock.now().timestamp() + ahead):
            headers = buyer.headers("GET", "/api/orders")
        answer = buyer.client.get("/api/orders", headers=headers)
        assert code_of(answer) == (401, "timestamp_out_of_range")
        assert abs(answer.json()["error"]["server_time"] - clock.now().timestamp()) < 30

    @pytest.mark.parametrize("ahead", [-118, 28])
    def test_a_device_whose_clock_is_nearly_right_is_served(self, buyer, ahead):
        with time_machine.travel(clock.now().timestamp() + ahead):
            headers = buyer.headers("GET", "/api/orders")
        assert buyer.client.get("/api/orders", headers=headers).status_code == 200

    @pytest.mark.parametrize("timestamp", ["x", "-1", "1e9", "１７６７２２５６００", "9" * 400, " 1", "1767225600.0"])
    def test_a_timestamp_that_is_none_is_out_of_range(self, buyer, timestamp):
        answer = buyer.get("/api/orders", X_MP_Timestamp=timestamp)
        assert code_of(answer) == (401, "timestamp_out_of_range")

    @pytest.mark.parametrize("bad", ["short", "x" * 65, "ü" * 20, "a b" * 8])
    def test_a_nonce_that_is_none_is_refused(self, buyer, bad):
        stamp = str(int(clock.now().timestamp()))
        signature = sign(buyer.scheme, buyer.secret, "GET", "/api/orders", b"", int(stamp), bad)
        answer = buyer.get("/api/orders", X_MP_Nonce=bad, X_MP_Timestamp=stamp, X_MP_Signature=signature)
        assert code_of(answer) == INVALID

    @pytest.mark.parametrize(
        "path", ["/api/orders/%FF%FE", "/api/orders?q=%FF", "/api/orders?%zz=1", "/api/orders?q=%E9%B1"]
    )
    def test_what_cannot_be_decoded_is_refused(self, buyer, path):
        assert code_of(buyer.client.get(path, headers=buyer.headers("GET", "/api/orders"))) == INVALID

    def test_another_buyers_secret_signs_nothing(self, buyer):
        buyer.secret = log_in(make_customer()).secret
        assert code_of(buyer.get("/api/orders")) == INVALID

    def test_a_request_is_accepted_once(self, buyer):
        headers = buyer.headers("GET", "/api/orders")
        assert buyer.client.get("/api/orders", headers=headers).status_code == 200
        assert code_of(buyer.client.get("/api/orders", headers=headers)) == (401, "nonce_reused")

    def test_a_forged_request_burns_no_nonce(self, buyer):
        headers = buyer.headers("GET", "/api/orders")
        assert code_of(buyer.client.get("/api/orders", headers=headers | {"X-MP-Signature": "0" * 64})) == INVALID
        assert buyer.client.get("/api/orders", headers=headers).status_code == 200

    def test_two_sessions_may_use_the_same_nonce(self, buyer, customer):
        other, same = log_in(customer), nonce()
        for device in (buyer, other):
            stamp = int(clock.now().timestamp())
            signature = sign(device.scheme, device.secret, "GET", "/api/orders", b"", stamp, same)
            headers = {"X_MP_Nonce": same, "X_MP_Timestamp": str(stamp), "X_MP_Signature": signature}
            assert device.get("/api/orders", **headers).status_code == 200

    @pytest.mark.parametrize("seed", range(50))
    def test_no_request_survives_a_change(self, buyer, seed):
        body = json.dumps({"order_nos": ["FD1", "不存在"]}).encode()
        headers = buyer.headers("POST", "/api/orders/statuses?a=1&b=2", body)
        path, body, headers = _changed(random.Random(seed), body, headers)
        answer = buyer.client.generic("POST", path, body, "application/json", headers=headers)
        assert answer.status_code == 401

    def test_the_session_is_checked_before_the_signature(self, buyer):
        BuyerSession.objects.update(revoked_at=clock.now())
        cache.delete_many([f"session:{row.token_digest}" for row in BuyerSession.objects.all()])
        answer = buyer.client.get("/api/orders", headers=buyer.identity)
        assert code_of(answer) == (401, "session_expired")

    def test_a_burst_of_200_passes_and_no_more(self, buyer):
        with time_machine.travel(clock.now(), tick=False):
            codes = [buyer.get("/api/orders/counts").status_code for _ in range(201)]
            assert codes == [200] * 200 + [429]
            limited = buyer.get("/api/orders/counts")
        assert code_of(limited) == (429, "rate_limited")
        assert int(limited["Retry-After"]) == 1


def _changed(rng, body, headers):
    """One change of path, query, body, or a header of a signed request."""
    path, headers = "/api/orders/statuses?a=1&b=2", dict(headers)
    what = rng.choice(["path", "body", "X-MP-Timestamp", "X-MP-Nonce", "X-MP-Signature", "method", "Authorization"])
    if what == "path":
        path = rng.choice(["/api/orders/statuses?a=1&b=3", "/api/orders/statuses", "/api/orders/counts?a=1&b=2",
                           "/api/orders/statuses?a=1&b=2&c=", "/api/orders/statuses?A=1&b=2"])  # fmt: skip
    elif what == "body":
        at = rng.randrange(len(body))
        body = body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]
    elif what == "method":
        path = "/api/orders/FD1/refresh"
    elif what == "X-MP-Timestamp":
        headers[what] = str(int(headers[what]) + rng.choice([-1, 1, 60]))
    else:
        at = rng.randrange(len(headers[what]))
        other = rng.choice([c for c in "0123456789abcdef" if c != headers[what][at]])
        headers[what] = headers[what][:at] + other + headers[what][at + 1 :]
    return path, body, headers


@pytest.mark.django_db(transaction=True)
def test_of_200_parallel_replays_one_is_accepted():
    make_order(order_no="REPLAY1", buyer_openid="replay")
    device = log_in(make_order(order_no="REPLAY2", buyer_openid="replay").customer)
    headers = device.headers("POST", "/api/orders/REPLAY1/confirm")

    def replay(number):
        return Client().generic("POST", "/api/orders/REPLAY1/confirm", headers=headers).status_code

    codes = stores.in_parallel(200, replay, threads=16)
    assert sorted(codes) == [401] * 199 + [409]  # the one that was let through: nothing is shipped yet


@pytest.mark.django_db
class TestMerchants:
    def test_a_key_signs_with_its_own_scheme(self, merchant):
        order = make_order()
        assert merchant.get(f"/merchant/orders/{order.order_no}").status_code == 200
        merchant.scheme = "MP1-HMAC-SHA256"
        assert code_of(merchant.get(f"/merchant/orders/{order.order_no}")) == INVALID

    @pytest.mark.parametrize("key_id", ["", "mk_unknown", "x" * 500, "é"])
    def test_an_unknown_key_is_nobody(self, merchant, key_id):
        assert code_of(merchant.get("/merchant/orders/X", X_Key_Id=key_id)) == (401, "unauthenticated")

    def test_both_secrets_sign_during_a_rotation(self, merchant):
        key = merchant_keys.find(merchant.identity["X-Key-Id"])
        new = merchant_keys.rotate(key)
        assert code_of(merchant.get("/merchant/orders/X")) == (404, "order_not_found")
        merchant.secret = new
        assert code_of(merchant.get("/merchant/orders/X")) == (404, "order_not_found")

    def test_a_revoked_key_ends_at_once(self, merchant):
        merchant_keys.revoke(merchant_keys.find(merchant.identity["X-Key-Id"]))
        assert code_of(merchant.get("/merchant/orders/X")) == (401, "unauthenticated")

    def test_a_request_is_accepted_once(self, merchant):
        headers = merchant.headers("GET", "/merchant/orders/X")
        assert merchant.client.get("/merchant/orders/X", headers=headers).status_code == 404
        assert code_of(merchant.client.get("/merchant/orders/X", headers=headers)) == (401, "nonce_reused")
