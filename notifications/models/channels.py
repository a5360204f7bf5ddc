"""The ways to reach a person or a program, and how each one is."""

from django.db import models

from frozenshop.kernel.fields import KeyField


class Channel(models.TextChoices):
    """A way to reach a person or a program (closed list)."""

    WECHAT_SUBSCRIBE = "wechat_subscribe", "微信订阅消息"
    WECHAT_OFFICIAL = "wechat_official", "公众号模板消息"
    SMS_ALIYUN = "sms_aliyun", "阿里云短信"
    SMS_TENCENT = "sms_tencent", "腾讯云短信"
    WECOM_BOT = "wecom_bot", "企业微信机器人"
    EMAIL = "email", "邮件"
    WEBHOOK = "webhook", "Webhook"


class ChannelState(models.Model):
    """The circuit breaker of one channel (one row each). `trouble` is what a person must mend before it works again."""

    channel = KeyField("渠道", max_length=20, choices=Channel.choices, unique=True)
    failures = models.PositiveIntegerField("连续失败", default=0)
    open_until = models.DateTimeField("熔断至", null=True, blank=True)
    last_error = models.CharField("最近错误", max_length=300, blank=True)
    trouble = models.CharField("须人工处理", max_length=300, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "通知渠道"

    def __str__(self) -> str:
        return self.channel
