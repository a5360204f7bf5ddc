"""The shop's own backend as a client of the merchant API. Signs by the published description alone."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import requests

SCHEME = "MK1-HMAC-SHA256"
PATIENCE_SECONDS = 10.0


def string_to_sign(method: str, url: str, body: bytes, timestamp: int, nonce: str, *, scheme: str = SCHEME) -> str:
    parts = urlsplit(url)
    pairs = sorted(parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in pairs)
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((scheme, method, unquote(parts.path), query, digest, str(timestamp), nonce))


def sign(secret_hex: str, text: str) -> str:
    return hmac.new(bytes.fromhex(secret_hex), text.encode(), hashlib.sha256).hexdigest()


def post(url: str, payload: Mapping[str, Any], *, key_id: str, secret_hex: str, once: str) -> tuple[int, str]:
    """Return status and text; 0 when nobody answered. `once` is the idempotency key."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    timestamp, nonce = int(time.time()), secrets.token_hex(16)
    headers = {
        "Content-Type": "application/json",
        "X-Key-Id": key_id,
        "X-Timestamp": str(timestamp),
        "X-Nonce": nonce,
        "X-Signature": sign(secret_hex, string_to_sign("POST", url, body, timestamp, nonce)),
        "Idempotency-Key": once,
    }
    try:
        response = requests.post(url, data=body, headers=headers, timeout=PATIENCE_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return 0, type(error).__name__
    return response.status_code, response.text
