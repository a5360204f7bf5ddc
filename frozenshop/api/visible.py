"""What a buyer sees of an order: found through the buyer's own rows, without prices that are not theirs."""

import json

from django.conf import settings

from frozenshop.api.sessions import Buyer
from frozenshop.kernel import clock
from frozenshop.kernel.errors import NotPossible, OrderNotFound, Unavailable
from logistics import document
from logistics.archive import showing
from logistics.archive.models import ArchivedOrder
from logistics.document import CachedDocument
from orders.access import LOOK_BACK, VERIFICATION_LASTS, accesses, sees_prices
from orders.intake import is_order_no
from orders.models import OrderAccess


def find(buyer: Buyer, order_no: str) -> OrderAccess:
    """Return the buyer's row of an order, with the order. Raises OrderNotFound, whether absent or somebody else's."""
    if is_order_no(order_no):
        rows = accesses(buyer.customer()).select_related("order")
        access = rows.filter(order__order_no=order_no).first()
        if access is not None:
            return access
    raise OrderNotFound


def find_archived(buyer: Buyer, order_no: str) -> tuple[OrderAccess, ArchivedOrder]:
    """Return the buyer's row of an order that lies in the archive, and the order there. Raises OrderNotFound."""
    row = ArchivedOrder.objects.filter(order_no=order_no).first() if is_order_no(order_no) else None
    access = accesses(buyer.customer()).filter(order_id=row.pk).first() if row else None
    if row is None or access is None:
        raise OrderNotFound
    return access, row


def read(buyer: Buyer, order_no: str, kept: CachedDocument | None = None) -> bytes:
    """Return the order document as JSON; `kept` is what the cache holds of it. Raises OrderNotFound.

    No query where a cache that all processes share holds the document and it says itself that the buyer may see it;
    else one for the buyer's row, and five more if the document isn't kept under the order's present version. What isn't
    found so is looked for in the archive.
    """
    if kept is not None and settings.REDIS_URL and _is_own(buyer, kept):
        return kept.body
    try:
        access = find(buyer, order_no)
    except OrderNotFound:
        return _read_archived(*find_archived(buyer, order_no))
    if kept is None or kept.version < access.order.version:  # newer than the row: the row is the replica's
        kept = document.store(access.order, document.build(access.order))
    return kept.body if sees_prices(access) else _without_prices(kept.body)


def _read_archived(access: OrderAccess, row: ArchivedOrder) -> bytes:
    """Return the document of what lies in the archive: it is kept by no cache, for who looks at it once in a while."""
    try:
        access.order, shown = showing.document_of(row)
    except NotPossible as error:  # a damaged body: nothing that a buyer could do about it
        raise Unavailable("这个订单暂时无法查看，请联系商家") from error
    return document.serialise(shown if sees_prices(access) else document.without_prices(shown))


def _is_own(buyer: Buyer, kept: CachedDocument) -> bool:
    """Say whether the buyer placed this order, or holds its phone and nobody else placed it.

    Never more than the buyer's rows say. What this doesn't grant, they may.
    """
    if kept.customer_id is not None or buyer.phone_index is None or buyer.phone_verified_at is None:
        return kept.customer_id == buyer.customer_id
    return (
        kept.phone_index == buyer.phone_index
        and kept.placed_at >= buyer.phone_verified_at - LOOK_BACK
        and clock.now() - buyer.phone_verified_at <= VERIFICATION_LASTS
    )


def _without_prices(body: bytes) -> bytes:
    return document.serialise(document.without_prices(json.loads(body)))
