"""The shop's own systems, and what they are told."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel import request_id
from frozenshop.kernel.fields import KeyField


class WebhookEndpoint(models.Model):
    """Where the shop's own system is told. Two live secrets allow rotation; both sign.

    `failures` and `failing_since` count from the last message that was taken.
    """

    url = models.URLField("地址", max_length=300)
    description = models.CharField("说明", max_length=100, blank=True)
    events = models.JSONField("事件", default=list, blank=True)
    secrets_sealed = models.TextField("密钥（密封）", default="")
    enabled = models.BooleanField("启用", default=True)
    disabled_reason = models.CharField("停用原因", max_length=200, blank=True)
    failures = models.PositiveIntegerField("连续失败", default=0)
    failing_since = models.DateTimeField("开始失败", null=True, blank=True)
    open_until = models.DateTimeField("熔断至", null=True, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "Webhook 地址"

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """What staff call it; its address may hold a secret of theirs."""
        return self.description or f"{self.pk} 号"


class WebhookMessage(models.Model):
    """One event for one endpoint, tried until it is taken, refused for good or dead. Kept 90 days."""

    class State(models.TextChoices):
        WAITING = "waiting", "待发送"
        DONE = "done", "已送达"
        DEAD = "dead", "已放弃"

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="messages", verbose_name="地址")
    message_id = KeyField("编号", max_length=64)
    event = KeyField("事件", max_length=32)
    body = models.JSONField("内容")
    state = KeyField("状态", max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField("次数", default=0)
    due_at = models.DateTimeField("应发时间", default=timezone.now)
    claimed_until = models.DateTimeField("占用至", null=True, blank=True)
    last_status = models.PositiveSmallIntegerField("最近状态码", null=True, blank=True)
    last_error = models.CharField("最近错误", max_length=300, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    done_at = models.DateTimeField("完成时间", null=True, blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True, default=request_id.current, db_default="")

    class Meta:
        verbose_name = verbose_name_plural = "Webhook 消息"
        constraints = [models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_message_once")]
        indexes = [
            models.Index(fields=["endpoint", "state", "due_at", "id"], name="webhook_message_lane"),
            models.Index(fields=["created_at", "id"], name="webhook_message_created"),
            models.Index(fields=["request_id"], name="webhook_message_request"),
        ]

    def __str__(self) -> str:
        return self.message_id
