"""Two runners, two people: each row once, each decision once."""

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from frozenshop.backoffice.batches import moves, running
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.tests import doing
from frozenshop.backoffice.batches.tests.doing import make_batch, start
from frozenshop.backoffice.models import OrderNote
from frozenshop.kernel.errors import NotPossible
from orders.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss(transactional_db):
    return User.objects.create_superuser("boss")


def runner(batch):
    def run():
        while running._stretch(Batch.objects.get(pk=batch.pk)):
            pass

    return run


def test_two_runners_do_each_row_once(boss):
    batch = start(make_batch(boss, *(f"NO{n}" if n % 7 == 6 else f"A{n}" for n in range(40))))
    at_once(runner(batch), runner(batch))
    noted = Counter(OrderNote.objects.values_list("order_no", flat=True))
    assert noted == Counter(f"A{n}" for n in range(40) if n % 7 != 6)
    batch = Batch.objects.get(pk=batch.pk)
    assert (batch.state, batch.done, batch.refused) == ("done", 35, 5)


def test_a_row_that_another_runner_took_is_passed_over(boss, monkeypatch):
    batch = start(make_batch(boss, "A", "B"))
    perform, other = doing.Noting.perform, runner(batch)
    entered = []

    def interrupted(kind, batch, row, actor):
        entered.append(row.about)
        return perform(kind, batch, row, actor)

    monkeypatch.setattr(doing.Noting, "perform", interrupted)
    rows = list(running._waiting(batch))
    other()
    run = running.Run(batch, doing.NOTING, running.staff(boss.pk))
    Batch.objects.filter(pk=batch.pk).update(state="running")
    with pytest.raises(running.Taken):
        running._row(run, rows[0])
    assert entered == ["A", "B"]


def test_two_people_decide_at_once_and_one_decision_counts(boss):
    batch = start(make_batch(boss, "A", kind="guarded"))
    others = [User.objects.create_superuser(name) for name in ("one", "two")]

    def decide(act, *args):
        def run():
            try:
                act(Batch.objects.get(pk=batch.pk), *args)
            except NotPossible:
                return False
            return True

        return run

    won = at_once(decide(moves.approve, others[0]), decide(moves.decline, others[1], "不"))
    assert sorted(won) == [False, True]


def test_an_undo_and_another_try_at_once_and_one_of_them_counts(boss):
    batch = start(make_batch(boss, "A", "NO"))
    runner(batch)()

    def move(act, *args):
        def run():
            try:
                with transaction.atomic():
                    act(Batch.objects.get(pk=batch.pk), *args)
            except NotPossible:
                return False
            return True

        return run

    assert sorted(at_once(move(moves.undo, boss), move(moves.run_again))) == [False, True]


def test_two_undo_at_once_and_one_undoes(boss):
    batch = start(make_batch(boss, "A", "B"))
    runner(batch)()

    def undo():
        try:
            with transaction.atomic():
                moves.undo(Batch.objects.get(pk=batch.pk), boss)
        except NotPossible:
            return False
        return True

    assert sorted(at_once(undo, undo)) == [False, True]
    assert Batch.objects.filter(undo_of=batch).count() == 1
