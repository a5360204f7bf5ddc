"""Where a provider is to push about one parcel, for those that are told an address with each subscription.

The address ends in a reference to the parcel that nobody else can make: `<id>-<keyed digest of id and waybill>`. It is
good for pushes about that very waybill only, and as long as the key that it was made under is live.
"""

import hmac

from django.conf import settings

from frozenshop.kernel import crypto
from logistics.models import Provider, Shipment

PER_PARCEL = frozenset({Provider.KUAIDI100})


def address(shipment: Shipment, provider: str) -> str:
    """Return the URL for pushes about a parcel; empty for a provider whose address is the same for all."""
    if provider not in PER_PARCEL:
        return ""
    return f"{settings.PUBLIC_URL.rstrip('/')}/callbacks/{provider}/{token(shipment.pk, shipment.waybill_no, provider)}"


def token(shipment_id: int, waybill_no: str, provider: str) -> str:
    return f"{shipment_id}-{crypto.blind_index(_sealed(str(shipment_id), waybill_no), purpose=_purpose(provider))}"


def is_good(given: str, waybill_no: str, provider: str) -> bool:
    """Compare in constant time, under every live key."""
    shipment_id, _, digest = given.partition("-")
    right = crypto.blind_indexes(_sealed(shipment_id, waybill_no), purpose=_purpose(provider))
    matches = [hmac.compare_digest(known.encode(), digest.encode("utf-8", "surrogatepass")) for known in right]
    return any(matches)


def _sealed(shipment_id: str, waybill_no: str) -> str:
    """Services write a number back in capitals or not."""
    return f"{shipment_id}:{waybill_no.strip().casefold()}".encode("utf-8", "replace").decode()


def _purpose(provider: str) -> str:
    return f"callback:{provider}"
