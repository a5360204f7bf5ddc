"""Sessions of buyers: a random token of which only the digest is kept, and a secret with which requests are signed.

The cache holds each session for a few minutes, so that a request needs no query. It is only ever filled by `add`,
while a change (logout, a phone that moved) is written over what is there: a slow reader can't bring back the old state.
"""

import datetime as dt
import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from frozenshop.api.models import BuyerSession
from frozenshop.kernel import caching, clock, crypto, replica
from frozenshop.kernel.errors import Unauthenticated
from frozenshop.kernel.signing import SessionExpired
from orders.models import Customer

LASTS = dt.timedelta(days=7)
TOKEN_BYTES = 32
SECRET_BYTES = 32
CACHED_SECONDS = 300
MOST_SEEN = 20_000
_seen: dict[str, "Buyer"] = {}

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


@dataclass(frozen=True, slots=True)
class Login:
    """What the buyer's device keeps; neither the token nor the secret can be read again here."""

    token: str
    sign_secret: str
    expires_in: int


@dataclass(frozen=True)
class Buyer:
    """Who signs a request. `phone_*` are the customer's, as they were when the session was cached."""

    session_id: int
    customer_id: int
    secret_sealed: str
    phone_index: str | None
    phone_verified_at: dt.datetime | None
    token_digest: str
    is_authenticated: bool = True

    @cached_property
    def sign_secret(self) -> str:
        return crypto.open_sealed(self.secret_sealed, purpose=purpose_of(self.token_digest))

    @property
    def log_name(self) -> str:
        return f"customer:{self.customer_id}"

    def customer(self) -> Customer:
        """Return the customer without a query."""
        return Customer(pk=self.customer_id, phone_index=self.phone_index, phone_verified_at=self.phone_verified_at)


def start(customer: Customer) -> Login:
    """Open a session of 7 days."""
    token, secret = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_hex(SECRET_BYTES)
    digest = digest_of(token)
    now = clock.now()
    session = BuyerSession.objects.create(
        token_digest=digest,
        customer=customer,
        secret_sealed=crypto.seal(secret, purpose=purpose_of(digest)),
        created_at=now,
        expires_at=now + LASTS,
    )
    caching.add(cache_key(digest), _record(session), CACHED_SECONDS)
    replica.wrote(digest)
    return Login(token, secret, int(LASTS.total_seconds()))


def digest_of(token: str) -> str:
    """Return the one form in which a token is kept. Raises Unauthenticated for what can't be one."""
    if not _TOKEN.fullmatch(token):
        raise Unauthenticated
    return hashlib.sha256(token.encode()).hexdigest()


def cache_key(digest: str) -> str:
    return f"session:{digest}"


def buyer_of(digest: str, record: dict[str, Any] | None = None) -> Buyer:
    """Return whose token it is; `record` is what the cache holds of it, if that was asked already.

    Raises Unauthenticated for an unknown token, SessionExpired for one that ended or was revoked.
    """
    if record is None:
        record = _load(digest)
    if record["revoked"] or record["expires_at"] <= clock.now().timestamp():
        raise SessionExpired
    verified_at = record["phone_verified_at"]
    return Buyer(
        session_id=record["id"],
        customer_id=record["customer_id"],
        secret_sealed=record["secret_sealed"],
        phone_index=record["phone_index"],
        phone_verified_at=verified_at and dt.datetime.fromtimestamp(verified_at, dt.UTC),
        token_digest=digest,
    )


def remember(buyer: Buyer) -> None:
    """Keep in this process what its requests are signed with; it says nothing about whether the session lives."""
    if len(_seen) >= MOST_SEEN:
        _seen.clear()
    _seen[buyer.token_digest] = buyer


def remembered(digest: str) -> Buyer | None:
    return _seen.get(digest)


def revoke(buyer: Buyer) -> None:
    """End one session at once."""
    _revoke(BuyerSession.objects.filter(pk=buyer.session_id))


def phone_moved(customer: Customer) -> None:
    """Bring a customer's sessions in line with the phone that it has now, or has no more.

    Who was known by the phone alone is logged out.
    """
    customer.refresh_from_db()
    rows = BuyerSession.objects.filter(customer=customer, revoked_at=None, expires_at__gt=clock.now())
    if customer.openid is None and customer.phone_index is None:
        _revoke(rows)
        return
    for session in rows.select_related("customer"):
        _overwrite(session)


def _revoke(rows: QuerySet[BuyerSession]) -> None:
    for session in rows.select_related("customer"):
        session.revoked_at = clock.now()
        session.save(update_fields=["revoked_at"])
        _overwrite(session)


def _load(digest: str) -> dict[str, Any]:
    session = BuyerSession.objects.select_related("customer").filter(token_digest=digest).first()
    if session is None:
        raise Unauthenticated
    record = _record(session)
    caching.add(cache_key(digest), record, CACHED_SECONDS)
    return record


def _overwrite(session: BuyerSession) -> None:
    # Longer than a record that a slow reader may add meanwhile.
    caching.put(cache_key(session.token_digest), _record(session), 2 * CACHED_SECONDS)


def _record(session: BuyerSession) -> dict[str, Any]:
    verified_at = session.customer.phone_verified_at
    return {
        "id": session.pk,
        "customer_id": session.customer_id,
        "secret_sealed": session.secret_sealed,
        "phone_index": session.customer.phone_index,
        "phone_verified_at": verified_at and verified_at.timestamp(),
        "expires_at": session.expires_at.timestamp(),
        "revoked": session.revoked_at is not None,
    }


def purpose_of(digest: str) -> str:
    return f"session:{digest}"
