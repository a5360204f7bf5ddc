"""What is told to whom, on which channel, with whose consent; and what WeChat was told of shipping."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField
from orders.models import Customer, Order


class Channel(models.TextChoices):
    """A way to reach a person or a program (closed list)."""

    WECHAT_SUBSCRIBE = "wechat_subscribe", "微信订阅消息"
    WECHAT_OFFICIAL = "wechat_official", "公众号模板消息"
    SMS_ALIYUN = "sms_aliyun", "阿里云短信"
    SMS_TENCENT = "sms_tencent", "腾讯云短信"
    WECOM_BOT = "wecom_bot", "企业微信机器人"
    EMAIL = "email", "邮件"
    WEBHOOK = "webhook", "Webhook"


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
    order = models.ForeignKey(Order, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name="订单")
    facts = models.JSONField("事实", default=dict)
    occurred_at = models.DateTimeField("发生时间")
    due_at = models.DateTimeField("应发时间")
    expires_at = models.DateTimeField("失效时间", null=True, blank=True)
    channel = KeyField("渠道", max_length=20, choices=Channel.choices, blank=True)
    state = KeyField("状态", max_length=10, choices=State.choices, default=State.WAITING)
    why = KeyField("未告知原因", max_length=12, choices=Why.choices, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    settled_at = models.DateTimeField("了结时间", null=True, blank=True)

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
        ]

    def __str__(self) -> str:
        return f"{self.milestone} {self.subject}"


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


class Consent(models.Model):
    """How many messages of one template a buyer still allows; only `ConsentEntry` rows change it."""

    openid = KeyField("openid", max_length=64)
    template_id = KeyField("模板编号", max_length=80)
    balance = models.PositiveIntegerField("余量", default=0)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "订阅授权"
        constraints = [models.UniqueConstraint(fields=["openid", "template_id"], name="consent_once")]

    def __str__(self) -> str:
        return f"{self.template_id}×{self.balance}"


class ConsentEntry(models.Model):
    """One change of a consent. `key` makes it count once, however often it is told."""

    consent = models.ForeignKey(Consent, models.CASCADE, related_name="entries")
    key = KeyField(max_length=150, unique=True)
    change = models.SmallIntegerField("变化")
    cause = KeyField("原因", max_length=30)
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "授权流水"

    def __str__(self) -> str:
        return f"{self.cause} {self.change:+d}"


class OptOut(models.Model):
    """What a buyer doesn't want to be told. `topic`: a milestone, or `sms` for the channel."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="opt_outs", verbose_name="买家")
    topic = KeyField("内容", max_length=32)
    created_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "退订"
        constraints = [models.UniqueConstraint(fields=["customer", "topic"], name="opt_out_once")]

    def __str__(self) -> str:
        return self.topic


class OfficialFollower(models.Model):
    """A follower of the 公众号 whose unionid is a buyer's."""

    unionid = KeyField(max_length=64, unique=True)
    openid = KeyField("公众号 openid", max_length=64)
    following = models.BooleanField("关注中", default=True)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "公众号粉丝"

    def __str__(self) -> str:
        return f"粉丝 {self.pk}"


class Unionid(models.Model):
    """The identity that joins a buyer's mini-program account with others of the merchant."""

    customer = models.OneToOneField(Customer, models.CASCADE, related_name="unionid", verbose_name="买家")
    unionid = KeyField(max_length=64, unique=True)

    class Meta:
        verbose_name = verbose_name_plural = "unionid"

    def __str__(self) -> str:
        return f"买家 {self.customer_id}"


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


