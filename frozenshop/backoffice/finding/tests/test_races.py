"""Two browsers of one person, or two people, at once."""

import pytest
from django.contrib.auth.models import User

from frozenshop.backoffice.finding import columns, recent, views
from frozenshop.backoffice.finding.models import ListColumns, RecentSearch, SavedView
from frozenshop.kernel.errors import NotPossible
from orders.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def told(act):
    """Do it and return the outcome as a word."""

    def run() -> str:
        try:
            act()
        except NotPossible:
            return "refused"
        return "done"

    return run


def saving(user, name="急单", *, shared=False):
    return told(lambda: views.save(user, name, {"todo": "late"}, [], shared=shared))


def people(count: int) -> list[User]:
    return [User.objects.create_user(f"person-{number}") for number in range(count)]


def test_a_view_saved_four_times_at_once_is_one():
    (user,) = people(1)
    assert sorted(at_once(*[saving(user)] * 4)) == ["done", "refused", "refused", "refused"]
    assert SavedView.objects.count() == 1


def test_a_name_shared_by_three_at_once_is_ones():
    assert sorted(at_once(*(saving(user, shared=True) for user in people(3)))) == ["done", "refused", "refused"]


def test_two_views_renamed_alike_at_once_keep_two_names():
    (user,) = people(1)
    pks = [views.save(user, name, {"todo": "late"}, [], shared=False).pk for name in ("一", "二")]
    ends = at_once(*(told(lambda pk=pk: views.change(user, pk, "三", shared=False)) for pk in pks))
    assert sorted(ends) == ["done", "refused"]
    assert SavedView.objects.values("name_key").distinct().count() == 2


def test_a_view_deleted_while_it_is_renamed_is_gone_or_renamed_first():
    (user,) = people(1)
    pk = views.save(user, "一", {"todo": "late"}, [], shared=False).pk
    deleted, renamed = at_once(
        told(lambda: views.delete(user, pk)), told(lambda: views.change(user, pk, "二", shared=False))
    )
    assert deleted == "done"
    assert renamed in ("done", "refused")
    assert not SavedView.objects.exists()


def test_a_search_made_four_times_at_once_is_kept_once():
    (user,) = people(1)
    assert len(set(at_once(*[lambda: recent.remember(user.pk, "张三")] * 4))) == 1
    assert RecentSearch.objects.count() == 1


def test_columns_chosen_twice_at_once_are_one_of_both():
    (user,) = people(1)
    at_once(*(lambda chosen=chosen: columns.choose(user.pk, "x", chosen) for chosen in (["a"], ["a", "b"])))
    assert ListColumns.objects.get().columns in (["a"], ["a", "b"])
