"""What the cross-app tests share: stores that nobody else writes into, buyers, shops and members of staff."""

import secrets
from collections.abc import Iterator

import pytest
from django.core.cache import cache

from frozenshop.api.tests.client import Signer, log_in, shop
from frozenshop.backoffice.tests.conftest import login
from frozenshop.kernel import nonces
from frozenshop.kernel.tests import stores
from logistics.tests.conftest import frozen
from orders.models import Customer
from orders.tests.factories import make_customer

__all__ = ["frozen", "login"]


@pytest.fixture
def own_stores(monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[list[str]]:
    """Give cache, limits and nonces a corner of their own; yields the prefixes of its keys in Redis."""
    if not settings.REDIS_URL:
        stores.fresh_memory(monkeypatch)
        monkeypatch.setattr(nonces.HERE, "_born", float("-inf"))
        cache.clear()
        yield []
        return
    store = stores.use_shared_redis(monkeypatch, settings)
    stores.make_old(store)
    prefix = f"test-{secrets.token_hex(6)}"
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": prefix}}
    yield [prefix, store.key("").split(":")[0]]
    stores.close_stores()


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer()


@pytest.fixture
def buyer(own_stores, customer: Customer) -> Signer:
    return log_in(customer)


@pytest.fixture
def merchant(own_stores, db: None) -> Signer:
    return shop()
