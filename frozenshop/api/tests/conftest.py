from collections.abc import Iterator

import pytest
from django.core.cache import cache

from frozenshop.api.tests.client import Signer, log_in, shop
from frozenshop.kernel import nonces
from orders.models import Customer
from orders.tests.factories import make_customer


@pytest.fixture(autouse=True)
def _old_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The nonce store was there before the test began, and the cache holds nothing of the former test."""
    monkeypatch.setattr(nonces.HERE, "_born", float("-inf"))
    cache.clear()
    yield
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
