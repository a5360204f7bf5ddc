import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox import merchant
from sandbox.scenarios import SCENARIOS
from sandbox.server import Sandbox
from sandbox.shop import CALM_AFTER_ORDERS, Shop
from sandbox.shop_stock import BUYERS, OTHERS, PEOPLE
from sandbox.tests.conftest import CONFIG
from sandbox.wechat_templates import PAID, id_of

VECTORS = json.loads((Path(__file__).parent / "fixtures/request_signing.json").read_text(encoding="utf-8"))
DEMO = {
    "buyer": {"openid": "oDemoBuyer", "phone": "13800000042"},
    "merchant": {"key_id": "k", "secret_hex": "00" * 32},
}
STATUSES = {"placed", "paid", "shipped", "in_transit", "delivered", "cancelled", "refunded", "returned"}


class FakeProgram:
    """Takes orders as the program would, and knows each one's status by what the shop said of it."""

    def __init__(self):
        self.orders, self.waybills, self.calls, self.status, self.text = {}, {}, [], 200, "{}"

    def __call__(self, url, payload, *, key_id, secret_hex, once):
        self.calls.append(SimpleNamespace(url=url, payload=payload, key_id=key_id, once=once))
        if self.status == 200:
            self._take(url.removeprefix("http://merchant.test/merchant/orders"), payload)
        return self.status, self.text

    def _take(self, path, payload):
        if not path:
            self.orders[payload["order_no"]] = {**payload, "status": "placed"}
            return
        order = self.orders[path.split("/")[1]]
        if "waybill_no" in payload:
            order["status"] = "shipped"
            self.waybills.setdefault(payload["waybill_no"], (order, payload))
        else:
            order["status"] = payload["type"]

    def mine(self):
        return [order for order in self.orders.values() if order["buyer_openid"] == "oDemoBuyer"]


@pytest.fixture
def program():
    return FakeProgram()


@pytest.fixture
def sim(tmp_path, clock, merchant):
    return Sandbox(replace(CONFIG, state_dir=tmp_path), clock=clock, send=merchant)


@pytest.fixture
def shop(sim, tmp_path, program):
    (tmp_path / "demo.json").write_text(json.dumps(DEMO))
    return Shop(sim.world, tmp_path, post=program)


@pytest.fixture
def live(shop, sim, clock, program):
    """Let the shop and its carriers live; carriers' news move the program's orders."""

    def run(seconds, *, watch=lambda: None, step=2):
        for _ in range(int(seconds / step)):
            clock.forward(step)
            shop.tick()
            for waybill_no, (order, _) in program.waybills.items():
                shipment = sim.world.shipments.get(waybill_no)
                events = shipment.events(clock.now) if shipment else []
                new = [event for event in events if event.at >= shipment.started_at]
                if new:
                    order["status"] = {"3": "delivered", "406": "returned"}.get(
                        new[-1].code if new[-1].code == "406" else new[-1].code[0], "in_transit"
                    )
                    order["moved_at"] = new[-1].at
            watch()

    return run


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["nonce"])
def test_requests_are_signed_as_published(case):
    scheme = case["string_to_sign"].split("\n")[0]
    url = f"http://shop.test{case['url']}"
    text = merchant.string_to_sign(
        case["method"], url, case["body"].encode(), case["timestamp"], case["nonce"], scheme=scheme
    )
    assert text == case["string_to_sign"]
    assert merchant.sign(case["secret_hex"], text) == case["signature"]


def test_the_cycle_ends_in_every_status():
    assert {archetype.ends for archetype in BUYERS} == STATUSES
    assert len(BUYERS) * 2 <= 25


def test_every_scenario_of_the_shop_exists():
    named = {archetype.scenario for archetype in BUYERS + OTHERS if archetype.scenario}
    assert named <= set(SCENARIOS)


def test_people_are_fictitious():
    assert all(person.phone[:7] in ("1380000", "1390000") for person in PEOPLE)


def test_it_waits_for_the_credentials(sim, tmp_path, program):
    Shop(sim.world, tmp_path, post=program).tick()
    assert program.calls == []


def test_an_order_adds_up(shop, program):
    shop.tick()
    order = program.calls[0].payload
    goods = sum(line["quantity"] * line["unit_price_fen"] for line in order["lines"])
    assert order["total_fen"] == goods + order["freight_fen"]
    assert order["consignee"]["phone"] == "13800000042"


@pytest.mark.parametrize("status", [0, 401, 429, 500, 503])
def test_while_the_program_is_away_orders_do_not_pile_up(shop, program, live, status):
    program.status = status
    live(600)
    assert len(shop.plans) == 1
    assert len(program.calls) < 70
    program.status = 200
    live(60)
    assert len(program.orders) > 1


def test_a_refused_order_is_given_up(shop, program, live):
    program.status, program.text = 400, "no"
    shop.tick()
    assert shop.plans == []


def test_within_two_minutes_one_is_delivered_one_is_troubled_one_is_returned(live, program, sim):
    live(90)
    assert {"delivered", "returned"} <= {order["status"] for order in program.mine()}
    codes = {event.code for s in sim.world.shipments.values() for event in s.events(sim.world.clock())}
    assert codes & {"412", "416"}


def test_the_newest_25_hold_every_status_at_any_time(live, program):
    def watch():
        newest = program.mine()[-25:]
        assert len(newest) < 25 or {order["status"] for order in newest} == STATUSES

    live(3600, watch=watch, step=5)
    assert len(program.mine()) > 60


@pytest.mark.parametrize("calm", [False, True], ids=["lively", "calm"])
def test_something_moves_every_minute(live, program, shop, clock, calm):
    """Status changes and carriers' news both count; a new order alone does not."""
    if calm:
        shop.taken = CALM_AFTER_ORDERS
    live(300)
    seen, moved = {}, [clock.now]

    def watch():
        for order in program.mine()[-25:]:
            state = (order["status"], order.get("moved_at"))
            if order["order_no"] in seen and seen[order["order_no"]] != state:
                assert clock.now - moved[0] <= 60
                moved[0] = clock.now
            seen[order["order_no"]] = state

    live(4500, watch=watch, step=3)


def test_after_many_orders_it_slows_down(live, shop):
    shop.taken = CALM_AFTER_ORDERS
    live(1200)
    assert shop.taken - CALM_AFTER_ORDERS == 10


def test_others_buy_too(live, program):
    live(600)
    others = [order for order in program.orders.values() if order["buyer_openid"] != "oDemoBuyer"]
    assert len(others) >= 5


def test_parcels_of_one_order_share_out_its_lines(live, program):
    live(900)
    shares = [payload["lines"] for order, payload in program.waybills.values() if "lines" in payload]
    assert shares
    assert all(len(share) == 1 for share in shares)


def test_a_restart_goes_on_with_the_orders_under_way(shop, sim, tmp_path, program, clock):
    shop.tick()
    again = Shop(sim.world, tmp_path, post=program)
    clock.forward(60)
    again.tick()
    assert [call.payload.get("type") for call in program.calls[:2]] == [None, "paid"]
    assert (tmp_path / "sandbox-shop.json").stat().st_mode & 0o077 == 0


def test_most_buyers_allow_messages_after_ordering(live, sim):
    live(120)
    consents = sim.world.wechat.messages.consents
    assert {openid for openid, _ in consents} >= {"oDemoBuyer"}
    assert consents["oDemoBuyer", id_of(PAID)] > 0
    assert sim.world.wechat.events
