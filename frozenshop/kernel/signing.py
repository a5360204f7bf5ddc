"""Signatures of requests: buyers' sessions (MP1) and merchant keys (MK1)."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote_to_bytes

from frozenshop.kernel import clock
from frozenshop.kernel.errors import Problem

MP1 = "MP1-HMAC-SHA256"
MK1 = "MK1-HMAC-SHA256"
OLDEST_SECONDS = 120
NEWEST_SECONDS = 30

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class SignatureMissing(Problem):
    code, status, message = "signature_missing", 401, "请求缺少签名"


class SignatureInvalid(Problem):
    code, status, message = "signature_invalid", 401, "请求签名不正确"


class TimestampOutOfRange(Problem):
    code, status, message = "timestamp_out_of_range", 401, "手机时间不准，请校准后重试"


class NonceReused(Problem):
    code, status, message = "nonce_reused", 401, "请求已处理过，请重新发起"


class SessionExpired(Problem):
    code, status, message = "session_expired", 401, "登录已过期，请重新登录"


def string_to_sign(
    scheme: str, method: str, path: str, query_string: str, body: bytes, timestamp: str, nonce: str
) -> str:
    """Return the seven lines that are signed.

    `path` is percent-decoded (see `decoded_path`), `query_string` is raw. Raises SignatureInvalid where it can't be
    decoded.
    """
    body_digest = hashlib.sha256(body).hexdigest()
    return "\n".join(
        (scheme, method.upper(), path, canonical_query(query_string), body_digest, timestamp, nonce),
    )


def canonical_query(query_string: str) -> str:
    """Return the query decoded as a form, sorted by code point of (name, value), and encoded in one way."""
    pairs = sorted(_form_pair(part) for part in query_string.split("&") if part)
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def decoded_path(path_info: str) -> str:
    """Return the path of WSGI's PATH_INFO (bytes shown as Latin-1) as text. Raises SignatureInvalid if not UTF-8."""
    return _utf8(_wire_bytes(path_info))


def sign(secret_hex: str, text: str) -> str:
    return hmac.digest(bytes.fromhex(secret_hex), text.encode(), hashlib.sha256).hex()


def check_timestamp(timestamp: str) -> int:
    """Return the instant of signing in Unix seconds. Raises TimestampOutOfRange outside −120 s … +30 s."""
    if not _TIMESTAMP.fullmatch(timestamp):
        raise TimestampOutOfRange
    signed_at = int(timestamp)
    age = int(clock.now().timestamp()) - signed_at
    if not -NEWEST_SECONDS <= age <= OLDEST_SECONDS:
        raise TimestampOutOfRange
    return signed_at


def check_nonce(nonce: str) -> str:
    """Return a well-formed nonce. Raises SignatureInvalid."""
    if not _NONCE.fullmatch(nonce):
        raise SignatureInvalid
    return nonce


def signature_matches(secrets_hex: Iterable[str], text: str, given: str) -> bool:
    """Compare with every live secret, in a time that doesn't tell which one fits or where the first difference is."""
    presented = given.encode()
    matches = [hmac.compare_digest(sign(secret, text).encode(), presented) for secret in secrets_hex]
    return any(matches)


def _form_pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return _form_text(name), _form_text(value)


def _form_text(encoded: str) -> str:
    raw = _wire_bytes(encoded.replace("+", " "))
    if _BROKEN_PERCENT.search(raw):
        raise SignatureInvalid
    return _utf8(unquote_to_bytes(raw))


def _wire_bytes(text: str) -> bytes:
    """WSGI shows the bytes of the wire as Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise SignatureInvalid from error


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SignatureInvalid from error
