"""A buyer's device and a shop's system, as the contract describes them: they sign by hand, not with the kernel."""

import hashlib
import hmac
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from django.http import HttpResponse
from django.test import Client

from frozenshop.api import sessions
from frozenshop.kernel import clock, merchant_keys
from orders.models import Customer

SCOPES = ("orders:write", "orders:read", "orders:read_unmasked", "shipments:write", "events:write")
_nonces = itertools.count(1)


def canonical(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)


def sign(scheme: str, secret: str, method: str, url: str, body: bytes, timestamp: int, nonce: str) -> str:
    path, _, query = url.partition("?")
    lines = [scheme, method, unquote(path), canonical(query), hashlib.sha256(body).hexdigest(), str(timestamp), nonce]
    return hmac.new(bytes.fromhex(secret), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def nonce() -> str:
    return f"nonce-{next(_nonces):016}-{time.time_ns()}"


@dataclass
class Signer:
    """Sends signed requests; each takes the place of one header with `headers`."""

    secret: str
    identity: dict[str, str]
    scheme: str = "MP1-HMAC-SHA256"
    prefix: str = "X-MP-"
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def headers(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        timestamp, fresh = int(clock.now().timestamp()), nonce()
        signature = sign(self.scheme, self.secret, method, url, body, timestamp, fresh)
        values = {"Timestamp": str(timestamp), "Nonce": fresh, "Signature": signature}
        return self.identity | {f"{self.prefix}{name}": value for name, value in values.items()}

    def send(self, method: str, url: str, body: bytes = b"", **headers: str) -> HttpResponse:
        signed = self.headers(method, url, body) | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, url, body, content_type="application/json", headers=signed)

    def get(self, url: str, **headers: str) -> HttpResponse:
        return self.send("GET", url, **headers)

    def post(self, url: str, data: Any = None, **headers: str) -> HttpResponse:
        body = b"" if data is None else json.dumps(data).encode()
        return self.send("POST", url, body, **headers)


def log_in(customer: Customer) -> Signer:
    login = sessions.start(customer)
    return Signer(login.sign_secret, {"Authorization": f"Bearer {login.token}"})


def shop(*scopes: str) -> Signer:
    key, secret = merchant_keys.issue("测试", scopes or SCOPES)
    return Signer(secret, {"X-Key-Id": key.key_id}, "MK1-HMAC-SHA256", "X-")


def code_of(response: HttpResponse) -> tuple[int, str]:
    """The status and the stable code of an error."""
    return response.status_code, response.json()["error"]["code"]
