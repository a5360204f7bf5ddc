"""Each kind of tampering is found each time, wherever it is done; who didn't tamper isn't accused."""

import datetime as dt
import threading
from random import Random

import pytest
import time_machine
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from frozenshop.kernel import audit, clock
from frozenshop.kernel.audit import chain
from frozenshop.kernel.models import AuditEntry, AuditSeal
from frozenshop.kernel.tests import tampering

pytestmark = pytest.mark.django_db
SMALL, LARGE = 24, 300
TIMES = {SMALL: 10, LARGE: 100}


@pytest.fixture
def size(request):
    """A chain of this length stands, and was left alone."""
    with time_machine.travel(tampering.START + request.param * tampering.STEP, tick=False):
        tampering.build(request.param)
        yield request.param


def found(tamper, size, rng, checkpoints=()):
    """Tamper, look, and take it back: was it found, and the right place named?"""
    with transaction.atomic():
        position = tamper(rng, size)
        fault = audit.verify(checkpoints).fault
        transaction.set_rollback(True)
    return fault is not None and (position is None or fault.position == position)


def assert_found_each_time(tamper, size, name, checkpoints=()):
    rng = Random(f"{name} {size}")
    missed = [number for number in range(TIMES[size]) if not found(tamper, size, rng, checkpoints)]
    assert missed == []
    assert audit.verify(checkpoints).fault is None


SIZES = pytest.mark.parametrize("size", [SMALL, pytest.param(LARGE, marks=pytest.mark.slow)], indirect=True)


@SIZES
@pytest.mark.parametrize("name", tampering.ALONE)
def test_what_the_chain_shows_by_itself_is_found_each_time(size, name):
    assert_found_each_time(tampering.ALONE[name], size, name)


@SIZES
@pytest.mark.parametrize("name", tampering.BY_CHECKPOINT)
def test_what_takes_checkpoints_is_found_each_time(size, name):
    assert_found_each_time(tampering.BY_CHECKPOINT[name], size, name, tampering.checkpoints_of(size))


@pytest.mark.parametrize("size", [SMALL], indirect=True)
def test_with_few_checkpoints_it_is_said_after_which_the_chain_was_rewritten(size):
    kept = [one for one in tampering.checkpoints_of(size) if one.count % 8 == 0]
    tampering.edit(actor="staff:0x")(Random(1), 1)
    AuditEntry.objects.filter(pk=2 * 11).update(actor="staff:9")
    tampering.reseal(1)
    assert audit.verify(kept).fault.position == 1
    assert "第 8 位之间" in audit.verify(kept).fault.reason


@SIZES
def test_a_changed_checkpoint_is_found_each_time(size):
    last, rng = AuditSeal.objects.get(position=size), Random(2)
    text = audit.write_checkpoint(size, last.digest)
    for _ in range(TIMES[size]):
        with pytest.raises(ValueError, match="签名不正确"):
            audit.read_checkpoint(tampering.changed(text, rng))
    assert audit.read_checkpoint(text).count == size


@SIZES
def test_a_clock_that_was_changed_while_sealing_is_told_each_time(size):
    rng = Random(3)
    for _ in range(TIMES[size]):
        wrong = rng.choice([-1, 1]) * dt.timedelta(minutes=rng.randint(6, 50))
        with transaction.atomic():
            with time_machine.travel(clock.now() + wrong, tick=False):
                row = audit.record("staff:1", "x")
                audit.seal_pending()
            assert row.pk in audit.verify().odd_times
            transaction.set_rollback(True)


# --- who didn't tamper ----------------------------------------------------------------------------

ACTS = st.one_of(
    st.tuples(st.just("record"), st.integers(1, 5)),
    st.tuples(st.just("begin"), st.integers(1, 3)),  # a transaction that takes its ids now and commits later
    st.tuples(st.just("commit"), st.integers(0, 5)),
    st.tuples(st.just("pass"), st.integers(1, 240)),  # minutes
    st.tuples(st.just("seal"), st.integers(1, 3)),  # so many batches, and is killed
    st.tuples(st.just("checkpoint"), st.just(0)),
)


class Life:
    """What happens to an audit in daily life."""

    def __init__(self, moment):
        self.moment, self.open, self.kept, self.ids = moment, [], [], iter(range(1, 10_000))

    def record(self, count):
        for _ in range(count):
            AuditEntry.objects.create(id=next(self.ids), at=clock.now(), actor="staff:1", action="x")

    def begin(self, count):
        self.open += [(next(self.ids), clock.now()) for _ in range(count)]

    def commit(self, count):
        for pk, at in self.open[:count]:
            AuditEntry.objects.create(id=pk, at=at, actor="staff:2", action="late")
        del self.open[:count]

    def pass_(self, minutes):
        """No transaction is open for an hour: what hasn't been committed by then is rolled back."""
        self.moment.shift(dt.timedelta(minutes=minutes))
        self.open = [(pk, at) for pk, at in self.open if clock.now() - at < chain.LOOK_BACK]

    def seal(self, batches):
        left, after = audit.pending(), 0
        for _ in range(batches):
            if not (seals := chain._seal_batch(left, after)):
                return
            after = seals[-1].audit_id

    def checkpoint(self, _):
        verdict = audit.verify(self.kept)
        assert verdict.fault is None
        self.kept.append(audit.read_checkpoint(audit.write_checkpoint(verdict.count, verdict.head)))


@settings(max_examples=40)
@given(acts=st.lists(ACTS, max_size=20))
def test_an_untouched_chain_is_never_accused(acts):
    before = chain.BATCH
    chain.BATCH = 2
    try:
        with transaction.atomic(), time_machine.travel(tampering.START, tick=False) as moment:
            life = Life(moment)
            for name, number in acts:
                getattr(life, "pass_" if name == "pass" else name)(number)
                assert audit.verify(life.kept).fault is None
            audit.seal_pending()
            assert not chain.unsealed().exists()
            assert audit.verify(life.kept).fault is None
            transaction.set_rollback(True)
    finally:
        chain.BATCH = before


@pytest.mark.services("mysql")
@pytest.mark.django_db(transaction=True)
def test_writers_that_commit_late_and_sealers_beside_each_other_accuse_nobody():
    """Transactions that overlap at random, two sealers, and somebody who verifies all the while."""
    connection.close()
    begun, faults = threading.Barrier(8), []

    def write(seed):
        rng = Random(seed)
        begun.wait()
        for _ in range(20):
            with transaction.atomic():
                for _ in range(rng.randint(1, 5)):
                    audit.record(f"staff:{seed}", "x")
                if rng.random() < 0.2:
                    transaction.set_rollback(True)

    def seal(seed):
        begun.wait()
        for _ in range(40):
            audit.seal_pending()

    def look(seed):
        begun.wait()
        faults.extend(fault for _ in range(40) if (fault := audit.verify().fault))

    def alone(work, seed):
        try:
            work(seed)
        finally:
            connection.close()

    work = [*[write] * 5, seal, seal, look]
    threads = [threading.Thread(target=alone, args=(one, seed)) for seed, one in enumerate(work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    audit.seal_pending()
    verdict = audit.verify()
    assert (faults, verdict.fault, verdict.unsealed) == ([], None, 0)
    assert verdict.count == AuditEntry.objects.count() > 0
