import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import leases

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def moment():
    with time_machine.travel(dt.datetime(2026, 11, 22, tzinfo=dt.UTC), tick=False) as frozen:
        yield frozen


def free():
    with leases.hold("work", MINUTE) as held:
        return held


def test_a_lease_has_one_holder():
    with leases.hold("work", MINUTE) as held:
        assert held
        assert not free()
    assert free()


def test_leases_of_other_names_are_free():
    with leases.hold("other", MINUTE):
        assert free()


def test_a_dead_holders_lease_ends(moment):
    assert leases._take("work", "dead", MINUTE)
    assert not free()
    moment.shift(MINUTE)
    assert free()


def test_an_overdue_holder_does_not_end_its_successors_lease(moment):
    with leases.hold("work", MINUTE):
        moment.shift(MINUTE)
        assert leases._take("work", "successor", MINUTE)
    assert not free()


def test_a_lease_given_back_is_free_even_if_the_clock_is_set_back(moment):
    assert free()
    moment.shift(-MINUTE)
    assert free()


def test_failing_work_gives_its_lease_back():
    with pytest.raises(ZeroDivisionError), leases.hold("work", MINUTE):
        raise ZeroDivisionError
    assert free()
