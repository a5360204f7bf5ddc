"""Reads that may be stale come from a real replica; lag, its death and one's own writes turn them to the primary."""

import re
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from frozenshop.kernel.tests.stores import OwnRedis
from tests.mariadb import OwnMariaDB
from tests.stack import Stack, StackBuyer, wait_until

pytestmark = [pytest.mark.drill, pytest.mark.services]

BOUND_SECONDS = 6
_TABLES = re.compile(r"Query\tSELECT .* FROM `(orders|logistics)_")


class Copied:
    """A web on a primary and its replica."""

    def __init__(self, primary: OwnMariaDB, replica: OwnMariaDB, stack: Stack) -> None:
        self.primary, self.replica, self.stack = primary, replica, stack

    def asked(self, ask) -> tuple[int, int]:
        """Return how many questions about orders and parcels each server was asked by `ask()`: primary, replica."""
        servers = (self.primary, self.replica)
        before = [len(server.asked()) for server in servers]
        ask()
        counts = [len(_TABLES.findall(server.asked()[since:])) for server, since in zip(servers, before, strict=True)]
        return counts[0], counts[1]

    def until_used(self, ask) -> None:
        """Wait until `ask()` is answered by the replica alone: it is there, and has what this reader wrote."""

        def used() -> bool:
            on_primary, on_replica = self.asked(ask)
            return on_replica > 0 and on_primary == 0

        wait_until(used, 30, self.stack.logs)

    def stop_applying(self) -> None:
        self.replica.sql("STOP SLAVE SQL_THREAD")

    def apply(self) -> None:
        self.replica.sql("START SLAVE SQL_THREAD")
        self.replica.caught_up(self.primary)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    folder = tmp_path_factory.mktemp("replica")
    primary, replica, redis = OwnMariaDB(folder / "p", 1), OwnMariaDB(folder / "r", 2), OwnRedis(folder)
    (folder / "var").mkdir()
    stack = Stack(
        folder / "var",
        DATABASE_URL=primary.url,
        REPLICA_DATABASE_URL=replica.url,
        REDIS_URL=redis.url,
        REPLICA_MAX_LAG_SECONDS=str(BOUND_SECONDS),
    )
    try:
        for server in (primary, replica):
            server.install()
            server.start()
        replica.follow(primary)
        primary.create_database()
        redis.start()
        stack.prepare()
        replica.caught_up(primary)
        stack.start("sandbox", "web")
        yield Copied(primary, replica, stack)
    finally:
        stack.stop()
        redis.kill()
        for server in (replica, primary):
            server.kill()


@pytest.fixture
def buyer(copied: Copied) -> StackBuyer:
    """Log a buyer in, whose list comes from the replica by now."""
    buyer = copied.stack.buyer()
    copied.until_used(lambda: _list(buyer))
    return buyer


def _list(buyer: StackBuyer) -> dict[str, str]:
    answer = buyer.call("GET", "/api/orders?limit=50")
    assert answer.status_code == 200, answer.text
    return {one["order_no"]: one["status"] for one in answer.json()["results"]}


def _first(buyer: StackBuyer, *statuses: str) -> str:
    return next(order_no for order_no, status in _list(buyer).items() if status in statuses)


@pytest.mark.timeout(180)
def test_what_may_be_stale_is_asked_of_the_replica_alone(copied, buyer):
    *_, order_no = (number for number, status in _list(buyer).items() if status == "delivered")  # nobody has read it
    staff = copied.stack.staff()
    admin = f"{copied.stack.base}/admin"
    copied.until_used(lambda: staff.get(f"{admin}/orders/order/", timeout=10).raise_for_status())
    for ask in (
        lambda: buyer.call("GET", f"/api/orders/{order_no}"),
        lambda: buyer.call("GET", "/api/orders/counts"),
        lambda: buyer.call("POST", "/api/orders/statuses", {"order_nos": [order_no]}),
        lambda: staff.get(f"{admin}/", timeout=10),
        lambda: staff.get(f"{admin}/orders/order/?q={order_no}", timeout=10),
        lambda: staff.get(f"{admin}/orders/alert/statistics/", timeout=10),
    ):
        answers = []
        on_primary, on_replica = copied.asked(lambda: answers.append(ask()))  # noqa: B023
        assert answers[0].status_code == 200, answers[0].text
        assert (on_primary, on_replica > 0) == (0, True), answers[0].url


@pytest.mark.timeout(180)
def test_what_decides_a_write_is_asked_of_the_primary(copied, buyer):
    order_no = _first(buyer, "shipped", "in_transit")
    assert copied.asked(lambda: buyer.call("POST", f"/api/orders/{order_no}/refresh"))[1] == 0


