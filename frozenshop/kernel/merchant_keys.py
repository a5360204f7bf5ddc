"""Keys of the shop's systems for the merchant API: issued, rotated with an overlap, ended at once."""

import datetime as dt
import secrets
from collections.abc import Iterable

from frozenshop.kernel import clock, crypto
from frozenshop.kernel.models import MerchantKey

SECRET_BYTES = 32
OVERLAP = dt.timedelta(hours=96)
"""Longer than the retries of a sender that still signs with the former secret."""


def issue(name: str, scopes: Iterable[str]) -> tuple[MerchantKey, str]:
    """Make a key and return it with its secret (64 hex digits), which is told this once."""
    key_id, secret = f"mk_{secrets.token_hex(8)}", secrets.token_hex(SECRET_BYTES)
    key = MerchantKey.objects.create(
        key_id=key_id, name=name, scopes=list(scopes), secret_sealed=_seal(key_id, secret), created_at=clock.now()
    )
    return key, secret


def rotate(key: MerchantKey, *, overlap: dt.timedelta = OVERLAP) -> str:
    """Return a new secret; the present one lives on for `overlap`, a former one ends now."""
    secret = secrets.token_hex(SECRET_BYTES)
    key.previous_secret_sealed, key.secret_sealed = key.secret_sealed, _seal(key.key_id, secret)
    key.previous_expires_at = clock.now() + overlap
    key.save(update_fields=["secret_sealed", "previous_secret_sealed", "previous_expires_at"])
    return secret


def revoke(key: MerchantKey) -> None:
    """End the key: no request is accepted from now on."""
    key.active = False
    key.save(update_fields=["active"])


def revoke_previous(key: MerchantKey) -> None:
    """End the former secret before its overlap is over."""
    key.previous_secret_sealed, key.previous_expires_at = "", None
    key.save(update_fields=["previous_secret_sealed", "previous_expires_at"])


def find(key_id: str) -> MerchantKey | None:
    """Return the active key of this id. It is read anew for each request, so that revocation takes effect at once."""
    return MerchantKey.objects.filter(key_id=key_id, active=True).first()


def live_secrets(key: MerchantKey) -> list[str]:
    """Return the secrets that sign now, newest first; none when the key is off."""
    if not key.active:
        return []
    sealed = [key.secret_sealed]
    if key.previous_secret_sealed and key.previous_expires_at and clock.now() < key.previous_expires_at:
        sealed.append(key.previous_secret_sealed)
    return [crypto.open_sealed(value, purpose=purpose(key.key_id)) for value in sealed]


def purpose(key_id: str) -> str:
    """What a key's secrets are sealed for."""
    return f"merchant_key:{key_id}"


def _seal(key_id: str, secret: str) -> str:
    return crypto.seal(secret, purpose=purpose(key_id))
