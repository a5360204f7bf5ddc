"""The demo shop's own backend: it takes orders, is paid and ships, so that the demo lives by itself.

It knows the program by the merchant API alone, and registers its parcels in the sandbox it runs in.
"""

import contextlib
import dataclasses
import hashlib
import logging
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox import controls, merchant, wechat_payment_controls
from sandbox.instants import isoformat, shanghai
from sandbox.scenarios import SCENARIOS
from sandbox.shop_stock import BUYER, BUYERS, CARRIERS, GOODS, OTHERS, PEOPLE, Archetype, Person
from sandbox.wechat_templates import PAID, id_of
from sandbox.world import World, read_json, write_owner_only

GAP_SECONDS, OPENING_GAP_SECONDS, CALM_GAP_SECONDS = 25.0, 3.0, 120.0
OPENING_ORDERS, CALM_AFTER_ORDERS = 4, 500
CALM_STRETCH = 3.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 10.0
MEMORY = "sandbox-shop.json"
ASKED_AT_ONCE = 3
AGAIN = frozenset({0, 401, 403, 409, 429})

log = logging.getLogger(__name__)
Post = Callable[..., tuple[int, str]]


@dataclasses.dataclass
class Act:
    """Something the shop does at an instant. `kind`: place, paid, cancelled, refunded or ship."""

    due: float
    kind: str
    details: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Plan:
    """What will become of one order; `acts` in the order of their times."""

    order: dict[str, Any]
    acts: list[Act]

    @property
    def order_no(self) -> str:
        return str(self.order["order_no"])


def _openid(person: Person) -> str:
    """Return the same openid for the same person at each start; WeChat's, too, tell nobody's phone."""
    return f"oDemo{hashlib.sha256(person.phone.encode()).hexdigest()[:23]}"


def open_shop(world: World) -> Callable[[], None]:
    """Return the shop's round. Its credentials are read from the demo's file when that appears."""
    directory = world.config.state_dir
    if directory is None:
        raise ValueError("the demo shop needs a directory for its memory")
    return Shop(world, directory).tick


