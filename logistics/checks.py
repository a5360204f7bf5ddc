"""System checks of the tracking providers' settings: off without keys, never half on."""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register

from logistics.providers.kdniao import SUBSCRIBE_TYPES


@register
def check_kdniao(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    has = [bool(settings.KDNIAO_BUSINESS_ID), bool(settings.KDNIAO_API_KEY)]
    if not any(has):
        return [Info("快递鸟没有配置，不会查询轨迹。", id="logistics.I001")]
    errors: list[CheckMessage] = []
    if not all(has):
        hint = "两项都填写，或都留空。"
        errors.append(Error("KDNIAO_BUSINESS_ID 与 KDNIAO_API_KEY 只填了一项。", hint=hint, id="logistics.E001"))
    if settings.KDNIAO_QUERY_TYPE not in SUBSCRIBE_TYPES:
        known = "、".join(SUBSCRIBE_TYPES)
        hint = f"填写已开通的接口：{known}。"
        errors.append(Error("KDNIAO_QUERY_TYPE 不是可用的接口。", hint=hint, id="logistics.E002"))
    if not settings.ALLOW_LOOPBACK_INTEGRATIONS and not is_outside(settings.KDNIAO_BASE_URL):
        hint = "例如 https://api.kdniao.com"
        errors.append(Error("KDNIAO_BASE_URL 必须是 https，且不能是本机地址。", hint=hint, id="logistics.E003"))
    return errors


def is_outside(url: str) -> bool:
    """Return whether a URL is https and leaves this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        address = ipaddress.ip_address(host)
        here = address.is_loopback or address.is_unspecified
    except ValueError:
        here = host in ("", "localhost") or host.endswith(".localhost")
    return parts.scheme == "https" and not here
