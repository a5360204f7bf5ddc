"""Many processes at once: the floor, the budget, the probe and a repeated push each have one winner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from frozenshop.kernel import clock
from logistics import asking, breaker, floor, messages, polling, refusals
from logistics.models import ProviderMessage, ProviderRefusal, ProviderState
from logistics.tests.factories import make_carrier
from logistics.tests.test_messages import body_of
from logistics.tests.tracked import queued, tracked

MANY = 8
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services("mysql")]


def together(act: Callable[[], Any]) -> list[Any]:
    """Do it in many connections at the same moment and return what came of each; a refusal counts as None."""
    start = Barrier(MANY)

    def one(_: int) -> Any:
        try:
            connection.ensure_connection()
            start.wait()
            return act()
        except asking.NotNow:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


def test_one_of_many_gets_leave_to_ask():
    shipment = tracked()
    assert sum(leave is not None for leave in together(lambda: floor.take_leave(shipment))) == 1


def test_the_budget_is_never_overdrawn():
    breaker.state_of("kdniao")
    ProviderState.objects.update(daily_budget=5)
    tickets = together(lambda: asking.admit("kdniao", "query", "SF1"))
    assert (sum(ticket is not None for ticket in tickets), breaker.state_of("kdniao").calls_today) == (5, 5)


def test_one_of_many_is_the_probe():
    breaker.state_of("kdniao")
    ProviderState.objects.update(open_until=clock.now(), failures=5)
    assert together(lambda: breaker.admit("kdniao")).count(True) == 1


def test_one_of_many_finds_out_whether_a_carrier_is_still_refused():
    refusals.note("kdniao", make_carrier(), "没有可用套餐")
    ProviderRefusal.objects.update(retry_at=clock.now())
    assert together(lambda: refusals.admit("kdniao", make_carrier())).count(True) == 1


def test_the_first_question_ever_makes_one_row():
    together(lambda: asking.admit("kdniao", "query", "SF1"))
    assert ProviderState.objects.get().calls_today == MANY


def test_a_push_that_comes_many_times_at_once_is_kept_once():
    replies = together(lambda: messages.receive("kdniao", body_of("push_101_basic")).status)
    assert set(replies) == {200}
    assert (ProviderMessage.objects.count(), len(queued("logistics.apply_message"))) == (1, 1)


def test_a_due_parcel_is_queued_once():
    shipment = tracked()
    type(shipment).objects.update(next_poll_at=clock.now())
    together(polling.claim_due)
    assert len(queued("logistics.sync_shipment")) == 1
