"""System checks of the settings of WeChat."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, register

from frozenshop.kernel import integrations


@register
def check_wechat(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return integrations.check(
        "WECHAT",
        ("WECHAT_APPID", "WECHAT_APP_SECRET"),
        without="微信小程序没有配置，买家不能登录。",
        example="https://api.weixin.qq.com",
    )