class Shop:
    """`tick` is the whole driver: it does what is due now, and never sleeps.

    While the program is away (the pause has grown) no new orders come, so that they don't pile up.
    """

    def __init__(self, world: World, directory: Path, *, post: Post = merchant.post) -> None:
        self._world, self._directory, self._post = world, directory, post
        self._rng = random.Random(world.rng.random())  # noqa: S311 - a play, not a secret
        self._wait_until, self._pause = 0.0, SHORTEST_PAUSE_SECONDS
        self.taken, self.theirs, self.next_at, self.plans = 0, 0, 0.0, list[Plan]()
        self._remember()

    def tick(self) -> None:
        now = self._world.clock()
        credentials = self._credentials()
        if now < self._wait_until or credentials is None:
            return
        if now >= self.next_at and self._pause == SHORTEST_PAUSE_SECONDS:
            self._take_order(now, credentials)
        for plan in list(self.plans):
            while plan.acts and plan.acts[0].due <= now:
                if not self._perform(plan, credentials):
                    return
        self.plans = [plan for plan in self.plans if plan.acts]

    def _credentials(self) -> dict[str, Any] | None:
        """Read anew each round: a new start may have made new keys."""
        found = read_json(self._directory / "demo.json")
        return found if found and found.get("merchant") and found.get("buyer") else None

    def _take_order(self, now: float, credentials: Mapping[str, Any]) -> None:
        """In the calm after many orders each lives longer, so that something still moves every minute."""
        calm = self.taken >= CALM_AFTER_ORDERS
        theirs = not calm and self.taken >= OPENING_ORDERS and self.taken % 3 == 2
        cycle, number = (OTHERS, self.theirs) if theirs else (BUYERS, self.taken - self.theirs)
        person = self._rng.choice(PEOPLE) if theirs else BUYER._replace(phone=credentials["buyer"]["phone"])
        openid = _openid(person) if theirs else credentials["buyer"]["openid"]
        archetype = cycle[number % len(cycle)]
        order = self._order(now, person, openid)
        self._allow_messages(openid)
        self.plans.append(Plan(order, self._acts(now, archetype, order, CALM_STRETCH if calm else 1.0)))
        self.taken, self.theirs = self.taken + 1, self.theirs + theirs
        opening = self.taken < OPENING_ORDERS
        self.next_at = now + (OPENING_GAP_SECONDS if opening else CALM_GAP_SECONDS if calm else GAP_SECONDS)
        self._memorise()

    def _allow_messages(self, openid: str) -> None:
        """Two of three buyers allow what the mini-program asks; the others are told by SMS.

        It asks when they order (that it was paid) and after paying: a dialog shows three at most.
        """
        messages = self._world.wechat.messages
        if self.taken % 3 != 1:
            with self._world.lock:
                messages.popup(openid, {id_of(PAID): "accept"})
                messages.popup(openid, dict.fromkeys(list(messages.templates)[:ASKED_AT_ONCE], "accept"))

    def _order(self, now: float, person: Person, openid: str) -> dict[str, Any]:
        lines = [
            {
                "sku": goods.sku,
                "name": goods.name,
                "quantity": self._rng.randint(1, 3),
                "unit_price_fen": goods.price_fen,
                "category": goods.category,
                "temperature_class": "frozen",
            }
            for goods in self._rng.sample(GOODS, 2)
        ]
        goods_fen = sum(int(str(line["quantity"])) * int(str(line["unit_price_fen"])) for line in lines)
        freight_fen = 0 if goods_fen >= 19_900 else 1_500
        order_no = f"FD{shanghai(now):%Y%m%d%H%M%S}{self.taken % 1000:03d}"
        return {
            "order_no": order_no,
            "placed_at": isoformat(now),
            "buyer_openid": openid,
            "payment": {"mchid": self._world.config.wechat_mchid, "out_trade_no": order_no},
            "total_fen": goods_fen + freight_fen,
            "freight_fen": freight_fen,
            "consignee": person._asdict(),
            "lines": lines,
            "note": self._rng.choice(("", "请放冷冻柜", "到了打电话")),
        }

    def _acts(self, now: float, archetype: Archetype, order: Mapping[str, Any], stretch: float) -> list[Act]:
        money = {"amount_fen": order["total_fen"]}
        acts = [Act(now, "place")]
        for kind, after in (("paid", archetype.pay), ("cancelled", archetype.cancel), ("refunded", archetype.refund)):
            if after is not None:
                acts.append(Act(now + after * stretch, kind, {} if kind == "cancelled" else money))
        if archetype.ship is not None:
            acts += self._parcels(now + archetype.ship * stretch, archetype, order, stretch)
        return sorted(acts, key=lambda act: act.due)

    def _parcels(self, due: float, archetype: Archetype, order: Mapping[str, Any], stretch: float) -> list[Act]:
        """One parcel holds everything; of several, each holds one line and travels a little slower than the last."""
        carrier_code, shape = self._rng.choice(CARRIERS)
        shares = [[line] for line in order["lines"]] if archetype.parcels > 1 else [None]
        return [
            Act(
                due + 4 * number,
                "ship",
                {
                    "carrier_code": carrier_code,
                    "waybill_no": shape.format(self._rng.randrange(10**10)),
                    "scenario": archetype.scenario,
                    "seconds": archetype.seconds * stretch * (1 + 0.2 * number),
                    "lines": share and [{"sku": line["sku"], "quantity": line["quantity"]} for line in share],
                },
            )
            for number, share in enumerate(shares)
        ]

    def _perform(self, plan: Plan, credentials: Mapping[str, Any]) -> bool:
        """Do the plan's next act. False: the shop isn't open to us now; everything waits a little."""
        act = plan.acts[0]
        path, payload = self._request(plan, act)
        status, text = self._post(
            self._world.config.public_url.rstrip("/") + path,
            payload,
            key_id=credentials["merchant"]["key_id"],
            secret_hex=credentials["merchant"]["secret_hex"],
            once=f"{plan.order_no}-{act.kind}-{act.details.get('waybill_no', '')}",
        )
        if status in AGAIN or status >= 500:
            self._wait_until = self._world.clock() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            return False
        self._pause = SHORTEST_PAUSE_SECONDS
        if status >= 300:
            log.warning("演示店铺：%s 的 %s 被拒绝：%s %s", plan.order_no, act.kind, status, text[:300])
            plan.acts.clear()
        else:
            plan.acts.pop(0)
            self._pay(plan, act)
            self._register(plan, act)
        self._memorise()
        return True

    def _request(self, plan: Plan, act: Act) -> tuple[str, dict[str, Any]]:
        now = isoformat(self._world.clock())
        if act.kind == "place":
            return "/merchant/orders", plan.order
        if act.kind == "ship":
            told = {"carrier_code", "waybill_no", "lines"}
            parcel = {key: value for key, value in act.details.items() if key in told and value}
            return f"/merchant/orders/{plan.order_no}/shipments", parcel | {"shipped_at": now}
        fact = {"type": act.kind, "occurred_at": now, "reference": f"{act.kind}-{plan.order_no}"}
        return f"/merchant/orders/{plan.order_no}/events", fact | act.details

    def _pay(self, plan: Plan, act: Act) -> None:
        """The buyer pays by WeChat, or gets the money back."""
        named = {"mchid": self._world.config.wechat_mchid, "out_trade_no": plan.order_no}
        with self._world.lock:
            if act.kind == "paid":
                paid = {"openid": plan.order["buyer_openid"], "paid_fen": plan.order["total_fen"]}
                wechat_payment_controls.pay(self._world, named | paid)
            elif act.kind == "refunded":
                with contextlib.suppress(controls.BadControl):  # paid before the sandbox kept payments
                    wechat_payment_controls.act(self._world, named | {"act": "refund"})

    def _register(self, plan: Plan, act: Act) -> None:
        """Hand the parcel to the carrier. One that will have no trace is simply not known to it."""
        if act.kind != "ship" or act.details["scenario"] == "no_trace":
            return
        consignee = plan.order["consignee"]
        scenario = act.details["scenario"]
        asked = {
            "carrier_code": act.details["carrier_code"],
            "scenario": scenario,
            "speed": max(SCENARIOS[scenario].hours, 1) * 3600 / act.details["seconds"],
            "destination": consignee["city"],
            "consignee": {"name": consignee["name"], "phone": consignee["phone"]},
            "phone_tail": consignee["phone"][-4:],
            "order_code": plan.order_no,
            "group": plan.order_no if scenario == "multi_parcel" else "",
        }
        with self._world.lock:
            controls.put_shipment(self._world, act.details["waybill_no"], asked)

    def _memorise(self) -> None:
        plans = [dataclasses.asdict(plan) for plan in self.plans if plan.acts]
        known = {"taken": self.taken, "theirs": self.theirs, "next_at": self.next_at, "plans": plans}
        write_owner_only(self._directory / MEMORY, known)

    def _remember(self) -> None:
        found = read_json(self._directory / MEMORY)
        if found is None:
            return
        self.taken, self.theirs, self.next_at = found["taken"], found["theirs"], found["next_at"]
        self.plans = [Plan(plan["order"], [Act(**act) for act in plan["acts"]]) for plan in found["plans"]]
