"""Signatures by the Standard Webhooks specification: one for each live secret, all in one header."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
SECRET_BYTES = 32
LEAST_BYTES, MOST_BYTES = 24, 64


class SecretMalformed(ValueError):
    """A secret that is not `whsec_` and the base64 of 24 to 64 bytes. The text never quotes it."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(message_id: str, timestamp: int, body: bytes, live: Iterable[str]) -> Mapping[str, str]:
    """Return the three headers of an attempt. `timestamp` is that of the attempt, in Unix seconds."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp, body) for secret in live),
    }


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. Raises SecretMalformed."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(_key_of(secret), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise SecretMalformed("Webhook 密钥不是有效的 base64") from error
    if not secret.startswith(PREFIX) or not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise SecretMalformed(f"Webhook 密钥应为 {PREFIX} 加 {LEAST_BYTES}–{MOST_BYTES} 字节的 base64")
    return key
