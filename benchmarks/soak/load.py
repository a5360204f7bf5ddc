"""Buyers, staff, the shop and carriers at a steady rate from the clock: a late answer holds up no later request.

A process of its own: `python -m benchmarks.soak.load PLAN.json FACTS.jsonl`. The plan says the rate, the seconds and
who there is; what the program accepted is written down as it is accepted, so that it can be looked for afterwards.
"""

import http.client
import itertools
import json
import queue
import random
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks.client import Buyer, kdniao_push, signed_headers

SENDERS = 48
SHANGHAI = timedelta(hours=8)
TIMEOUT_SECONDS = 15
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
JSON = {"Content-Type": "application/json"}


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Any


class Line:
    """One sender's connections: to one web process, to the other when that is gone, as a load balancer does."""

    def __init__(self, ports: list[int], first: int) -> None:
        self.ports, self.at = ports, first % len(ports)
        self.connections: dict[int, http.client.HTTPConnection] = {}
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, target: str, headers: Callable[[], dict[str, str]], body: bytes = b"") -> Answer:
        """Every request here may be repeated: it reads, or carries what makes a repeat harmless."""
        told = Answer(0, b"", {})
        for _ in range(2 * len(self.ports)):
            port = self.ports[self.at]
            connection = self.connections.setdefault(
                port, http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
            )
            try:
                connection.request(method, target, body, headers())
                answer = connection.getresponse()
                told = Answer(answer.status, answer.read(), answer.headers)
                if told.status != HTTPStatus.UNAUTHORIZED:
                    return told
                # A store of nonces that was just born refuses what was signed before: clients sign anew.
                time.sleep(1)
            except (OSError, http.client.HTTPException):
                connection.close()
                self.at = (self.at + 1) % len(self.ports)
        return told


