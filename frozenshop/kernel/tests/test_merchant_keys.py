import datetime as dt

import pytest
import time_machine

from frozenshop.kernel import merchant_keys
from frozenshop.kernel.models import MerchantKey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def moment():
    with time_machine.travel(dt.datetime(2026, 11, 22, tzinfo=dt.UTC), tick=False) as frozen:
        yield frozen


@pytest.fixture
def issued():
    return merchant_keys.issue("商城", ["orders:write"])


def live(key):
    return merchant_keys.live_secrets(MerchantKey.objects.get(pk=key.pk))


def test_a_secret_has_256_bits_and_is_stored_sealed(issued):
    key, secret = issued
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in str(MerchantKey.objects.filter(pk=key.pk).values())


def test_a_new_key_has_one_live_secret(issued):
    key, secret = issued
    assert live(key) == [secret]


def test_the_former_secret_lives_on_for_96_hours(issued, moment):
    key, old = issued
    new = merchant_keys.rotate(key)
    assert live(key) == [new, old]
    moment.shift(dt.timedelta(hours=96))
    assert live(key) == [new]


def test_a_second_rotation_ends_the_oldest_secret_at_once(issued):
    key, _ = issued
    second, third = merchant_keys.rotate(key), merchant_keys.rotate(key)
    assert live(key) == [third, second]


def test_an_overlap_may_be_ended_early(issued):
    key, _ = issued
    new = merchant_keys.rotate(key)
    merchant_keys.revoke_previous(key)
    assert live(key) == [new]


def test_revocation_takes_effect_at_once(issued):
    key, _ = issued
    assert merchant_keys.find(key.key_id) == key
    merchant_keys.revoke(key)
    assert merchant_keys.find(key.key_id) is None
    assert live(key) == []


def test_key_ids_compare_byte_by_byte(issued):
    assert merchant_keys.find(issued[0].key_id.upper()) is None
    assert merchant_keys.find(issued[0].key_id + " ") is None


def test_a_secret_moved_to_another_key_does_not_open(issued):
    key, _ = issued
    other, _ = merchant_keys.issue("其他", [])
    other.secret_sealed = key.secret_sealed
    with pytest.raises(merchant_keys.crypto.SealBroken):
        merchant_keys.live_secrets(other)
