import datetime as dt

import pytest
import time_machine
from django.db import connection

from frozenshop.kernel import idempotency, purging
from frozenshop.kernel.errors import Invalid
from frozenshop.kernel.idempotency import Answer, IdempotencyMismatch, InProgress
from frozenshop.kernel.models import IdempotencyKey
from frozenshop.kernel.tests import stores

pytestmark = pytest.mark.django_db
CREATED = Answer(201, '{"result":"created"}')


@pytest.fixture(autouse=True)
def moment():
    with time_machine.travel(dt.datetime(2026, 11, 22, tzinfo=dt.UTC), tick=False) as frozen:
        yield frozen


def begin(body=b"{}", *, scope="k:1", key="order-1"):
    return idempotency.begin(scope, key, idempotency.fingerprint("POST", "/merchant/orders", body))


def finish(answer=CREATED):
    idempotency.finish("k:1", "order-1", answer)


def test_the_second_request_gets_the_first_ones_answer():
    assert begin() is None
    finish()
    assert begin() == CREATED


def test_another_body_under_the_same_key_is_refused_before_and_after_the_answer():
    begin()
    with pytest.raises(IdempotencyMismatch):
        begin(b'{"x":1}')
    finish()
    with pytest.raises(IdempotencyMismatch):
        begin(b'{"x":1}')


def test_a_twin_under_way_is_refused():
    begin()
    with pytest.raises(InProgress):
        begin()


def test_a_twin_stuck_for_60_seconds_is_taken_over_once(moment):
    begin()
    moment.shift(60)
    assert begin() is None
    with pytest.raises(InProgress):
        begin()


def test_another_body_does_not_take_over_a_stuck_twin(moment):
    begin()
    moment.shift(60)
    with pytest.raises(IdempotencyMismatch):
        begin(b'{"x":1}')


def test_an_answer_is_kept_for_seven_days(moment):
    begin()
    finish()
    moment.shift(dt.timedelta(days=7, seconds=-1))
    assert begin() == CREATED
    moment.shift(1)
    assert begin(b'{"x":1}') is None


def test_an_abandoned_attempt_may_be_repeated_at_once():
    begin()
    idempotency.abandon("k:1", "order-1")
    assert begin() is None


def test_a_finished_answer_is_neither_abandoned_nor_replaced():
    begin()
    finish()
    idempotency.abandon("k:1", "order-1")
    finish(Answer(500, ""))
    assert begin() == CREATED


def test_keys_belong_to_their_scope_and_compare_byte_by_byte():
    for scope, key in (("k:1", "a"), ("k:2", "a"), ("k:1", "A"), ("k:1", "a "), ("k:1", "😀"), ("k:1", "𠮷")):
        assert begin(scope=scope, key=key) is None


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_impossible_length_is_refused(key):
    with pytest.raises(Invalid):
        begin(key=key)


@pytest.mark.parametrize(
    "other", [("PUT", "/a", b""), ("POST", "/b", b""), ("POST", "/a", b"x"), ("POST", "/a\n", b"")]
)
def test_a_fingerprint_covers_method_path_and_body(other):
    assert idempotency.fingerprint(*other) != idempotency.fingerprint("POST", "/a", b"")


def test_purging_deletes_only_what_is_older_than_seven_days(moment, monkeypatch):
    monkeypatch.setattr(purging, "BATCH", 2)
    for number in range(5):
        begin(key=str(number))
    moment.shift(dt.timedelta(days=7))
    begin(key="young")
    assert idempotency.purge() == 5
    assert IdempotencyKey.objects.get().key == "young"


@pytest.mark.django_db(transaction=True)
def test_one_of_many_twins_begins():
    if connection.vendor == "sqlite":
        pytest.skip("threads don't share a database in memory")
    results = stores.in_parallel(40, lambda _: begin(), threads=8)
    assert results.count(None) == 1
    assert sum(isinstance(result, InProgress) for result in results) == 39
