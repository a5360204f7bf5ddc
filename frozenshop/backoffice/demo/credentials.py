"""The demo's people and keys: made at random once, kept in `var/demo.json`, readable by the owner only."""

import json
import os
import secrets
from pathlib import Path
from random import Random
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from frozenshop.backoffice.demo import seeding
from frozenshop.kernel import merchant_keys
from frozenshop.kernel.models import MerchantKey
from notifications.models import WebhookEndpoint
from notifications.webhooks import endpoints
from orders.models import Customer

KEY_NAME = "演示商城"
USERNAME = "demo"
SCOPES = ["orders:write", "orders:read", "orders:read_unmasked", "events:write", "shipments:write"]


def path() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"


def known() -> dict[str, Any]:
    """Return what an earlier start wrote, or nothing."""
    try:
        return dict(json.loads(path().read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def prepare() -> tuple[dict[str, Any], Customer]:
    """Make sure that the demo staff account, buyer and merchant key exist and are known; write the file.

    What the file no longer tells (it was deleted) is made anew: passwords and secrets can't be read back.
    """
    old = known()
    staff = _staff(old.get("staff"))
    customer, buyer = _buyer(old.get("buyer"))
    credentials = {
        "urls": {
            "admin": f"{settings.PUBLIC_URL}/admin/",
            "api": f"{settings.PUBLIC_URL}/api/",
            "buyer": f"{settings.PUBLIC_URL}/m/",
            "sandbox": f"http://127.0.0.1:{settings.SANDBOX_PORT}/_sim/",
        },
        "staff": staff,
        "buyer": buyer,
        "merchant": _merchant(old.get("merchant")),
        "kdniao": {"business_id": settings.KDNIAO_BUSINESS_ID, "api_key": settings.KDNIAO_API_KEY},
        "sf": {
            "partner_id": settings.SF_PARTNER_ID,
            "checkword": settings.SF_CHECKWORD,
            "callback_secrets": settings.SF_CALLBACK_SECRETS,
        },
        "kuaidi100": {
            "customer": settings.KUAIDI100_CUSTOMER,
            "key": settings.KUAIDI100_KEY,
            "callback_salt": settings.KUAIDI100_CALLBACK_SALT,
        },
        "cainiao": {
            "provider_id": settings.CAINIAO_PROVIDER_ID,
            "app_code": settings.CAINIAO_APP_CODE,
            "secret": settings.CAINIAO_SECRET,
            "callback_secrets": settings.CAINIAO_CALLBACK_SECRETS,
        },
        "wechat": {
            "appid": settings.WECHAT_APPID,
            "app_secret": settings.WECHAT_APP_SECRET,
            "push_token": settings.WECHAT_PUSH_TOKEN,
            "push_aes_key": settings.WECHAT_PUSH_AES_KEY,
            "mchid": settings.WECHAT_MCHID,
            "official_appid": settings.WECHAT_OFFICIAL_APPID,
            "official_app_secret": settings.WECHAT_OFFICIAL_APP_SECRET,
        },
        "aliyun_sms": {
            "access_key_id": settings.ALIYUN_SMS_ACCESS_KEY_ID,
            "access_key_secret": settings.ALIYUN_SMS_ACCESS_KEY_SECRET,
            "sign_name": settings.ALIYUN_SMS_SIGN_NAME,
            "code_template": settings.ALIYUN_SMS_CODE_TEMPLATE,
            "callback_secrets": settings.ALIYUN_SMS_CALLBACK_SECRETS,
        },
        "tencent_sms": {
            "secret_id": settings.TENCENT_SMS_SECRET_ID,
            "secret_key": settings.TENCENT_SMS_SECRET_KEY,
            "sdk_app_id": settings.TENCENT_SMS_SDK_APP_ID,
            "sign_name": settings.TENCENT_SMS_SIGN_NAME,
            "code_template": settings.TENCENT_SMS_CODE_TEMPLATE,
            "callback_secrets": settings.TENCENT_SMS_CALLBACK_SECRETS,
        },
        "wecom_bot": {"url": settings.WECOM_BOT_URL},
        "webhook": _webhook(old.get("webhook")),
    }
    write(credentials)
    return credentials, customer


def write(credentials: dict[str, Any]) -> None:
    path().parent.mkdir(parents=True, exist_ok=True)
    fresh = path().with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(credentials, file, ensure_ascii=False, indent=2)
    fresh.replace(path())


def _staff(old: dict[str, str] | None) -> dict[str, str]:
    user, created = get_user_model().objects.get_or_create(
        username=USERNAME, defaults={"is_staff": True, "is_superuser": True}
    )
    if old and not created and user.check_password(old["password"]):
        return old
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    return {"username": USERNAME, "password": password}


def _buyer(old: dict[str, str] | None) -> tuple[Customer, dict[str, str]]:
    if old and (customer := Customer.objects.filter(openid=old["openid"]).first()):
        return customer, old
    buyer = {
        "openid": seeding.openid_of(Random(secrets.token_bytes(16))),  # noqa: S311 (a name, not a secret)
        "phone": f"1380000{secrets.randbelow(10_000):04d}",
    }
    customer = Customer(openid=buyer["openid"])
    customer.save()
    Customer.objects.filter(phone_index=seeding.phone_index(buyer["phone"])).update(
        phone_index=None, phone_sealed="", phone_verified_at=None
    )
    seeding.seal_phone(customer, buyer["phone"])
    customer.save()
    return customer, buyer


def _webhook(old: dict[str, str] | None) -> dict[str, str]:
    """The demo shop's endpoint is the sandbox, wherever it listens today."""
    if not settings.ALLOW_LOOPBACK_INTEGRATIONS:
        return {}
    url = f"http://127.0.0.1:{settings.SANDBOX_PORT}/webhooks/demo"
    endpoint = WebhookEndpoint.objects.filter(description=KEY_NAME).first()
    if endpoint is None:
        return {"url": url, "secret": endpoints.add(url, description=KEY_NAME)[1]}
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(url=url)
    if old and old["secret"] in endpoints.live_secrets(endpoint):
        return {"url": url, "secret": old["secret"]}
    return {"url": url, "secret": endpoints.rotate(endpoint)}


def _merchant(old: dict[str, str] | None) -> dict[str, str]:
    key = MerchantKey.objects.filter(name=KEY_NAME, active=True).first()
    if key and old and old["secret_hex"] in merchant_keys.live_secrets(key):
        return old
    if key:
        return {"key_id": key.key_id, "secret_hex": merchant_keys.rotate(key)}
    key, secret_hex = merchant_keys.issue(KEY_NAME, SCOPES)
    return {"key_id": key.key_id, "secret_hex": secret_hex}
