"""Does a running program do what a shop lives by? Over HTTP alone, in words that every release since 0.1.0 knows."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import requests

PREPARE = """
import json
from django.contrib.auth.models import User
from frozenshop.api import sessions
from frozenshop.kernel import merchant_keys
from orders.models import Customer
key, secret = merchant_keys.issue("smoke", ["orders:write", "orders:read", "shipments:write"])
buyer, _ = Customer.objects.get_or_create(openid="smoke-openid")
login = sessions.start(buyer)
staff, _ = User.objects.get_or_create(username="smoke", is_staff=True, is_superuser=True)
staff.set_password("smoke-password")
staff.save()
print("SMOKE" + json.dumps([key.key_id, secret, login.token, login.sign_secret]))
"""
"""For `manage.py shell -c`, in the release that runs: makes a key of the shop, a session of a buyer, and a clerk."""


@dataclass
class Smoke:
    """`prepared` is what PREPARE printed; `carrier_key` signs the pushes of 快递鸟."""

    url: str
    prepared: str
    carrier_key: str
    carrier_id: str
    seconds: float = 40

    def __post_init__(self) -> None:
        printed = next(line for line in self.prepared.splitlines() if line.startswith("SMOKE"))
        self.key_id, self.key_secret, self.token, self.buyer_secret = json.loads(printed.removeprefix("SMOKE"))

    def run(self) -> str:
        """Let an order be placed, shipped, scanned, looked at by its buyer, and found by staff. Return its number."""
        assert self.ready() == 200
        order_no, waybill_no = f"SMOKE-{secrets.token_hex(6)}", f"SF{secrets.randbelow(10**13):013}"
        self.place(order_no)
        self.ship(order_no, waybill_no)
        self.is_scanned(waybill_no, "快件已到达上海转运中心")
        self.until(lambda: "上海转运中心" in self.seen_by_buyer(order_no), "the scan shows")
        assert order_no in self.found_by_staff(order_no)
        return order_no

    def ready(self) -> int:
        return requests.get(f"{self.url}/readyz", timeout=10).status_code

    def place(self, order_no: str) -> None:
        answer = self.shop("POST", "/merchant/orders", order(order_no))
        assert answer.status_code == 201, answer.text

    def ship(self, order_no: str, waybill_no: str) -> None:
        box = {"carrier_code": "SF", "waybill_no": waybill_no, "shipped_at": ago(minutes=30)}
        answer = self.shop("POST", f"/merchant/orders/{order_no}/shipments", box)
        assert answer.status_code == 201, answer.text

    def is_scanned(self, waybill_no: str, text: str) -> None:
        answer = self.push(waybill_no, text)
        assert answer.status_code == 200, answer.text

    def push(self, waybill_no: str, text: str) -> requests.Response:
        at = dt.datetime.now(dt.timezone(dt.timedelta(hours=8))) - dt.timedelta(minutes=10)
        trace = {"AcceptTime": f"{at:%Y-%m-%d %H:%M:%S}", "AcceptStation": text, "Action": "2", "Location": "上海市"}
        parcel = {"EBusinessID": self.carrier_id, "ShipperCode": "SF", "LogisticCode": waybill_no, "Success": True}
        parcel |= {"State": "2", "Traces": [trace]}
        data = json.dumps({"PushTime": f"{at:%Y-%m-%d %H:%M:%S}", "Count": "1", "Data": [parcel]})
        digest = hashlib.md5((data + self.carrier_key).encode(), usedforsecurity=False).hexdigest()
        form = {"RequestData": data, "RequestType": "102", "DataSign": base64.b64encode(digest.encode()).decode()}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return requests.post(f"{self.url}/callbacks/kdniao", urlencode(form), headers=headers, timeout=30)

    def seen_by_buyer(self, order_no: str) -> str:
        path = f"/api/orders/{order_no}"
        answer = self._signed("GET", path, b"", "MP1", "X-MP-", self.buyer_secret, Authorization=f"Bearer {self.token}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def shop(self, method: str, path: str, body: dict[str, object]) -> requests.Response:
        data = json.dumps(body).encode()
        return self._signed(method, path, data, "MK1", "X-", self.key_secret, **{"X-Key-Id": self.key_id})

    def _signed(
        self, method: str, path: str, body: bytes, scheme: str, prefix: str, secret: str, **headers: str
    ) -> requests.Response:
        """Sign anew, as a client must, while the memory of nonces is younger than what was signed."""
        deadline = time.monotonic() + 5
        while True:
            answer = self._send(method, path, body, scheme, prefix, secret, **headers)
            if "nonce_reused" not in answer.text or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def _send(
        self, method: str, path: str, body: bytes, scheme: str, prefix: str, secret: str, **headers: str
    ) -> requests.Response:
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        lines = [f"{scheme}-HMAC-SHA256", method, path, "", hashlib.sha256(body).hexdigest(), timestamp, nonce]
        signature = hmac.new(bytes.fromhex(secret), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        headers |= {f"{prefix}Timestamp": timestamp, f"{prefix}Nonce": nonce, f"{prefix}Signature": signature}
        headers["Content-Type"] = "application/json"
        return requests.request(method, self.url + path, data=body, headers=headers, timeout=30)

    def found_by_staff(self, order_no: str) -> str:
        """Log in as a browser behind a proxy that speaks https, and search."""
        headers = {"X-Forwarded-Proto": "https", "Referer": self.url.replace("http:", "https:")}
        form = requests.get(f"{self.url}/admin/login/", headers=headers, timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token, form.text[:500]
        cookies = form.cookies.get_dict()
        values = {"username": "smoke", "password": "smoke-password", "csrfmiddlewaretoken": token[1], "next": "/admin/"}
        logged_in = self._as_staff("POST", "/admin/login/", headers, cookies, data=values)
        assert logged_in.status_code == 302, logged_in.text[:500]
        cookies |= logged_in.cookies.get_dict()
        page = self._as_staff("GET", f"/admin/orders/order/?q={quote(order_no)}", headers, cookies)
        assert page.status_code in (200, 302), page.text[:500]
        where = page.headers.get("Location", "")
        return page.text if page.status_code == 200 else self._as_staff("GET", where, headers, cookies).text

    def _as_staff(
        self, method: str, path: str, headers: dict[str, str], cookies: dict[str, str], **body: object
    ) -> requests.Response:
        """Cookies that are for https alone are sent by hand: the proxy in front is not there."""
        carried = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        url = self.url + path
        return requests.request(method, url, headers=headers | carried, timeout=30, allow_redirects=False, **body)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {self.seconds:g} s: {what}"
            time.sleep(0.2)


def ago(**duration: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**duration)).isoformat()


def order(order_no: str) -> dict[str, object]:
    consignee = {"name": "张三", "phone": "13812341234", "province": "上海市", "city": "上海市", "district": "浦东新区"}
    line = {"sku": "SHRIMP-1", "name": "冻虾仁", "quantity": 1, "unit_price_fen": 5000}
    return {
        "order_no": order_no,
        "placed_at": ago(hours=2),
        "paid_at": ago(hours=2),
        "buyer_openid": "smoke-openid",
        "total_fen": 5000,
        "consignee": consignee | {"address": "世纪大道 1 号"},
        "lines": [line],
    }
