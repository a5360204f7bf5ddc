import time

import pytest
import time_machine
from django.db import connection

from frozenshop.kernel import nonces, purging, redis_store
from frozenshop.kernel.admission import admit
from frozenshop.kernel.errors import RateLimited
from frozenshop.kernel.models import Nonce
from frozenshop.kernel.signing import NonceReused
from frozenshop.kernel.tests import stores
from frozenshop.kernel.throttling import hit

NOW = 1_795_000_000


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    stores.fresh_memory(monkeypatch)
    monkeypatch.setattr(nonces.HERE, "_born", time.monotonic() - 3600)
    with time_machine.travel(NOW, tick=False) as frozen:
        yield frozen
    stores.close_stores()


def now():
    return int(time.time())


def accepted(nonce="n" * 16, *, scope="s:1", signed_at=None, writes=True, burst=1000):
    try:
        admit(scope, nonce, now() if signed_at is None else signed_at, rate=20, burst=burst, writes=writes)
    except NonceReused:
        return False
    return True


@pytest.fixture(params=["memory", "database", pytest.param("redis", marks=pytest.mark.services("redis")), "redis away"])
def store(request, monkeypatch, settings):
    settings.REDIS_URL = ""
    if request.param == "database":
        settings.EMBEDDED = False
    if request.param == "redis":
        stores.make_old(stores.use_shared_redis(monkeypatch, settings))
    if request.param == "redis away":
        missing = stores.use_redis(monkeypatch, settings, "redis://127.0.0.1:1/0")
        missing._away_since = time.monotonic() - 3600


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("store")
class TestEveryStore:
    def test_a_nonce_is_good_once(self):
        assert accepted()
        assert not accepted()

    def test_a_nonce_is_good_once_in_each_scope(self):
        assert accepted(scope="s:1")
        assert accepted(scope="s:2")

    def test_nonces_compare_byte_by_byte(self):
        assert accepted("Nonce-00000000001")
        assert accepted("nonce-00000000001")

    def test_a_refused_rate_burns_no_nonce(self, clock):
        assert accepted("a" * 16, burst=1)
        with pytest.raises(RateLimited) as refused:
            accepted("b" * 16, burst=1)
        clock.shift(refused.value.retry_after.total_seconds())
        assert accepted("b" * 16, burst=1)

    def test_a_replay_counts_for_nothing_in_the_rate(self):
        assert accepted("a" * 16, burst=2)
        assert not any(accepted("a" * 16, burst=2) for _ in range(5))
        assert accepted("b" * 16, burst=2)

    def test_the_wait_is_told(self):
        accepted("a" * 16, burst=1)
        with pytest.raises(RateLimited) as refused:
            accepted("b" * 16, burst=1)
        assert refused.value.retry_after.total_seconds() == 0.05


@pytest.mark.django_db(transaction=True)
class TestInParallel:
    """SQLite lets one write at a time, so the database's turn is on the real one."""

    def test_one_of_200_replays_is_accepted_in_memory(self, settings):
        settings.REDIS_URL = ""
        settings.EMBEDDED = True
        assert stores.in_parallel(200, lambda _: accepted()).count(True) == 1

    @pytest.mark.services("redis")
    def test_one_of_200_replays_is_accepted_by_redis(self, monkeypatch, settings):
        stores.use_shared_redis(monkeypatch, settings)
        results = stores.in_parallel(200, lambda _: accepted())
        assert (results.count(True), results.count(False)) == (1, 199)

    def test_one_of_200_replays_is_accepted_by_the_database(self, monkeypatch, settings):
        if connection.vendor == "sqlite":
            pytest.skip("threads don't share a database in memory")
        stores.use_redis(monkeypatch, settings, "redis://127.0.0.1:1/0")
        results = stores.in_parallel(200, lambda _: accepted(), threads=16)
        assert (results.count(True), results.count(False)) == (1, 199)

    @pytest.mark.services("redis")
    def test_exactly_the_burst_is_admitted_of_200_at_once(self, monkeypatch, settings):
        stores.use_shared_redis(monkeypatch, settings)
        results = stores.in_parallel(200, lambda number: accepted(f"nonce-{number:012}", burst=10))
        assert results.count(True) == 10
        assert sum(isinstance(result, RateLimited) for result in results) == 190


def test_memory_refuses_writes_that_were_signed_before_the_process_started(monkeypatch, settings):
    settings.REDIS_URL = ""
    settings.EMBEDDED = True
    monkeypatch.setattr(nonces.HERE, "_born", time.monotonic() - 10)
    assert not accepted("a" * 16, signed_at=now() - 11)
    assert not accepted("a" * 16, signed_at=now() - 100)
    assert accepted("b" * 16, signed_at=now() - 9)
    assert accepted("c" * 16, signed_at=now() - 11, writes=False)


