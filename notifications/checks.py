"""System checks of the settings of WeChat and SMS."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register

from frozenshop.kernel import callback_secrets, integrations
from notifications.sms.aliyun import SIGNATURES
from notifications.wechat import events

STATES = ("formal", "trial", "developer")


@register
def check_wechat(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return integrations.check(
        "WECHAT",
        ("WECHAT_APPID", "WECHAT_APP_SECRET"),
        without="微信小程序没有配置，买家不能登录，也收不到订阅消息。",
        example="https://api.weixin.qq.com",
    )


@register
def check_wechat_push(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.WECHAT_APPID and not settings.WECHAT_PUSH_TOKEN:
        sentence = "没有配置微信消息推送，收不到订阅授权、送达和结算的通知。"
        hint = (
            "在公众平台“消息推送”填写地址 /callbacks/wechat，"
            "并把 Token 和 EncodingAESKey 写入 WECHAT_PUSH_TOKEN、WECHAT_PUSH_AES_KEY。"
        )
        found.append(Info(sentence, hint=hint, id="wechat.I002"))
    if settings.WECHAT_PUSH_AES_KEY and not _is_aes_key(settings.WECHAT_PUSH_AES_KEY):
        hint = "照抄公众平台“消息推送”里的 EncodingAESKey：43 个字母和数字。"
        found.append(Error("WECHAT_PUSH_AES_KEY 不是有效的 EncodingAESKey。", hint=hint, id="wechat.E003"))
    if settings.WECHAT_PUSH_AES_KEY and not settings.WECHAT_PUSH_TOKEN:
        found.append(Error("填了 WECHAT_PUSH_AES_KEY 就要填 WECHAT_PUSH_TOKEN。", id="wechat.E004"))
    if settings.WECHAT_PUSH_MODE == events.SAFE and not settings.WECHAT_PUSH_AES_KEY:
        hint = "填写公众平台“消息推送”里的 EncodingAESKey，否则任何推送都不接收。"
        found.append(Error("WECHAT_PUSH_MODE 是 safe，却没有 WECHAT_PUSH_AES_KEY。", hint=hint, id="wechat.E007"))
    if settings.WECHAT_PUSH_MODE not in events.PUSH_MODES:
        found.append(Error("WECHAT_PUSH_MODE 只能是：" + "、".join(events.PUSH_MODES), id="wechat.E008"))
    if settings.WECHAT_MINIPROGRAM_STATE not in STATES:
        found.append(Error("WECHAT_MINIPROGRAM_STATE 只能是：" + "、".join(STATES), id="wechat.E005"))
    return found


@register
def check_wechat_official(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    keys = ("WECHAT_OFFICIAL_APPID", "WECHAT_OFFICIAL_APP_SECRET")
    given = [bool(getattr(settings, key)) for key in keys]
    if not any(given):
        return [Info("没有配置公众号，不会发送公众号模板消息。", id="wechat_official.I001")]
    if not all(given):
        return [Error(f"{'、'.join(keys)} 只填了一部分。", hint="都填写，或都留空。", id="wechat.E006")]
    return []


@register
def check_aliyun_sms(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors = integrations.check(
        "ALIYUN_SMS",
        ("ALIYUN_SMS_ACCESS_KEY_ID", "ALIYUN_SMS_ACCESS_KEY_SECRET", "ALIYUN_SMS_SIGN_NAME"),
        without="阿里云短信没有配置，不会用它发短信。",
        example="https://dysmsapi.aliyuncs.com",
    )
    if settings.ALIYUN_SMS_SIGNATURE not in SIGNATURES:
        errors.append(Error("ALIYUN_SMS_SIGNATURE 只能是：" + "、".join(SIGNATURES), id="aliyun_sms.E005"))
    return errors + _check_sms("ALIYUN_SMS", "ALIYUN_SMS_ACCESS_KEY_ID", "/callbacks/sms/aliyun/")


@register
def check_tencent_sms(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    keys = ("TENCENT_SMS_SECRET_ID", "TENCENT_SMS_SECRET_KEY", "TENCENT_SMS_SDK_APP_ID", "TENCENT_SMS_SIGN_NAME")
    example = "https://sms.tencentcloudapi.com"
    errors = integrations.check("TENCENT_SMS", keys, without="腾讯云短信没有配置，不会用它发短信。", example=example)
    names = [name.strip() for name in settings.TENCENT_SMS_CODE_FIELDS.split(",")]
    if "code" not in names or not {"code", "minutes"}.issuperset(names):
        sentence = "TENCENT_SMS_CODE_FIELDS 只能由 code 和 minutes 组成，且要有 code。"
        errors.append(Error(sentence, hint="例如 code 或 code,minutes", id="tencent_sms.E005"))
    return errors + _check_sms("TENCENT_SMS", keys[0], "/callbacks/sms/tencent/")


def _check_sms(name: str, key: str, path: str) -> list[CheckMessage]:
    """Return what holds for both services: callback secrets, and what is off without them or a template of codes."""
    found = callback_secrets.check(f"{name}_CALLBACK_SECRETS", prefix=name.lower())
    if getattr(settings, key) and not getattr(settings, f"{name}_CALLBACK_SECRETS"):
        sentence = f"没有 {name}_CALLBACK_SECRETS，不接收短信回执，不知道短信是否送达。"
        hint = f"在短信控制台把状态报告推送到 {path}<密钥>。"
        found.append(Info(sentence, hint=hint, id=f"{name.lower()}.I002"))
    if getattr(settings, key) and not getattr(settings, f"{name}_CODE_TEMPLATE"):
        found.append(Info(f"没有 {name}_CODE_TEMPLATE，不用它发送短信验证码。", id=f"{name.lower()}.I003"))
    return found


@register
def check_wecom_bot(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    url = settings.WECOM_BOT_URL
    if not url:
        return [Info("没有配置企业微信机器人，预警和每日汇总不会发到群里。", id="wecom_bot.I001")]
    outside = settings.ALLOW_LOOPBACK_INTEGRATIONS or integrations.is_outside(url)
    if outside and "key=" in url:
        return []
    hint = "照抄机器人的 Webhook 地址，例如 https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"
    return [Error("WECOM_BOT_URL 必须是 https，不能是本机地址，且带有 key。", hint=hint, id="wecom_bot.E001")]


@register
def check_email(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if not settings.EMAIL_URL:
        return [Info("没有配置邮件服务器，员工收不到邮件。", id="email.I001")]
    found: list[CheckMessage] = []
    if "@" not in settings.DEFAULT_FROM_EMAIL:
        found.append(Error("没有发件人地址。", hint="把它写入 EMAIL_FROM。", id="email.E001"))
    in_clear = not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL)
    if in_clear and settings.EMAIL_HOST_PASSWORD and not settings.ALLOW_LOOPBACK_INTEGRATIONS:
        hint = "EMAIL_URL 用 smtp+ssl:// 或 smtp+tls://。"
        found.append(Error("邮件密码会以明文发送。", hint=hint, id="email.E002"))
    return found


def _is_aes_key(text: str) -> bool:
    try:
        return len(text) == 43 and len(base64.b64decode(text + "=", validate=True)) == 32
    except binascii.Error:
        return False
