import secrets

import pytest
from django.core.cache import cache

from frozenshop.api.tests.client import Signer, log_in, shop
from frozenshop.kernel import nonces
from frozenshop.kernel.tests import stores
from orders.models import Customer
from orders.tests.factories import make_customer


@pytest.fixture(autouse=True)
def _own_stores(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    """Nothing of other tests is in the cache, and the nonce store was there before the test began."""
    if settings.REDIS_URL:
        stores.make_old(stores.use_shared_redis(monkeypatch, settings))
        own = {"KEY_PREFIX": f"test-{secrets.token_hex(6)}"}
        settings.CACHES = {"default": settings.CACHES["default"] | own}
    else:
        stores.fresh_memory(monkeypatch)
        monkeypatch.setattr(nonces.HERE, "_born", float("-inf"))
        cache.clear()


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer()


@pytest.fixture
def buyer(customer: Customer) -> Signer:
    return log_in(customer)


@pytest.fixture
def merchant(db: None) -> Signer:
    return shop()