def test_memory_forgets_a_nonce_only_when_its_signature_is_no_longer_valid(monkeypatch):
    memory = nonces.MemoryNonces()
    memory.use("s", "n", now(), writes=False)
    moment = time.monotonic()
    monkeypatch.setattr(nonces.time, "monotonic", lambda: moment + 299)
    with pytest.raises(NonceReused):
        memory.use("s", "n", now(), writes=False)
    monkeypatch.setattr(nonces.time, "monotonic", lambda: moment + 302)
    memory.use("s", "other", now(), writes=False)
    assert memory._used == {("s", "other")}


@pytest.mark.django_db
def test_a_nonce_row_is_kept_for_at_least_300_seconds(settings):
    settings.REDIS_URL = ""
    settings.EMBEDDED = False
    accepted()
    assert Nonce.objects.get().expires_at.timestamp() >= NOW + 300


@pytest.mark.django_db
def test_rows_of_dead_nonces_are_purged(settings, clock, monkeypatch):
    settings.REDIS_URL = ""
    settings.EMBEDDED = False
    monkeypatch.setattr(purging, "BATCH", 2)
    for number in range(5):
        accepted(f"old-{number:012}")
    clock.shift(300)
    accepted("young-0000000000")
    assert nonces.purge() == 5
    assert Nonce.objects.get().nonce == "young-0000000000"


@pytest.fixture
def own_redis(tmp_path, monkeypatch, settings):
    server = stores.OwnRedis(tmp_path)
    server.start()
    server.store = stores.use_redis(monkeypatch, settings, server.url)
    yield server
    stores.close_stores()
    server.kill()


@pytest.mark.services("redis")
@pytest.mark.django_db
class TestSwitches:
    """Each step is a second after the former, by the clock that signs; by the store's own clock it is an instant."""

    def warm(self, clock):
        accepted("warm-up-000000000", writes=False)
        clock.shift(1)

    def test_a_nonce_is_kept_by_redis_for_at_least_300_seconds(self, own_redis):
        accepted(writes=False)
        (key,) = own_redis.store.client.keys("*:nonce:*")
        assert own_redis.store.client.ttl(key) >= 299

    def test_one_round_trip_decides(self, own_redis, monkeypatch):
        accepted("a" * 16)
        asked = []
        ask = own_redis.store.line.ask
        monkeypatch.setattr(own_redis.store.line, "ask", lambda *commands: asked.append(commands) or ask(*commands))
        assert accepted("b" * 16)
        assert [[command[0] for command in commands] for commands in asked] == [["EVALSHA"]]

    def test_an_emptied_redis_refuses_what_was_signed_before(self, own_redis, clock):
        assert accepted("a" * 16)
        own_redis.store.client.flushall()
        clock.shift(1)
        assert not accepted("a" * 16, signed_at=now() - 1)
        assert accepted("b" * 16)

    def test_reading_goes_on_whatever_the_age_of_redis(self, own_redis, clock):
        own_redis.store.client.flushall()
        assert accepted(signed_at=now() - 60, writes=False)

    def test_a_restarted_redis_refuses_what_was_signed_before_even_if_it_kept_its_data(self, own_redis, clock):
        self.warm(clock)
        assert accepted("a" * 16)
        own_redis.store.client.config_set("appendfsync", "always")
        signed_at = now()
        own_redis.kill()
        stores.hang_up(own_redis.store)
        own_redis.start()
        clock.shift(1)
        assert own_redis.store.client.dbsize() > 0
        assert not accepted("b" * 16, signed_at=signed_at)
        assert accepted("c" * 16)

    def test_no_replay_passes_a_switch_to_the_database_and_back(self, own_redis, clock):
        assert accepted("redis-0000000000")
        in_redis = now()
        own_redis.kill()
        clock.shift(1)
        assert not accepted("redis-0000000000", signed_at=in_redis)
        assert accepted("database-0000000")
        assert not accepted("database-0000000")
        in_database = now()
        own_redis.start()
        clock.shift(1)
        assert not accepted("database-0000000", signed_at=in_database)
        assert not accepted("redis-0000000000", signed_at=in_redis)
        assert accepted("redis-0000000001")

    def test_a_limit_that_was_asked_first_does_not_hide_the_switch_back(self, own_redis, clock):
        own_redis.kill()
        assert accepted("database-0000000")
        signed_at = now()
        own_redis.start()
        clock.shift(1)
        assert hit("login", rate=1, burst=1) is None
        assert not accepted("database-0000000", signed_at=signed_at)

    def test_a_process_that_missed_redis_warns_the_others(self, own_redis, clock, monkeypatch):
        other = stores.open_store(own_redis.url, own_redis.store._prefix)
        self.warm(clock)
        own_redis.store._lose()
        signed_at = now()
        clock.shift(1)
        assert accepted("a" * 16, writes=False)
        monkeypatch.setattr(redis_store, "_store", lambda url, prefix: other)
        assert not accepted("b" * 16, signed_at=signed_at)
