"""System checks of the tracking providers' settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register

from frozenshop.kernel import callback_secrets, integrations
from logistics.providers import cainiao, kuaidi100, sf
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


@register
def check_cainiao(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors = integrations.check(
        "CAINIAO",
        ("CAINIAO_PROVIDER_ID", "CAINIAO_APP_CODE", "CAINIAO_SECRET"),
        without="菜鸟没有配置，不会查询轨迹。",
        example="https://link.cainiao.com",
    )
    choices = {
        "CAINIAO_QUERY_TYPE": cainiao.QUERY_TYPES,
        "CAINIAO_DIGEST": cainiao.DIGESTS,
        "CAINIAO_PUSH_DIGEST": cainiao.DIGESTS,
    }
    for name, known in choices.items():
        if getattr(settings, name) not in known:
            errors.append(Error(f"{name} 不可用。", hint=f"只能是：{'、'.join(known)}。", id="cainiao.E005"))
    return errors + callback_secrets.check("CAINIAO_CALLBACK_SECRETS", prefix="cainiao")


@register
def check_sf(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors = integrations.check(
        "SF",
        ("SF_PARTNER_ID", "SF_CHECKWORD"),
        without="顺丰丰桥没有配置，不会向顺丰查询轨迹。",
        example="https://bspgw.sf-express.com",
    )
    if sf.configured() and not settings.SF_CALLBACK_SECRETS:
        errors.append(Info("没有 SF_CALLBACK_SECRETS，不接收顺丰的路由推送。", id="sf.I002"))
    return errors + callback_secrets.check("SF_CALLBACK_SECRETS", prefix="sf")


@register
def check_kuaidi100(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    found = integrations.check(
        "KUAIDI100",
        ("KUAIDI100_CUSTOMER", "KUAIDI100_KEY"),
        without="快递100没有配置，不会向它查询轨迹。",
        example="https://poll.kuaidi100.com",
    )
    if kuaidi100.configured() and not settings.KUAIDI100_CALLBACK_SALT:
        hint = "填写 16 位以上的随机字符，随新的订阅告诉快递100。"
        found.append(Info("没有 KUAIDI100_CALLBACK_SALT，快递100的推送不带签名。", hint=hint, id="kuaidi100.I002"))
    return found
