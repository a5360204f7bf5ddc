"""Which questions may go to the replica, and what its lag is measured by. Real servers: tests/test_replica.py."""

import datetime as dt
import time
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction

from frozenshop.kernel import heartbeat, replica
from frozenshop.kernel.heartbeat import Sight
from frozenshop.kernel.models import Nonce, OutboxMessage
from frozenshop.kernel.tests import stores

ROUTER = replica.Router()


@pytest.fixture
def asking():
    """Be inside a `read` that was sent to the replica."""
    question = replica.Question(on_replica=True)
    token = replica._question.set(question)
    yield question
    replica._question.reset(token)


def test_nothing_goes_to_the_replica_unless_the_code_says_so():
    assert ROUTER.db_for_read(OutboxMessage) == "default"


def test_a_read_that_may_be_stale_goes_to_the_replica(asking):
    assert ROUTER.db_for_read(OutboxMessage) == "replica"
    assert asking.asked


@pytest.mark.parametrize("model", [Session, User, apps.get_model("api", "BuyerSession")])
def test_who_may_come_in_is_never_asked_of_the_replica(asking, model):
    assert ROUTER.db_for_read(model) == "default"
    assert asking.on_replica


def test_after_a_write_or_a_lock_the_rest_is_asked_of_the_primary(asking):
    assert ROUTER.db_for_write(Nonce) == "default"
    assert ROUTER.db_for_read(OutboxMessage) == "default"


@pytest.mark.django_db(transaction=True)
def test_a_transaction_is_never_on_the_replica_and_what_follows_it_neither(asking):
    with transaction.atomic():
        assert ROUTER.db_for_read(OutboxMessage) == "default"
    assert ROUTER.db_for_read(OutboxMessage) == "default"


def test_nothing_is_migrated_on_the_replica():
    assert not ROUTER.allow_migrate("replica", "kernel")


def test_lag_grows_while_nothing_is_seen():
    sight = Sight(taken=time.monotonic() - 7, now=1000.0, seen=999.0)
    assert 8 <= sight.lag() < 9


def test_a_replica_that_does_not_answer_lags_without_end():
    assert Sight(taken=time.monotonic(), now=1000.0, seen=None).lag() == float("inf")


@pytest.mark.services("redis")
def test_for_a_while_after_redis_was_away_nobody_is_believed_to_have_written_nothing(monkeypatch, settings):
    settings.REPLICA_MAX_LAG_SECONDS = 5
    seen = SimpleNamespace(first_sight=lambda *wait: Sight(time.monotonic(), time.time(), time.time()))
    monkeypatch.setattr(heartbeat, "watch", lambda: seen)
    store = stores.use_shared_redis(monkeypatch, settings)
    assert replica._why_not("s", {}, 0) == ""
    store._lose()
    assert replica._why_not("s", {}, 0) == "no_cache"
    store.run("return 1", [], [])
    assert (store.seconds_away(), replica._why_not("s", {}, 0)) == (0, "no_cache")
    store._back_at -= 6
    assert replica._why_not("s", {}, 0) == ""
    stores.close_stores()


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_is_written_once_a_second_whoever_looks():
    row = heartbeat.Heartbeat.objects.filter(pk=1)
    heartbeat._beat()
    first = row.get().at
    heartbeat._beat()
    assert row.get().at == first
    row.update(at=first - dt.timedelta(seconds=2))
    heartbeat._beat()
    assert row.get().at >= first


def test_without_a_replica_reading_is_reading(db, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert replica.read(OutboxMessage.objects.count, "staff:1") == 0
    with django_assert_num_queries(0):
        replica.wrote("staff:1")