class Load:
    def __init__(self, plan: dict[str, Any], facts: Path) -> None:
        self.plan, self.run = plan, plan["run"]
        self.buyers = [(Buyer(b["token"], b["secret_hex"]), b["order_nos"]) for b in plan["buyers"]]
        self.facts, self.lock, self.numbers = facts.open("w"), threading.Lock(), itertools.count()
        self.shipped: list[tuple[str, str]] = []
        self.seeded = [tuple(parcel) for parcel in plan["parcels"]]
        self.took: list[tuple[str, float, int]] = []
        kinds = plan["mix"]
        self.kinds, self.weights = list(kinds), list(kinds.values())

    def accepted(self, kind: str, **fact: Any) -> None:
        with self.lock:
            self.facts.write(json.dumps({"kind": kind} | fact, ensure_ascii=False) + "\n")
            self.facts.flush()

    def go(self) -> None:
        """`rate` 0 asks as fast as the answers come."""
        due: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        rate, seconds = self.plan["rate"], self.plan["seconds"]
        started = time.monotonic()
        threads = [threading.Thread(target=self.send, args=(number, due, started)) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        for number in range(int(rate * seconds)):
            time.sleep(max(started + number / rate - time.monotonic(), 0))
            due.put(number / rate)
        for _ in threads:
            due.put(None)
        for thread in threads:
            thread.join()

    def send(self, number: int, due: "queue.SimpleQueue[float | None]", started: float) -> None:
        line, rng = Line(self.plan["ports"], number), random.Random(number)
        while True:
            if self.plan["rate"]:
                if (at := due.get()) is None:
                    return
            elif (at := time.monotonic() - started) > self.plan["seconds"]:
                return
            kind = rng.choices(self.kinds, self.weights)[0]
            status = getattr(self, kind)(line, rng)
            with self.lock:
                self.took.append((kind, time.monotonic() - started - at, status))

    # --- buyers
    def list(self, line: Line, rng: random.Random) -> int:
        return self.by_buyer(line, rng.choice(self.buyers)[0], "GET", "/api/orders?limit=20").status

    def counts(self, line: Line, rng: random.Random) -> int:
        return self.by_buyer(line, rng.choice(self.buyers)[0], "GET", "/api/orders/counts").status

    def document(self, line: Line, rng: random.Random) -> int:
        buyer, orders = rng.choice(self.buyers)
        return self.by_buyer(line, buyer, "GET", f"/api/orders/{rng.choice(orders)}").status

    def refresh(self, line: Line, rng: random.Random) -> int:
        buyer, orders = rng.choice(self.buyers)
        return self.by_buyer(line, buyer, "POST", f"/api/orders/{rng.choice(orders)}/refresh").status

    def by_buyer(self, line: Line, buyer: Buyer, method: str, target: str) -> Answer:
        return line.ask(method, target, lambda: buyer.headers(method, target))

    # --- staff
    def search(self, line: Line, rng: random.Random) -> int:
        wanted = rng.choice([*(p[0] for p in rng.sample(self.seeded, 1)), rng.choice(self.buyers)[1][0]])
        return self.by_staff(line, f"/admin/orders/order/?{urlencode({'q': wanted})}")

    def queue(self, line: Line, rng: random.Random) -> int:
        return self.by_staff(line, rng.choice(["/admin/orders/alert/", "/admin/", "/admin/orders/order/"]))

    def by_staff(self, line: Line, target: str) -> int:
        if "sessionid" not in line.cookies:
            self.sign_in(line)
        return line.ask("GET", target, lambda: {"Cookie": cookies(line)}).status

    def sign_in(self, line: Line) -> None:
        page = line.ask("GET", "/admin/login/", dict)
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
        if token is None:
            return
        keep(line, page)
        form = self.plan["staff"] | {"csrfmiddlewaretoken": token[1].decode(), "next": "/admin/"}
        headers = FORM | {"Cookie": cookies(line), "Referer": "http://127.0.0.1/"}
        keep(line, line.ask("POST", "/admin/login/", lambda: headers, urlencode(form).encode()))

    # --- the shop and the carriers
    def order(self, line: Line, rng: random.Random) -> int:
        """An order, paid and shipped in one go, as a shop with a fast store room does."""
        number = next(self.numbers)
        order_no, waybill_no = f"{self.run}-{number}", f"78{self.plan['serial'] + number:013d}"
        now = datetime.now(UTC)
        answer = self.by_shop(line, "/merchant/orders", self.content(order_no, now))
        if answer.status not in (200, 201):
            return answer.status
        self.accepted("order", order_no=order_no)
        parcel = {"carrier_code": "ZTO", "waybill_no": waybill_no, "shipped_at": now.isoformat()}
        answer = self.by_shop(line, f"/merchant/orders/{order_no}/shipments", parcel)
        if answer.status in (200, 201):
            self.accepted("parcel", order_no=order_no, waybill_no=waybill_no)
            self.shipped.append((waybill_no, "ZTO"))
        return answer.status

    def content(self, order_no: str, now: datetime) -> dict[str, Any]:
        return {
            "order_no": order_no,
            "placed_at": (now - timedelta(minutes=10)).isoformat(),
            "paid_at": (now - timedelta(minutes=9)).isoformat(),
            "buyer_openid": self.plan["openid"],
            "total_fen": 12800,
            "consignee": {
                "name": "测试甲",
                "phone": "13800001234",
                "province": "上海市",
                "city": "上海市",
                "district": "浦东新区",
                "address": "世纪大道一号",
            },
            "lines": [{"sku": "S1", "name": "冻虾 1kg", "quantity": 1, "unit_price_fen": 12800}],
        }

    def by_shop(self, line: Line, target: str, payload: object) -> Answer:
        body, key = json.dumps(payload).encode(), self.plan["merchant"]
        once = f"{self.run}-{time.time_ns()}-{threading.get_ident()}"

        def headers() -> dict[str, str]:
            signed = signed_headers("MK1-HMAC-SHA256", key["secret_hex"], "POST", target, body)
            made = {f"X-{name.title()}": value for name, value in signed.items()}
            return JSON | made | {"X-Key-Id": key["key_id"], "Idempotency-Key": once}

        return line.ask("POST", target, headers, body)

    def push(self, line: Line, rng: random.Random) -> int:
        """快递鸟's push: a scan that is unlike any other, mostly of a new parcel; sent again until it is accepted."""
        number = next(self.numbers)
        waybill_no, code = rng.choice(self.shipped[-200:] or self.seeded)
        text, at = f"{self.run} {number}", datetime.now(UTC) + SHANGHAI
        scan = {"AcceptTime": f"{at:%Y-%m-%d %H:%M:%S}", "AcceptStation": text, "Action": "2"}
        item = {"ShipperCode": code, "LogisticCode": waybill_no, "Success": True, "State": "2", "StateEx": "2"}
        (raw,) = kdniao_push(self.plan["kdniao_api_key"], [item | {"Traces": [scan]}])
        body = raw.partition(b"\r\n\r\n")[2]
        answer = line.ask("POST", "/callbacks/kdniao", lambda: FORM, body)
        if answer.status == 200 and json.loads(answer.body).get("Success") is True:
            self.accepted("scan", text=text)
        return answer.status


def cookies(line: Line) -> str:
    return "; ".join(f"{name}={quote(value)}" for name, value in line.cookies.items())


def keep(line: Line, answer: Answer) -> None:
    for header in answer.headers.get_all("Set-Cookie") or [] if answer.status else []:
        name, _, rest = header.partition("=")
        line.cookies[name] = rest.partition(";")[0]


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    load = Load(plan, Path(sys.argv[2]))
    load.go()
    print(json.dumps(load.took))


if __name__ == "__main__":
    main()
