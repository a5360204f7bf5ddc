"""A preview is confirmed once: by its own person, within its day."""

import pytest
import time_machine
from django.contrib.auth.models import User

from frozenshop.backoffice.batches import confirming
from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.batches.tests.doing import make_batch
from frozenshop.kernel import clock, idempotency
from frozenshop.kernel.errors import NotPossible
from frozenshop.kernel.models import IdempotencyKey
from orders.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss(transactional_db):
    return User.objects.create_superuser("boss")


def test_the_second_one_is_shown_what_the_first_has_started(boss):
    token = confirming.token(boss)
    one, other = (confirming.once(boss, token, lambda: make_batch(boss, "A")) for _ in range(2))
    assert one == other == Batch.objects.get()


def test_two_at_once_start_one(boss):
    token, shown = confirming.token(boss), []

    def press():
        shown.append(confirming.once(boss, token, lambda: make_batch(boss, "A")).pk)

    at_once(press, press)
    assert shown == [Batch.objects.get().pk] * 2


def test_what_could_not_be_started_may_be_confirmed_again(boss):
    token = confirming.token(boss)

    def refused():
        make_batch(boss, "A")
        raise NotPossible("没有可以处理的订单")

    with pytest.raises(NotPossible, match="没有可以处理"):
        confirming.once(boss, token, refused)
    assert (Batch.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    assert confirming.once(boss, token, lambda: make_batch(boss, "A")) == Batch.objects.get()


def test_each_preview_is_one_of_its_own(boss):
    for _ in range(2):
        confirming.once(boss, confirming.token(boss), lambda: make_batch(boss, "A"))
    assert Batch.objects.count() == 2


def test_another_persons_preview_and_a_former_days_are_refused(boss):
    other, old = User.objects.create_user("other"), confirming.token(boss)
    with pytest.raises(NotPossible, match="预览已经过期"):
        confirming.once(other, old, lambda: make_batch(other, "A"))
    later = time_machine.travel(clock.now().timestamp() + confirming.LIFE_SECONDS + 2)
    with later, pytest.raises(NotPossible, match="预览已经过期"):
        confirming.once(boss, old, lambda: make_batch(boss, "A"))
    assert Batch.objects.count() == 0


def test_a_preview_is_over_before_its_key_is_forgotten():
    assert idempotency.KEPT.total_seconds() > confirming.LIFE_SECONDS
