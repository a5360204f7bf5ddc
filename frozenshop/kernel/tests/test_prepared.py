"""Prepared queries give what Django's own way gives."""

import datetime as dt

import pytest

from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.prepared import Prepared

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


def rows_of(ids):
    return OutboxMessage.objects.filter(id__in=ids).values_list("id", "topic", "created_at", "payload", "sent_at")


def of_topic(topic):
    return OutboxMessage.objects.filter(topic=topic).values_list("id")


@pytest.fixture
def ids():
    rows = [OutboxMessage.objects.create(topic=f"t{n % 2}", payload={"n": n}, created_at=AT) for n in range(6)]
    return [row.pk for row in rows]


def test_it_gives_the_same_rows_converted_as_always(ids):
    assert sorted(Prepared(rows_of)(ids), key=str) == sorted(rows_of(ids), key=str)


def test_lists_of_other_lengths_and_values_give_their_own_rows(ids):
    prepared = Prepared(rows_of)
    for some in (ids[:1], ids[:2], ids[1:3], ids, ids[:1]):
        assert sorted(row[0] for row in prepared(some)) == some


def test_nothing_is_in_an_empty_list_and_nothing_is_asked(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Prepared(rows_of)([]) == []


def test_the_text_is_made_once_for_each_length(ids):
    built = []
    prepared = Prepared(lambda some: built.append(some) or rows_of(some))
    prepared(ids[:2])
    before = len(built)
    prepared(ids[2:4])
    assert len(built) == before


def test_fixed_values_may_stand_before_the_argument(ids):
    prepared = Prepared(lambda some: OutboxMessage.objects.filter(attempts=0).filter(id__in=some).values_list("id"))
    assert {row[0] for row in prepared(ids)} == set(ids)


def test_a_query_whose_argument_is_not_last_is_refused():
    prepared = Prepared(lambda pk: OutboxMessage.objects.filter(id=pk).filter(attempts=0).values_list("id"))
    with pytest.raises(TypeError, match="end with its argument"):
        prepared(7)


def test_a_value_is_a_parameter_and_never_text(ids):
    assert Prepared(of_topic)("' OR 1=1 -- %s") == []
    assert len(Prepared(of_topic)("t1")) == 3
