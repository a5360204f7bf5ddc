import pytest
from django.core.cache import cache
from django.db import transaction

from frozenshop.kernel import redis_store
from frozenshop.kernel.tests.stores import take_cache_away
from orders import versions
from orders.tests.factories import make_order
from orders.versions import bump, cache_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def test_each_order_gets_its_next_version_once_per_bump():
    order = make_order()
    version, updated_at = order.version, order.updated_at
    bump([order.pk, order.pk])
    order.refresh_from_db()
    assert order.version == version + 1
    assert order.updated_at > updated_at


def test_the_version_reaches_the_cache_after_the_commit(django_capture_on_commit_callbacks):
    order = make_order()
    with django_capture_on_commit_callbacks(execute=True):
        bump([order.pk])
        assert cache.get(cache_key(order.order_no)) is None
    assert cache.get(cache_key(order.order_no)) == order.version + 1


def test_what_is_rolled_back_is_not_told(django_capture_on_commit_callbacks):
    order = make_order()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        bump([order.pk])
        transaction.set_rollback(True)
    assert cache.get(cache_key(order.order_no)) is None


def test_a_commit_that_is_told_late_does_not_lower_the_version(django_capture_on_commit_callbacks):
    order = make_order()
    cache.set(cache_key(order.order_no), 99)
    with django_capture_on_commit_callbacks(execute=True):
        bump([order.pk])
    assert cache.get(cache_key(order.order_no)) == 99


def test_a_cache_that_is_down_does_not_fail_the_change(django_capture_on_commit_callbacks, monkeypatch):
    take_cache_away(monkeypatch)
    order = make_order()
    with django_capture_on_commit_callbacks(execute=True):
        bump([order.pk])


def test_orders_that_move_away_are_raised_beyond_what_each_had(django_capture_on_commit_callbacks):
    cache.set(cache_key("B"), 99)
    with django_capture_on_commit_callbacks(execute=True):
        versions.retire({"A": 3, "B": 4, "C": 5})
    assert cache.get_many([cache_key(name) for name in "ABC"]) == {
        cache_key("A"): 4,
        cache_key("B"): 99,
        cache_key("C"): 6,
    }


@pytest.mark.services("redis")
def test_many_orders_are_told_to_redis_in_one_question(django_capture_on_commit_callbacks, monkeypatch):
    versions._publish({"N": 1})  # Redis knows the script from now on
    line, asked = redis_store.current().line, []
    ask = line.ask
    monkeypatch.setattr(line, "ask", lambda *commands: asked.append(commands) or ask(*commands))
    with django_capture_on_commit_callbacks(execute=True):
        versions.retire({f"N{number}": number for number in range(500)})
    assert len(asked) == 1
    assert cache.ttl(cache_key("N499")) > 0


def test_no_orders_are_no_queries(django_assert_num_queries):
    with django_assert_num_queries(0):
        bump([])
