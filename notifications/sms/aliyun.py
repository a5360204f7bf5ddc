"""阿里云短信服务 (Dysmsapi 2017-05-25): signing with ACS3, or with RPC v1 for old accounts, and calling.

Sources: help.aliyun.com "V3 版本请求体和签名机制", "RPC 机制签名"; both checked against the published examples.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings

from frozenshop.kernel import clock, http
from frozenshop.kernel.http import ServiceError
from notifications.sms.errors import Refused, read_object

SERVICE = "aliyun_sms"
VERSION = "2017-05-25"
ACS3 = "ACS3-HMAC-SHA256"
SIGNATURES = ("acs3", "rpc")


def configured() -> bool:
    keys = settings.ALIYUN_SMS_ACCESS_KEY_ID, settings.ALIYUN_SMS_ACCESS_KEY_SECRET, settings.ALIYUN_SMS_SIGN_NAME
    return all(keys)


def call(action: str, params: Mapping[str, str], *, timeout: float) -> dict[str, Any]:
    """Return the answer whose Code is OK. Raises Refused with the service's code, ServiceError where there was none."""
    signed = _signed_rpc if settings.ALIYUN_SMS_SIGNATURE == "rpc" else _signed_acs3
    query, headers = signed(action, params)
    url = f"{settings.ALIYUN_SMS_BASE_URL.rstrip('/')}/?{query}"
    try:
        found = read_object(SERVICE, http.call(SERVICE, "POST", url, headers=headers, timeout=timeout).content)
    except ServiceError as error:
        if refusal := _refusal(error):
            raise refusal from error
        raise
    if found.get("Code") != "OK":
        raise Refused(str(found.get("Code", "")), str(found.get("Message", "")), str(found.get("RequestId", "")))
    return found


def canonical_query(params: Mapping[str, str]) -> str:
    """Return RFC 3986 pairs sorted by name: a space is %20, `*` is %2A, `~` stays."""
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in sorted(params.items()))


def authorise_acs3(method: str, query: str, headers: Mapping[str, str], key_id: str, secret: str) -> str:
    """Return the Authorization header. `headers`: all that are signed, in lower case, with `x-acs-content-sha256`."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    request = "\n".join([method, "/", query, lines, names, headers["x-acs-content-sha256"]])
    signature = sign_acs3(f"{ACS3}\n{hashlib.sha256(request.encode()).hexdigest()}", secret)
    return f"{ACS3} Credential={key_id},SignedHeaders={names},Signature={signature}"


def sign_acs3(string_to_sign: str, secret: str) -> str:
    return hmac.new(secret.encode(), string_to_sign.encode(), hashlib.sha256).hexdigest()


def sign_rpc(method: str, params: Mapping[str, str], secret: str) -> str:
    """Return the Signature of RPC v1; the method is part of what is signed."""
    string_to_sign = f"{method}&%2F&{_encode(canonical_query(params))}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), string_to_sign.encode(), hashlib.sha1).digest()).decode()


def _signed_acs3(action: str, params: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    query = canonical_query(params)
    headers = {
        "host": urlsplit(settings.ALIYUN_SMS_BASE_URL).netloc,
        "x-acs-action": action,
        "x-acs-version": VERSION,
        "x-acs-date": _timestamp(),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
    }
    key_id, secret = settings.ALIYUN_SMS_ACCESS_KEY_ID, settings.ALIYUN_SMS_ACCESS_KEY_SECRET
    return query, headers | {"Authorization": authorise_acs3("POST", query, headers, key_id, secret)}


def _signed_rpc(action: str, params: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    asked = {
        **params,
        "AccessKeyId": settings.ALIYUN_SMS_ACCESS_KEY_ID,
        "Action": action,
        "Format": "JSON",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": secrets.token_hex(16),
        "SignatureVersion": "1.0",
        "Timestamp": _timestamp(),
        "Version": VERSION,
    }
    signature = sign_rpc("POST", asked, settings.ALIYUN_SMS_ACCESS_KEY_SECRET)
    return canonical_query(asked | {"Signature": signature}), {}


def _refusal(error: ServiceError) -> Refused | None:
    """Return what the gateway said with an HTTP error; its message quotes the request and is dropped."""
    try:
        found = read_object(SERVICE, error.body)
    except ServiceError:
        return None
    code = found.get("Code")
    if not isinstance(code, str) or not code:
        return None
    return Refused(code, "", str(found.get("RequestId", "")), in_trouble=(error.status or 0) >= 500)


def _timestamp() -> str:
    return clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _encode(text: str) -> str:
    return quote(text, safe="~")
