"""System checks of how staff sign in."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register

from frozenshop.backoffice.signin import passkeys


@register(Tags.security, deploy=True)
def check_second_factor(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Say where a password alone opens the back office, and where security keys can't work."""
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if settings.STAFF_SECOND_FACTOR != "required":
        sentence = "员工只凭密码就能进入后台（STAFF_SECOND_FACTOR 不是 required）。"
        found.append(Warning(sentence, hint="例如 STAFF_SECOND_FACTOR=required", id="frozenshop.W035"))
    if settings.STAFF_SECOND_FACTOR != "off" and not passkeys.relying_party():
        sentence = "PUBLIC_URL 是数字地址，浏览器不为它提供安全密钥；员工只能用验证器应用。"
        found.append(Info(sentence, hint="例如 PUBLIC_URL=https://shop.example.com", id="frozenshop.I035"))
    return found
