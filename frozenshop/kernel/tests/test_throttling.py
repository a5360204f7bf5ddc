import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import throttling
from frozenshop.kernel.errors import Unavailable
from frozenshop.kernel.tests import stores

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as frozen:
        yield frozen
    stores.close_stores()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services("redis"))])
def store(request, monkeypatch, settings):
    stores.fresh_memory(monkeypatch)
    if request.param == "redis":
        return stores.use_shared_redis(monkeypatch, settings)
    settings.REDIS_URL = ""
    return None


@pytest.mark.usefixtures("store")
class TestEveryStore:
    def test_a_burst_is_allowed_and_not_one_more(self, clock):
        assert [throttling.hit("k", rate=1, burst=10) is None for _ in range(12)] == [True] * 10 + [False] * 2

    def test_exactly_the_burst_is_allowed_of_200_at_once(self, clock):
        allowed = stores.in_parallel(200, lambda _: throttling.hit("k", rate=0.1, burst=10))
        assert allowed.count(None) == 10

    def test_the_wait_is_told_and_is_enough(self, clock):
        throttling.hit("k", rate=0.5, burst=1)
        wait = throttling.hit("k", rate=0.5, burst=1)
        assert wait == dt.timedelta(seconds=2)
        clock.shift(wait)
        assert throttling.hit("k", rate=0.5, burst=1) is None

    def test_a_refused_hit_counts_for_nothing(self, clock):
        for _ in range(50):
            throttling.hit("k", rate=1, burst=1)
        clock.shift(1)
        assert throttling.hit("k", rate=1, burst=1) is None

    def test_the_sustained_rate_holds_over_time(self, clock):
        throttling.hit("k", rate=3, burst=1)
        allowed = 0
        for _ in range(100):
            clock.shift(0.1)
            allowed += throttling.hit("k", rate=3, burst=1) is None
        assert 25 <= allowed <= 30

    def test_an_odd_rate_loses_nothing_to_rounding(self, clock):
        assert [throttling.hit("k", rate=7 / 3, burst=500) for _ in range(500)] == [None] * 500
        assert throttling.hit("k", rate=7 / 3, burst=500) is not None

    def test_keys_do_not_share_a_limit(self, clock):
        assert [throttling.hit(key, rate=1, burst=1) for key in ("a", "b", "锁")] == [None] * 3


@pytest.fixture
def closed_port(monkeypatch, settings):
    stores.fresh_memory(monkeypatch)
    return stores.use_redis(monkeypatch, settings, "redis://127.0.0.1:1/0")


@pytest.mark.usefixtures("closed_port")
def test_each_process_counts_for_itself_while_redis_is_away(clock):
    assert [throttling.hit("k", rate=1, burst=2) is None for _ in range(3)] == [True, True, False]


@pytest.mark.usefixtures("closed_port")
def test_a_strict_limit_allows_nothing_while_redis_is_away(clock):
    with pytest.raises(Unavailable):
        throttling.hit("k", rate=1, burst=2, strict=True)


def test_a_redis_that_failed_is_left_alone_for_a_moment(closed_port, monkeypatch):
    monkeypatch.setattr(throttling.redis_store, "PAUSE_SECONDS", 60)
    throttling.hit("k", rate=1, burst=2)
    monkeypatch.setattr(closed_port, "_evaluate", lambda *asked: pytest.fail("asked again"))
    assert throttling.hit("k", rate=1, burst=2) is None


def test_memory_forgets_keys_that_limit_nobody(clock, monkeypatch):
    monkeypatch.setattr(throttling, "MAX_KEYS_HERE", 3)
    limits = throttling.LocalLimits()
    for number in range(10):
        limits.hit(str(number), rate=1, burst=1)
        clock.shift(2)
    assert len(limits._instants) <= 3