class WechatEvent(models.Model):
    """What WeChat pushed, kept before it was answered. `key` makes a repeat the same row; the body is sealed."""

    key = KeyField(max_length=64, unique=True)
    event = KeyField("事件", max_length=60)
    body_sealed = models.TextField("内容（密封）")
    received_at = models.DateTimeField("收到时间", default=timezone.now)
    handled_at = models.DateTimeField("处理时间", null=True, blank=True)
    detail = models.CharField("说明", max_length=300, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "微信推送"
        indexes = [models.Index(fields=["received_at", "id"], name="wechat_event_time")]

    def __str__(self) -> str:
        return f"{self.event} #{self.pk}"


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

    class Meta:
        verbose_name = verbose_name_plural = "Webhook 消息"
        constraints = [models.UniqueConstraint(fields=["endpoint", "message_id"], name="webhook_message_once")]
        indexes = [
            models.Index(fields=["endpoint", "state", "due_at", "id"], name="webhook_message_lane"),
            models.Index(fields=["created_at", "id"], name="webhook_message_created"),
        ]

    def __str__(self) -> str:
        return self.message_id


class ShippingReport(models.Model):
    """What WeChat is told about the shipping of one payment, so that the merchant's money is released.

    `payment` names it (`notifications.settlement.payments`); the reports of orders paid together say the same.
    `content` is what WeChat has, `complete` whether that is all of it. `wanted` is what is being told, or what waits
    for a person's word. `uploaded_at` is the upload_time told last, and grows. `wechat_state` is WeChat's order_state.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "待上报"
        UPLOADING = "uploading", "上报中"
        UPLOADED = "uploaded", "已上报"
        UNKNOWN = "unknown", "结果未知"
        REFUSED = "refused", "被拒绝"
        NOT_NEEDED = "not_needed", "无需上报"

    order = models.OneToOneField(Order, models.CASCADE, related_name="shipping_report", verbose_name="订单")
    payment = KeyField("支付单", max_length=110, blank=True)
    state = KeyField("状态", max_length=12, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField("应报时间", null=True, blank=True)
    attempts = models.PositiveSmallIntegerField("次数", default=0)
    content = models.JSONField("已报内容", default=dict, blank=True)
    wanted = models.JSONField("待更正内容", default=dict, blank=True)
    complete = models.BooleanField("已全部上报", default=False)
    corrections = models.PositiveSmallIntegerField("更正次数", default=0)
    uploaded_at = models.DateTimeField("上报时间", null=True, blank=True)
    code = KeyField("结果码", max_length=20, blank=True)
    said = models.CharField("微信答复", max_length=300, blank=True)
    wechat_state = models.PositiveSmallIntegerField("微信订单状态", null=True, blank=True)
    in_complaint = models.BooleanField("投诉中", default=False)
    asked_at = models.DateTimeField("核实时间", null=True, blank=True)
    warned_at = models.DateTimeField("催报时间", null=True, blank=True)
    confirmed_at = models.DateTimeField("提醒收货时间", null=True, blank=True)
    settles_at = models.DateTimeField("预计结算", null=True, blank=True)
    settled_at = models.DateTimeField("结算时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "微信发货上报"
        indexes = [
            models.Index(fields=["state", "due_at", "id"], name="shipping_report_due"),
            models.Index(fields=["settled_at", "state", "id"], name="shipping_report_frozen"),
            models.Index(fields=["payment"], name="shipping_report_payment"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class WechatCompany(models.Model):
    """An express company as WeChat names it, downloaded; `carrier_code` is ours where it is known to be the same."""

    delivery_id = KeyField("微信编码", max_length=64, unique=True)
    name = models.CharField("名称", max_length=100)
    carrier_code = KeyField("承运商编码", max_length=40, blank=True)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "微信快递公司"

    def __str__(self) -> str:
        return self.name


class StaffContact(models.Model):
    """Where one member of staff is told, and of which alerts."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="contact", verbose_name="员工")
    email = models.EmailField("邮箱", blank=True)
    least_severity = KeyField("最低级别", max_length=10, default="2high")
    digest = models.BooleanField("每日汇总", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "员工通知设置"

    def __str__(self) -> str:
        return f"员工 {self.user_id}"
