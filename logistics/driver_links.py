"""The link by which a driver without any system of ours tells of one parcel: made, found, ended.

Its secret is signed, so that a guessed one is refused without a look at the database, and only its digest is kept.
"""

import datetime as dt
import hashlib
import hmac
import re
import secrets

from django.conf import settings
from django.db import transaction

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import NotPossible
from logistics import cadence
from logistics.models import DriverLink, Shipment

LIFE = dt.timedelta(days=3)
LONGEST_LIFE = dt.timedelta(days=14)
NONCE_BYTES = 16
SIGNATURE_DIGITS = 16
_SECRET = re.compile(rf"[0-9a-f]{{{2 * NONCE_BYTES + SIGNATURE_DIGITS}}}")


def issue(shipment: Shipment, *, by: Actor, life: dt.timedelta = LIFE) -> tuple[DriverLink, str]:
    """Make a link and return it with its address, which is told this once. The parcel's former links end.

    Raises NotPossible for a parcel that is over.
    """
    nonce = secrets.token_hex(NONCE_BYTES)
    secret = nonce + _signatures(nonce)[0]
    with transaction.atomic():
        locked = Shipment.objects.select_for_update().get(pk=shipment.pk)
        if cadence.is_over(locked):
            raise NotPossible("运单已结束，不能再生成司机链接")
        end(locked)
        now = clock.now()
        link = DriverLink.objects.create(
            shipment=locked,
            digest=_digest(secret),
            created_at=now,
            created_by=by.name or by.source.value,
            expires_at=now + min(life, LONGEST_LIFE),
        )
    return link, f"{settings.PUBLIC_URL.rstrip('/')}/d/{secret}"


def find(secret: str) -> DriverLink | None:
    """Return the live link of a secret. Forged, unknown, expired and ended ones are all the same: None."""
    if not _SECRET.fullmatch(secret):
        return None
    nonce, signature = secret[: 2 * NONCE_BYTES], secret[2 * NONCE_BYTES :]
    right = [hmac.compare_digest(signature, good) for good in _signatures(nonce)]
    if not any(right):
        return None
    link = DriverLink.objects.select_related("shipment__carrier").filter(digest=_digest(secret)).first()
    return link if link and is_live(link, link.shipment) else None


def is_live(link: DriverLink, shipment: Shipment) -> bool:
    """Say whether a link still opens its parcel, `shipment` being the parcel as it stands now."""
    return link.revoked_at is None and clock.now() < link.expires_at and not cadence.is_over(shipment)


def end(shipment: Shipment) -> int:
    """End all links of a parcel and return how many were open. Repeatable."""
    return DriverLink.objects.filter(shipment=shipment, revoked_at=None).update(revoked_at=clock.now())


def _signatures(nonce: str) -> list[str]:
    """Return what signs it under each live key, the newest first."""
    return [index[:SIGNATURE_DIGITS] for index in crypto.blind_indexes(nonce, purpose="driver_link")]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
