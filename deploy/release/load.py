"""Requests by the clock: a late answer holds up no other. Signed buyers, shops that write, carriers that push.

Each comes from an address of its own on the loopback network, as from many people. What was accepted is written down,
so that afterwards it can be looked for.
"""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import queue
import random
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

SENDERS = 48
PATIENCE_SECONDS = 40
KINDS = ["list", "order", "order", "order", "order", "statuses", "statuses", "new order", "parcel", "push"]
"""A tenth each."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: no answer. `slot` as nginx names it. `at` by time.monotonic(), when it was due."""

    at: float
    kind: str
    status: int
    seconds: float
    slot: str
    said: str = ""

    @property
    def failed(self) -> bool:
        return self.status not in (200, 201)


@dataclass(slots=True)
class Request:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    told: tuple[str, str] | None = None


@dataclass
class Load:
    """Runs from `with` to its end, at `rate` a second."""

    port: int
    people: dict[str, Any]
    api_key: str
    rate: float
    answers: list[Answer] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    """Order numbers that were accepted, with the waybill that was accepted for them, or ""."""
    scans: list[str] = field(default_factory=list)
    """The texts of the scans that were accepted."""

    def __post_init__(self) -> None:
        self._end = threading.Event()
        self._due: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._run = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self._random = random.Random(self._run)
        self._own: dict[int, list[str]] = {}
        self._bare: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._send_on, daemon=True) for _ in range(SENDERS)]

    def __enter__(self) -> "Load":
        self._wait_until_taken()
        for thread in self._threads:
            thread.start()
        self._clock = threading.Thread(target=self._tick, daemon=True)
        self._clock.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for the answers."""
        if self._end.is_set():
            return
        self._end.set()
        self._clock.join()
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS + 5)

    def _wait_until_taken(self) -> None:
        """A store of nonces that has just begun refuses for a moment what may have been signed before."""
        deadline = time.monotonic() + 60
        while self._send(self._read("statuses"))[0] != 200:
            if time.monotonic() > deadline:
                raise RuntimeError(f"refused: {self._send(self._read('statuses'))}")
            time.sleep(0.5)

    def between(self, begin: float, end: float) -> list[Answer]:
        """Return what was answered then: on a busy machine that may be long after it was due."""
        return [answer for answer in list(self.answers) if begin <= answer.at + answer.seconds < end]

    def failed(self) -> list[Answer]:
        return [answer for answer in list(self.answers) if answer.failed]

    def _tick(self) -> None:
        begin = time.monotonic()
        for number in itertools.count():
            due = begin + number / self.rate
            if self._end.wait(max(due - time.monotonic(), 0)):
                return
            self._due.put(due)

    def _send_on(self) -> None:
        while (due := self._due.get()) is not None:
            kind = self._random.choice(KINDS)
            request = self._make(kind)
            status, slot, said = self._send(request)
            self.answers.append(Answer(due, kind, status, time.monotonic() - due, slot, said))

    def _send(self, request: Request) -> tuple[int, str, str]:
        """From an address of its own, over a connection of its own. Returns status, slot, and what a failure said."""
        source = f"127.1.{self._random.randrange(1, 250)}.{self._random.randrange(1, 250)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE_SECONDS, (source, 0))
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, "", f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        if answer.status in (200, 201):
            self._note(request)
            return answer.status, answer.getheader("X-Slot", ""), ""
        return answer.status, answer.getheader("X-Slot", ""), text[:200].decode(errors="replace")

    def _note(self, request: Request) -> None:
        if request.told is None:
            return
        what, value = request.told
        if what == "scan":
            self.scans.append(value)
        elif what == "order":
            self.orders[value] = ""
            self._bare.put(value)
        else:
            self.orders[what] = value

    def _make(self, kind: str) -> Request:
        if kind == "new order" or not self.orders:
            return self._new_order()
        if kind == "parcel":
            return self._parcel()
        if kind == "push":
            shipped = [waybill for waybill in list(self.orders.values()) if waybill]
            return self._push(self._random.choice(shipped)) if shipped else self._new_order()
        return self._read(kind)

    def _read(self, kind: str) -> Request:
        number = self._random.randrange(len(self.people["buyers"]))
        token, secret, _ = self.people["buyers"][number]
        own = [no for no in self._own.get(number, []) if no in self.orders]
        if kind == "order" and own:
            method, path, body = "GET", f"/api/orders/{self._random.choice(own)}", b""
        elif kind == "statuses":
            method, path, body = (
                "POST",
                "/api/orders/statuses",
                json.dumps({"order_nos": own[-20:] or ["none"]}).encode(),
            )
        else:
            method, path, body = "GET", "/api/orders", b""
        signed = _signed("MP1-HMAC-SHA256", "X-MP-", secret, method, path, body)
        return Request(method, path, body, {"Authorization": f"Bearer {token}", **signed})

    def _shop(self, path: str, data: dict[str, Any], told: tuple[str, str]) -> Request:
        key_id, secret = self._random.choice(self.people["shops"])
        body = json.dumps(data).encode()
        signed = _signed("MK1-HMAC-SHA256", "X-", secret, "POST", path, body)
        headers = {"X-Key-Id": key_id, "Idempotency-Key": secrets.token_hex(12), **signed}
        return Request("POST", path, body, headers, told)

    def _new_order(self) -> Request:
        number = self._random.randrange(len(self.people["buyers"]))
        order_no = f"R{self._run}{next(self._numbers):06}"
        self._own.setdefault(number, []).append(order_no)
        data = {
            "order_no": order_no,
            "placed_at": _ago(minutes=30),
            "paid_at": _ago(minutes=20),
            "buyer_openid": self.people["buyers"][number][2],
            "total_fen": 9900,
            "consignee": CONSIGNEE,
            "lines": [{"sku": "S1", "name": "虾仁", "quantity": 1, "unit_price_fen": 9900}],
        }
        return self._shop("/merchant/orders", data, ("order", order_no))

    def _parcel(self) -> Request:
        try:
            order_no = self._bare.get_nowait()
        except queue.Empty:
            return self._new_order()
        waybill = f"RW{order_no[1:].upper()}"
        data = {"carrier_code": self.people["carrier"], "waybill_no": waybill, "shipped_at": _ago(minutes=10)}
        return self._shop(f"/merchant/orders/{order_no}/shipments", data, (order_no, waybill))

    def _push(self, waybill: str) -> Request:
        text = f"快件到达 {self._run} {next(self._numbers):06}"
        trace = {"AcceptTime": _shanghai(minutes=self._random.randrange(1, 9)), "AcceptStation": text, "Action": "2"}
        item = {"ShipperCode": self.people["kdniao_code"], "LogisticCode": waybill, "Success": True, "State": "2"}
        told = {"EBusinessID": "1237100", "PushTime": _shanghai(), "Count": "1", "Data": [{**item, "Traces": [trace]}]}
        data = json.dumps(told, ensure_ascii=False)
        digest = hashlib.md5((data + self.api_key).encode(), usedforsecurity=False).hexdigest()
        sign = quote(base64.b64encode(digest.encode()).decode(), safe="")
        body = f"RequestData={quote(data, safe='')}&RequestType=102&DataSign={sign}".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        return Request("POST", "/callbacks/kdniao", body, kind, ("scan", text))


CONSIGNEE = {
    "name": "张三",
    "phone": "13800001234",
    "province": "上海市",
    "city": "上海市",
    "district": "浦东新区",
    "address": "世纪大道 1 号",
}


def _signed(scheme: str, prefix: str, secret: str, method: str, path: str, body: bytes) -> dict[str, str]:
    """Sign as docs/merchant-api.md describes; none of the paths has a query."""
    stamp, nonce = str(int(time.time())), secrets.token_hex(12)
    lines = [scheme, method, path, "", hashlib.sha256(body).hexdigest(), stamp, nonce]
    signature = hmac.new(bytes.fromhex(secret), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
    named = {"Timestamp": stamp, "Nonce": nonce, "Signature": signature}
    return {"Content-Type": "application/json", **{f"{prefix}{name}": value for name, value in named.items()}}


def _ago(**duration: float) -> str:
    return (datetime.now(UTC) - timedelta(**duration)).isoformat()


def _shanghai(**duration: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=8) - timedelta(**duration)).strftime("%Y-%m-%d %H:%M:%S")