@pytest.mark.timeout(180)
def test_no_answer_is_older_than_the_bound(copied, buyer):
    order_no = _first(buyer, "delivered")
    copied.stop_applying()
    try:
        changed = time.monotonic()
        copied.primary.sql(f"UPDATE orders_order SET status='returned' WHERE order_no='{order_no}'", "frozenshop")
        assert _list(buyer)[order_no] == "delivered"  # not older than the bound, so it may still be shown
        last_stale = time.monotonic()
        while time.monotonic() < changed + BOUND_SECONDS + 1:
            asked_at = time.monotonic()
            if _list(buyer)[order_no] == "delivered":
                last_stale = asked_at
            time.sleep(0.1)  # A session has 20 requests a second.
        assert last_stale - changed <= BOUND_SECONDS
        assert "只读副本落后" in copied.stack.doctor()
    finally:
        copied.apply()
        copied.primary.sql(f"UPDATE orders_order SET status='delivered' WHERE order_no='{order_no}'", "frozenshop")
    copied.until_used(lambda: _list(buyer))


@pytest.mark.timeout(180)
def test_a_buyer_who_has_acted_sees_it_while_others_may_not_yet(copied, buyer):
    onlooker = copied.stack.buyer()
    copied.until_used(lambda: _list(onlooker))
    order_no = _first(buyer, "shipped", "in_transit")
    copied.stop_applying()
    try:
        assert buyer.call("POST", f"/api/orders/{order_no}/confirm").status_code == 200
        assert _list(buyer)[order_no] == "delivered"
        assert _list(onlooker)[order_no] != "delivered"
        assert buyer.call("GET", f"/api/orders/{order_no}").json()["status"] == "delivered"
    finally:
        copied.apply()
    copied.until_used(lambda: _list(buyer))
    assert _list(buyer)[order_no] == "delivered"


@pytest.mark.timeout(180)
def test_a_phone_that_was_just_bound_shows_its_orders_at_once(copied):
    phone = "13800007777"
    order_no = copied.stack.shop().take_order(phone)
    copied.replica.caught_up(copied.primary)
    buyer = copied.stack.buyer("openid-of-somebody-new")
    copied.until_used(lambda: _list(buyer))
    code = copied.stack.simulate("wechat/phone-code", {"phone": phone})["code"]
    copied.stop_applying()
    try:
        assert buyer.call("POST", "/api/auth/phone", {"code": code}).status_code == 200
        assert order_no in _list(buyer)
    finally:
        copied.apply()


@pytest.mark.timeout(180)
def test_what_a_member_of_staff_has_done_is_on_the_next_page(copied, buyer):
    copied.stack.colleague("second")
    copied.replica.caught_up(copied.primary)
    staff, other = copied.stack.staff(), copied.stack.staff("second")
    page = f"{copied.stack.base}/admin/kernel/calendarday/"
    days = lambda who: who.get(page, timeout=10).text  # noqa: E731
    copied.stop_applying()
    try:
        form = {"day": "2031-05-05", "kind": "holiday", "name": "只读副本演练"}
        token = {"csrfmiddlewaretoken": staff.cookies["csrftoken"]}
        answer = staff.post(
            f"{page}add/", data=form | token, headers={"Referer": page}, timeout=10, allow_redirects=False
        )
        assert answer.status_code == 302, answer.text
        assert "只读副本演练" in days(staff)
        assert "只读副本演练" not in days(other)
    finally:
        copied.apply()
    wait_until(lambda: "只读副本演练" in days(other), 30, copied.stack.logs)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["killed", "hanging"])
def test_a_replica_that_goes_costs_no_request(copied, buyer, fault):
    answers: list[int | str] = []
    stop = threading.Event()
    buyers = [copied.stack.buyer() for _ in range(4)]
    readers = [threading.Thread(target=_keep_asking, args=(one, answers, stop)) for one in buyers]
    for reader in readers:
        reader.start()
    try:
        wait_until(lambda: len(answers) > 20, 30)
        (copied.replica.kill if fault == "killed" else copied.replica.hang)()
        gone = len(answers)
        wait_until(lambda: "只读副本没有回应" in copied.stack.doctor(), 30)
        wait_until(lambda: len(answers) > gone + 50, 30)
    finally:
        if fault == "killed":
            copied.replica.start()
        else:
            copied.replica.go_on()
        stop.set()
        for reader in readers:
            reader.join()
    assert set(answers) == {200}
    copied.replica.caught_up(copied.primary)
    copied.until_used(lambda: _list(buyer))
    assert "副本" not in copied.stack.doctor()


def _keep_asking(buyer: StackBuyer, answers: list[int | str], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            answers.append(buyer.call("GET", "/api/orders/counts").status_code)
        except requests.RequestException as error:
            answers.append(type(error).__name__)
        stop.wait(0.1)  # A session has 20 requests a second.
