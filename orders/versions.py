"""An order's version: one more with every change that its document shows, told to the cache after the commit."""

from collections.abc import Iterable, Mapping

import structlog
from django.core.cache import cache
from django.db import transaction
from django.db.models import F

from frozenshop.kernel import clock, redis_store
from orders.models import Order

logger = structlog.get_logger(__name__)

KEPT_SECONDS = 600

_RAISE = """
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return 0
"""


def cache_key(order_no: str) -> str:
    """Return the key under which the cache holds the lowest version of the document that may still be shown."""
    return f"docmin:{order_no}"


def bump(order_ids: Iterable[int]) -> None:
    """Give each order its next version and a new `updated_at`."""
    # Sorted, so that two transactions lock the same rows in the same order.
    ids = sorted(set(order_ids))
    if not ids:
        return
    with transaction.atomic():
        for order_id in ids:
            Order.objects.filter(pk=order_id).update(version=F("version") + 1, updated_at=clock.now())
        announce(ids)


def announce(order_ids: Iterable[int]) -> None:
    """Tell the cache, once this transaction has committed, which versions its orders have."""
    versions = dict(Order.objects.filter(pk__in=list(order_ids)).values_list("order_no", "version"))
    transaction.on_commit(lambda: _publish(versions))


def retire(versions: Mapping[str, int]) -> None:
    """Let the cache show no document of these orders any more, once this transaction has committed: they move away."""
    beyond = {order_no: version + 1 for order_no, version in versions.items()}
    transaction.on_commit(lambda: _publish(beyond))


def _publish(versions: Mapping[str, int]) -> None:
    """Raise the lowest valid versions. Best effort: without it the document's own lifetime bounds the delay."""
    try:
        for order_no, version in versions.items():
            _raise_to(cache_key(order_no), version)
    except redis_store.Away:
        logger.warning("cache.versions_not_published")
    except Exception:  # The change is committed; a cache that is down must not make it look failed.
        logger.warning("cache.versions_not_published", exc_info=True)


def _raise_to(key: str, version: int) -> None:
    """Never lower it: of two commits, the later one may be told first."""
    if store := redis_store.current():
        store.run(_RAISE, [cache.make_key(key)], [version, KEPT_SECONDS])
    elif version > cache.get(key, 0):
        cache.set(key, version, timeout=KEPT_SECONDS)
