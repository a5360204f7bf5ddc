"""An order's version: one more with every change that its document shows, told to the cache after the commit."""

import itertools
from collections.abc import Iterable, Mapping

import structlog
from django.core.cache import cache
from django.db import transaction
from django.db.models import F

from frozenshop.kernel import caching, clock, redis_store
from orders.models import Order

logger = structlog.get_logger(__name__)

KEPT_SECONDS = 600

AT_ONCE = 1000
"""Orders in one script: a few milliseconds of Redis."""

# Takes the seconds that they are kept, then a version for each key; the last key is the store's own.
_RAISE = """
for place = 1, #KEYS - 1 do
  if tonumber(ARGV[place + 1]) > tonumber(redis.call('GET', KEYS[place]) or '0') then
    redis.call('SET', KEYS[place], ARGV[place + 1], 'EX', ARGV[1])
  end
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
    lowest = iter([(cache_key(order_no), version) for order_no, version in versions.items()])
    try:
        while some := dict(itertools.islice(lowest, AT_ONCE)):
            _raise_to(some)
    except redis_store.Away:
        logger.warning("cache.versions_not_published")
    except Exception:  # The change is committed; a cache that is down must not make it look failed.
        logger.warning("cache.versions_not_published", exc_info=True)


def _raise_to(lowest: Mapping[str, int]) -> None:
    """Write them by their keys in one round trip. Never lower one: of two commits, the later may be told first."""
    if store := redis_store.current():
        store.run(_RAISE, caching.full_keys([*lowest]), [KEPT_SECONDS, *lowest.values()])
    else:
        known = cache.get_many(lowest)
        raised = {key: version for key, version in lowest.items() if version > known.get(key, 0)}
        cache.set_many(raised, timeout=KEPT_SECONDS)
