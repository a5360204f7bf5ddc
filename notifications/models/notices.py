"""What is told to whom, with which template, and each attempt to tell it."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel import request_id
from frozenshop.kernel.fields import KeyField
from notifications.models.channels import Channel
from orders.models import Order


class Audience(models.TextChoices):
    """Who is told."""

    BUYER = "buyer", "买家"
    CONSIGNEE = "consignee", "收件人"
    STAFF = "staff", "员工"
    SHOP = "shop", "商家系统"


class Milestone(models.TextChoices):
    """What is told (closed list); `notifications.occasions.OCCASIONS` says to whom and how."""

    PAID = "paid", "付款成功"
    SHIPPED = "shipped", "已发货"
    OUT_FOR_DELIVERY = "out_for_delivery", "派送中"
    ARRIVING = "arriving", "即将送达"
    LOCKER_WAITING = "locker_waiting", "待取件"
    LOCKER_REMINDER = "locker_reminder", "取件提醒"
    DELAYED = "delayed", "延误"
    RECOVERED = "recovered", "恢复正常"
    EXCEPTION = "exception", "物流异常"
    DELIVERED = "delivered", "已签收"
    RETURNED = "returned", "已退回"
    CANCELLED = "cancelled", "已取消"
    REFUNDED = "refunded", "已退款"
    ALERT = "alert", "异常预警"
    DIGEST = "digest", "每日汇总"
    SETTLEMENT = "settlement", "结算异常"
    ORDER_STATUS_CHANGED = "order.status_changed", "订单状态变化"
    SHIPMENT_UPDATED = "shipment.updated", "运单更新"
    ALERT_OPENED = "alert.opened", "预警出现"
    ALERT_RESOLVED = "alert.resolved", "预警解决"


class Notice(models.Model):
    """One thing that one person is told, once. `recipient` names the person without showing them.

    `recipient`: `customer:7`, `phone:<blind index>`, `staff:3`, `role:客服`, `endpoint:2`. `subject`: `order:<number>`,
    `shipment:5`, `alert:9`. It is told by its deliveries, one channel after the other until one succeeds.
    `channel` is the one it waits for; empty while a delivery is under way, and once it is settled.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "待发送"
        TOLD = "told", "已告知"
        NOT_TOLD = "not_told", "未告知"

    class Why(models.TextChoices):
        """Why somebody was not told."""

        SUPERSEDED = "superseded", "已有新进展"
        OPTED_OUT = "opted_out", "已退订"
        CAPPED = "capped", "达到每日上限"
        BUDGET = "budget", "短信预算用完"
        NO_CHANNEL = "no_channel", "没有可用渠道"
        FAILED = "failed", "各渠道均失败"
        UNKNOWN = "unknown", "结果未知"
        EXPIRED = "expired", "已过时效"

    audience = KeyField("对象", max_length=12, choices=Audience.choices)
    recipient = KeyField("接收人", max_length=120)
    subject = KeyField("事项", max_length=120)
    milestone = KeyField("内容", max_length=32, choices=Milestone.choices)
    round = models.PositiveSmallIntegerField("轮次", default=0)
    # No constraint: the row outlives the order's stay in the hot tables.
    order = models.ForeignKey(
        Order, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name="订单", db_constraint=False
    )
    facts = models.JSONField("事实", default=dict)
    occurred_at = models.DateTimeField("发生时间")
    due_at = models.DateTimeField("应发时间")
    expires_at = models.DateTimeField("失效时间", null=True, blank=True)
    channel = KeyField("渠道", max_length=20, choices=Channel.choices, blank=True)
    state = KeyField("状态", max_length=10, choices=State.choices, default=State.WAITING)
    why = KeyField("未告知原因", max_length=12, choices=Why.choices, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    settled_at = models.DateTimeField("了结时间", null=True, blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True, default=request_id.current, db_default="")

    class Meta:
        verbose_name = verbose_name_plural = "通知"
        constraints = [
            models.UniqueConstraint(fields=["recipient", "subject", "milestone", "round"], name="notice_once"),
        ]
        indexes = [
            models.Index(fields=["state", "channel", "due_at", "id"], name="notice_lane"),
            models.Index(fields=["recipient", "created_at"], name="notice_recipient"),
            models.Index(fields=["subject", "id"], name="notice_subject"),
            models.Index(fields=["created_at", "id"], name="notice_created"),
            models.Index(fields=["request_id"], name="notice_request"),
        ]

    def __str__(self) -> str:
        return f"{self.milestone} {self.subject}"


class Addressee(models.Model):
    """Somebody who is told something, by the recipient's name: the row that is locked while their day is counted."""

    recipient = KeyField("接收人", max_length=120, primary_key=True)

    class Meta:
        verbose_name = verbose_name_plural = "接收人"

    def __str__(self) -> str:
        return f"接收人 {self.pk[:12]}"


class Delivery(models.Model):
    """One attempt to tell a notice on one channel: written before sending, closed by the answer or the report.

    `reference` is ours, given to the channel; `provider_id` is the channel's. Neither holds personal data; `said` is
    scrubbed.
    """

    class State(models.TextChoices):
        SENDING = "sending", "发送中"
        SENT = "sent", "已提交"
        DELIVERED = "delivered", "已送达"
        FAILED = "failed", "失败"
        UNKNOWN = "unknown", "结果未知"

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="deliveries", verbose_name="通知")
    channel = KeyField("渠道", max_length=20, choices=Channel.choices)
    attempt = models.PositiveSmallIntegerField("次数", default=1)
    reference = KeyField("编号", max_length=64, unique=True)
    provider_id = KeyField("渠道编号", max_length=100, blank=True)
    state = KeyField("状态", max_length=10, choices=State.choices, default=State.SENDING)
    permanent = models.BooleanField("不再重试", default=False)
    code = KeyField("结果码", max_length=60, blank=True)
    said = models.CharField("渠道答复", max_length=300, blank=True)
    started_at = models.DateTimeField("开始时间", default=timezone.now)
    answered_at = models.DateTimeField("答复时间", null=True, blank=True)
    ask_at = models.DateTimeField("下次核实", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "通知投递"
        constraints = [models.UniqueConstraint(fields=["notice", "channel", "attempt"], name="delivery_once")]
        indexes = [
            models.Index(fields=["state", "ask_at", "id"], name="delivery_unknown"),
            models.Index(fields=["channel", "provider_id"], name="delivery_provider"),
            models.Index(fields=["started_at", "id"], name="delivery_started"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.reference}"


class MessageTemplate(models.Model):
    """Which template of a channel tells a milestone, and what stands in each of its fields.

    `fields` maps the channel's field (`thing1`, `time4`, a variable's name) to a text with `{words}`.
    """

    channel = KeyField("渠道", max_length=20, choices=Channel.choices)
    milestone = KeyField("内容", max_length=32, choices=Milestone.choices)
    template_id = KeyField("模板编号", max_length=80)
    title = models.CharField("标题", max_length=60, blank=True)
    fields = models.JSONField("字段", default=dict)
    page = models.CharField("点击打开", max_length=200, blank=True)
    enabled = models.BooleanField("启用", default=True)
    trouble = models.CharField("停用原因", max_length=300, blank=True)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "消息模板"
        constraints = [models.UniqueConstraint(fields=["channel", "milestone"], name="message_template_once")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.get_milestone_display()}"
