"""System checks of the settings of WeChat: off without keys, never half on."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register

from logistics.checks import is_outside


@register
def check_wechat(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    has = [bool(settings.WECHAT_APPID), bool(settings.WECHAT_APP_SECRET)]
    if not any(has):
        return [Info("微信小程序没有配置，买家不能登录。", id="notifications.I001")]
    errors: list[CheckMessage] = []
    if not all(has):
        hint = "两项都填写，或都留空。"
        errors.append(Error("WECHAT_APPID 与 WECHAT_APP_SECRET 只填了一项。", hint=hint, id="notifications.E001"))
    if not settings.ALLOW_LOOPBACK_INTEGRATIONS and not is_outside(settings.WECHAT_BASE_URL):
        hint = "例如 https://api.weixin.qq.com"
        errors.append(Error("WECHAT_BASE_URL 必须是 https，且不能是本机地址。", hint=hint, id="notifications.E002"))
    return errors
