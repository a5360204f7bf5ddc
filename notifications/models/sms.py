"""What SMS used up, the codes that prove a phone, and what the services reported."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel import request_id
from frozenshop.kernel.fields import KeyField


class SmsBudget(models.Model):
    """How many messages went out in one day (Shanghai's) for one purpose; counted before sending."""

    used_on = models.DateField("日期")
    purpose = KeyField("用途", max_length=20)
    used = models.PositiveIntegerField("已用", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "短信用量"
        constraints = [models.UniqueConstraint(fields=["used_on", "purpose"], name="sms_budget_once")]

    def __str__(self) -> str:
        return f"{self.used_on} {self.purpose}"


class SmsCode(models.Model):
    """A code that proves a phone: of phone and address only blind indexes are kept, of the code a keyed digest."""

    phone_index = KeyField(max_length=64)
    address_index = KeyField(max_length=64, blank=True, default="")
    digest = KeyField(max_length=64)
    sent_at = models.DateTimeField("发送时间", default=timezone.now)
    expires_at = models.DateTimeField("有效至")
    tries = models.PositiveSmallIntegerField("已试次数", default=0)
    used_at = models.DateTimeField("使用时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "短信验证码"
        indexes = [
            models.Index(fields=["phone_index", "sent_at"], name="sms_code_phone"),
            models.Index(fields=["address_index", "sent_at"], name="sms_code_address"),
            models.Index(fields=["sent_at"], name="sms_code_sent"),
        ]

    def __str__(self) -> str:
        return f"验证码 {self.pk}"


class SmsPush(models.Model):
    """Delivery reports as an SMS service pushed them, sealed and kept before anything was made of them."""

    class Outcome(models.TextChoices):
        RECEIVED = "received", "待处理"
        APPLIED = "applied", "已处理"
        UNREADABLE = "unreadable", "无法解析"

    service = KeyField("服务商", max_length=12)
    digest = KeyField("摘要", max_length=64)
    body_sealed = models.TextField("内容（密封）")
    outcome = KeyField("结果", max_length=12, choices=Outcome.choices, default=Outcome.RECEIVED)
    detail = models.CharField("说明", max_length=300, blank=True)
    received_at = models.DateTimeField("收到时间", default=timezone.now)
    applied_at = models.DateTimeField("处理时间", null=True, blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True, default=request_id.current, db_default="")

    class Meta:
        verbose_name = verbose_name_plural = "短信回执"
        constraints = [models.UniqueConstraint(fields=["service", "digest"], name="sms_push_once")]
        indexes = [
            models.Index(fields=["received_at", "id"], name="sms_push_time"),
            models.Index(fields=["request_id"], name="sms_push_request"),
        ]

    def __str__(self) -> str:
        return f"{self.service} #{self.pk}"
