"""System checks of the tracking providers' settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from frozenshop.kernel import integrations
from logistics.providers.kdniao import SUBSCRIBE_TYPES


@register
def check_kdniao(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors = integrations.check(
        "KDNIAO",
        ("KDNIAO_BUSINESS_ID", "KDNIAO_API_KEY"),
        without="快递鸟没有配置，不会查询轨迹。",
        example="https://api.kdniao.com",
    )
    if settings.KDNIAO_QUERY_TYPE not in SUBSCRIBE_TYPES:
        hint = f"填写已开通的接口：{'、'.join(SUBSCRIBE_TYPES)}。"
        errors.append(Error("KDNIAO_QUERY_TYPE 不是可用的接口。", hint=hint, id="kdniao.E003"))
    return errors
