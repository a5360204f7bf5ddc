"""One body for every database: on SQLite by default, on MariaDB or MySQL where `DATABASE_URL` names it."""

import pytest
from django.db import IntegrityError, connection, transaction

from frozenshop.kernel.fields import bytewise_collation
from frozenshop.kernel.models import Nonce

pytestmark = pytest.mark.django_db

DIFFERENT = [
    pytest.param("A", "a", id="case"),
    pytest.param("A", "A ", id="trailing blank"),
    pytest.param("", " ", id="blank"),
    pytest.param("123", "１２３", id="width"),
    pytest.param("😀", "𠮷", id="astral"),
    pytest.param("é", "e", id="accent"),
    pytest.param("\u00e9", "e\u0301", id="composition"),
    pytest.param("ß", "ss", id="expansion"),
    pytest.param("ア", "あ", id="kana"),
    pytest.param("a", "a\u200b", id="zero width"),
    pytest.param("a", "a\0", id="nul"),
    pytest.param("-", "_", id="punctuation"),
]


def keep(nonce):
    Nonce.objects.create(scope="s", nonce=nonce, expires_at="2026-11-22T00:00Z")


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_keys_that_differ_in_a_byte_are_different_rows(one, other):
    keep(one)
    keep(other)
    assert Nonce.objects.get(nonce=one).nonce == one
    assert Nonce.objects.get(nonce=other).nonce == other


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_key_is_not_found_by_another(one, other):
    keep(one)
    assert not Nonce.objects.filter(nonce=other).exists()
    assert not Nonce.objects.filter(nonce__in=[other]).exists()


@pytest.mark.parametrize("key", ["A", "A ", "１２３", "𠮷", "😀", ""])
def test_the_same_key_is_one_row(key):
    keep(key)
    with pytest.raises(IntegrityError), transaction.atomic():
        keep(key)


def test_keys_are_sorted_by_code_point():
    for nonce in ("b", "B", "Ａ", "a", "𠮷"):
        keep(nonce)
    assert list(Nonce.objects.order_by("nonce").values_list("nonce", flat=True)) == ["B", "a", "b", "Ａ", "𠮷"]


def test_the_column_has_the_collation_that_compares_bytes():
    with connection.cursor() as cursor:
        columns = {
            column.name: column.collation
            for column in connection.introspection.get_table_description(cursor, "kernel_nonce")
        }
    assert columns["nonce"] == bytewise_collation(connection)
