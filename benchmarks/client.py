"""Requests signed as the contract says, written here independently of the program."""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from benchmarks.wrk import raw_request

_nonces = itertools.count()


def signed_headers(
    scheme: str, secret_hex: str, method: str, target: str, body: bytes = b"", timestamp: int | None = None
) -> dict[str, str]:
    """Return the timestamp, nonce and signature for a request, under the names of the buyers' API."""
    url = urlsplit(target)
    pairs = sorted(parse_qsl(url.query, keep_blank_values=True))
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
    stamp, nonce = str(timestamp or int(time.time())), f"bench-{time.time_ns()}-{next(_nonces)}"
    text = "\n".join([scheme, method, unquote(url.path), query, hashlib.sha256(body).hexdigest(), stamp, nonce])
    signature = hmac.new(bytes.fromhex(secret_hex), text.encode(), hashlib.sha256).hexdigest()
    return {"timestamp": stamp, "nonce": nonce, "signature": signature}


@dataclass(frozen=True)
class Buyer:
    """A session of the buyers' API."""

    token: str
    secret_hex: str

    def headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        signed = signed_headers("MP1-HMAC-SHA256", self.secret_hex, method, target, body)
        return {
            "Authorization": f"Bearer {self.token}",
            "X-MP-Timestamp": signed["timestamp"],
            "X-MP-Nonce": signed["nonce"],
            "X-MP-Signature": signed["signature"],
        }

    def request(self, target: str) -> bytes:
        return raw_request("GET", target, self.headers("GET", target))


def kdniao_push(api_key: str, items: list[dict[str, object]]) -> Iterator[bytes]:
    """Yield one signed push of 快递鸟 for each item, as it comes over the wire."""
    import base64

    for item in items:
        data = json.dumps({"EBusinessID": "1", "PushTime": "2026-11-22 12:00:00", "Count": "1", "Data": [item]})
        digest = hashlib.md5((data + api_key).encode(), usedforsecurity=False).hexdigest()
        sign = base64.b64encode(digest.encode()).decode()
        body = f"RequestData={quote(data, safe='')}&RequestType=102&DataSign={quote(sign, safe='')}".encode()
        yield raw_request(
            "POST", "/callbacks/kdniao", {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}, body
        )
