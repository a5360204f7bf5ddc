"""腾讯云短信 (SMS 2021-01-11): signing with TC3 and calling.

Source: cloud.tencent.com "签名方法 v3", checked against the published examples.
"""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from frozenshop.kernel import clock, http
from frozenshop.kernel.http import ServiceError
from notifications.sms.errors import Refused, read_object

SERVICE = "tencent_sms"
VERSION = "2021-01-11"
REGION = "ap-guangzhou"
TC3 = "TC3-HMAC-SHA256"
CONTENT_TYPE = "application/json; charset=utf-8"


def configured() -> bool:
    keys = settings.TENCENT_SMS_SECRET_ID, settings.TENCENT_SMS_SECRET_KEY
    return all((*keys, settings.TENCENT_SMS_SDK_APP_ID, settings.TENCENT_SMS_SIGN_NAME))


def call(action: str, asked: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:
    """Return the Response. Raises Refused with the service's code, ServiceError where there was none."""
    body = json.dumps(asked, ensure_ascii=False).encode()
    timestamp = int(clock.now().timestamp())
    signed = {"content-type": CONTENT_TYPE, "host": urlsplit(settings.TENCENT_SMS_BASE_URL).netloc}
    headers = signed | {
        "X-TC-Action": action,
        "X-TC-Version": VERSION,
        "X-TC-Region": REGION,
        "X-TC-Timestamp": str(timestamp),
        "Authorization": authorise(
            body, signed, timestamp, settings.TENCENT_SMS_SECRET_ID, settings.TENCENT_SMS_SECRET_KEY
        ),
    }
    url = f"{settings.TENCENT_SMS_BASE_URL.rstrip('/')}/"
    answer = http.call(SERVICE, "POST", url, data=body, headers=headers, timeout=timeout)
    found = read_object(SERVICE, answer.content).get("Response")
    if not isinstance(found, dict):
        raise ServiceError(SERVICE, "回答无法读取", transient=True)
    if isinstance(error := found.get("Error"), dict):
        raise Refused(str(error.get("Code", "")), str(error.get("Message", "")), str(found.get("RequestId", "")))
    return found


def authorise(
    body: bytes, headers: Mapping[str, str], timestamp: int, secret_id: str, secret_key: str, service: str = "sms"
) -> str:
    """Return the Authorization header of a POST to `/`. `headers`: those that are signed, in lower case."""
    day = f"{dt.datetime.fromtimestamp(timestamp, dt.UTC):%Y-%m-%d}"  # UTC's day, not Shanghai's
    scope, names = f"{day}/{service}/tc3_request", ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip().lower()}\n" for name in sorted(headers))
    request = "\n".join(["POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()])
    string_to_sign = "\n".join([TC3, str(timestamp), scope, hashlib.sha256(request.encode()).hexdigest()])
    signature = sign(string_to_sign, secret_key, day, service)
    return f"{TC3} Credential={secret_id}/{scope}, SignedHeaders={names}, Signature={signature}"


def sign(string_to_sign: str, secret_key: str, day: str, service: str = "sms") -> str:
    key = f"TC3{secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, string_to_sign.encode(), hashlib.sha256).hexdigest()
