"""Who asks: the session, then the timestamp, then the signature, then the nonce; a forged request burns none."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from frozenshop.api import sessions
from frozenshop.api.sessions import Buyer
from frozenshop.kernel import admission, caching, heartbeat, merchant_keys, redis_store, replica, signing
from frozenshop.kernel.errors import Problem, Unauthenticated
from frozenshop.kernel.models import MerchantKey

BUYER_RATE, BUYER_BURST = 20.0, 200
MERCHANT_RATE, MERCHANT_BURST = 50.0, 100

# Django shows bytes of the path that are not UTF-8 as upper-case escapes, which no order number contains.
_NOT_UTF8 = re.compile("%[89A-F][0-9A-F]")


class SignatureHeaders(NamedTuple):
    """The names of a scheme's headers, as WSGI spells them."""

    scheme: str
    timestamp: str
    nonce: str
    signature: str


MP1 = SignatureHeaders(signing.MP1, "HTTP_X_MP_TIMESTAMP", "HTTP_X_MP_NONCE", "HTTP_X_MP_SIGNATURE")
MK1 = SignatureHeaders(signing.MK1, "HTTP_X_TIMESTAMP", "HTTP_X_NONCE", "HTTP_X_SIGNATURE")


class BuyerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>` and the MP1 signature.

    `wanted` are keys of the cache that the view will ask for: they come along with the session, in `fetched`.
    """

    def __init__(self, wanted: Sequence[str] = ()) -> None:
        self.wanted = wanted
        self.fetched: dict[str, Any] = {}

    def authenticate(self, request: Request) -> tuple[Buyer, None]:
        http = request._request
        digest = sessions.digest_of(_bearer(http))
        if heartbeat.configured():
            self.wanted = [*self.wanted, replica.key_of(digest)]
        return self._at_once(http, digest) or self._step_by_step(http, digest), None

    def _step_by_step(self, http: HttpRequest, digest: str) -> Buyer:
        key = sessions.cache_key(digest)
        self.fetched = caching.get_many([key, *self.wanted])
        buyer = sessions.buyer_of(digest, self.fetched.get(key))
        signed_at, nonce = _verify(http, MP1, [buyer.sign_secret])
        _admit(http, f"s:{buyer.session_id}", nonce, signed_at, rate=BUYER_RATE, burst=BUYER_BURST)
        sessions.remember(buyer)
        return buyer

    def _at_once(self, http: HttpRequest, digest: str) -> Buyer | None:
        """One round trip for a session that this process has seen: what it remembers only checks the signature.

        Whether the session still lives comes back together with the nonce. None: to be done step by step, so that
        refusals come in their order.
        """
        seen = sessions.remembered(digest) if redis_store.current() is not None else None
        if seen is None:
            return None
        try:
            signed_at, nonce = _verify(http, MP1, [seen.sign_secret])
        except Problem:
            return None
        keys = [sessions.cache_key(digest), *self.wanted]
        scope, wanted = f"s:{seen.session_id}", caching.full_keys(keys)
        values = _admit(http, scope, nonce, signed_at, rate=BUYER_RATE, burst=BUYER_BURST, wanted=wanted)
        self.fetched = caching.decoded(keys, values)
        return sessions.buyer_of(digest, self.fetched.get(keys[0]))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Merchant:
    """A shop system, known by its key."""

    is_authenticated = True

    def __init__(self, key: MerchantKey) -> None:
        self.key = key
        self.scopes: frozenset[str] = frozenset(key.scopes)

    @property
    def log_name(self) -> str:
        return f"key:{self.key.key_id}"


class MerchantAuthentication(BaseAuthentication):
    """`X-Key-Id` and the MK1 signature, under any live secret of the key."""

    def authenticate(self, request: Request) -> tuple[Merchant, None]:
        http = request._request
        key = _merchant_key(http.META.get("HTTP_X_KEY_ID", ""))
        signed_at, nonce = _verify(http, MK1, merchant_keys.live_secrets(key))
        _admit(http, f"k:{key.key_id}", nonce, signed_at, rate=MERCHANT_RATE, burst=MERCHANT_BURST)
        return Merchant(key), None

    def authenticate_header(self, request: Request) -> str:
        return "MK1-HMAC-SHA256"


def _bearer(request: HttpRequest) -> str:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return str(token.strip())


def _merchant_key(key_id: str) -> MerchantKey:
    key = merchant_keys.find(key_id) if 0 < len(key_id) <= 40 else None
    if key is None:
        raise Unauthenticated("密钥无效或已停用")
    return key


def _admit(
    request: HttpRequest,
    scope: str,
    nonce: str,
    signed_at: int,
    *,
    rate: float,
    burst: int,
    wanted: Sequence[str] = (),
) -> list[bytes | None]:
    writes = request.method not in ("GET", "HEAD")
    return admission.admit(scope, nonce, signed_at, rate=rate, burst=burst, writes=writes, wanted=wanted)


def _verify(request: HttpRequest, names: SignatureHeaders, secrets_hex: Sequence[str]) -> tuple[int, str]:
    """Return when the request was signed, and its nonce. Raises the 401 that fits."""
    meta = request.META
    timestamp, nonce, given = (meta.get(name, "") for name in names[1:])
    if not (timestamp and nonce and given):
        raise signing.SignatureMissing
    signed_at = signing.check_timestamp(timestamp)
    signing.check_nonce(nonce)
    path = request.path_info
    if _NOT_UTF8.search(path):
        raise signing.SignatureInvalid
    text = signing.string_to_sign(
        names.scheme, request.method or "", path, meta.get("QUERY_STRING", ""), request.body, timestamp, nonce
    )
    if not signing.signature_matches(secrets_hex, text, given):
        raise signing.SignatureInvalid
    return signed_at, nonce
