"""What was bought, by whom, where it stands, and what about it needs a person."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from frozenshop.kernel import crypto
from frozenshop.kernel.actor import Source
from frozenshop.kernel.fields import KeyField
from orders.consignee import Consignee


class TemperatureClass(models.TextChoices):
    FROZEN = "frozen", "冷冻"
    CHILLED = "chilled", "冷藏"
    AMBIENT = "ambient", "常温"


class OrderStatus(models.TextChoices):
    """The buyer's five steps and the three ways out."""

    PLACED = "placed", "已下单"
    PAID = "paid", "已付款"
    SHIPPED = "shipped", "已发货"
    IN_TRANSIT = "in_transit", "运输中"
    DELIVERED = "delivered", "已签收"
    CANCELLED = "cancelled", "已取消"
    REFUNDED = "refunded", "已退款"
    RETURNED = "returned", "已退回"


class ProductCategory(models.Model):
    code = KeyField("编码", max_length=40, unique=True)
    name = models.CharField("名称", max_length=60)
    temperature_class = KeyField(
        "温层", max_length=10, choices=TemperatureClass.choices, default=TemperatureClass.FROZEN
    )

    class Meta:
        verbose_name = verbose_name_plural = "商品类目"

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    sku = KeyField("商品编码", max_length=64, unique=True)
    name = models.CharField("名称", max_length=120)
    category = models.ForeignKey(ProductCategory, models.PROTECT, verbose_name="类目", related_name="products")
    temperature_class = KeyField("温层", max_length=10, choices=TemperatureClass.choices)
    max_storage_c = models.DecimalField("最高储存温度（°C）", max_digits=4, decimal_places=1, default=-18)
    shelf_life_days = models.PositiveSmallIntegerField("保质期（天）", default=365)

    class Meta:
        verbose_name = verbose_name_plural = "商品"

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"


class Customer(models.Model):
    """A buyer: known by WeChat openid, by verified phone, or both. A phone belongs to one customer."""

    openid = KeyField("openid", max_length=64, null=True, blank=True, unique=True)
    phone_sealed = models.TextField("手机号（密封）", blank=True)
    phone_index = KeyField("手机号索引", max_length=64, null=True, blank=True, unique=True)
    phone_verified_at = models.DateTimeField("手机号验证时间", null=True, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "买家"

    def __str__(self) -> str:
        return f"买家 {self.pk}"

    def seal_phone(self, phone: str) -> str:
        """Return the sealed form of a phone, which opens only for this (saved) customer."""
        return crypto.seal(phone, purpose=f"customer-phone:{self.pk}")

    def open_phone(self) -> str | None:
        """Return the verified phone in full, or None."""
        if not self.phone_sealed:
            return None
        return crypto.open_sealed(self.phone_sealed, purpose=f"customer-phone:{self.pk}")


class Order(models.Model):
    """One purchase. `status` moves only through `orders.lifecycle`; each `*_at` is a milestone, empty if skipped."""

    order_no = KeyField("订单号", max_length=64, unique=True)
    customer = models.ForeignKey(
        Customer, models.PROTECT, verbose_name="买家", null=True, blank=True, related_name="orders"
    )
    status = KeyField("状态", max_length=12, choices=OrderStatus.choices, default=OrderStatus.PLACED)
    placed_at = models.DateTimeField("下单时间")
    paid_at = models.DateTimeField("付款时间", null=True, blank=True)
    shipped_at = models.DateTimeField("发货时间", null=True, blank=True)
    in_transit_at = models.DateTimeField("开始运输时间", null=True, blank=True)
    delivered_at = models.DateTimeField("签收时间", null=True, blank=True)
    cancelled_at = models.DateTimeField("取消时间", null=True, blank=True)
    refunded_at = models.DateTimeField("退款时间", null=True, blank=True)
    returned_at = models.DateTimeField("退回时间", null=True, blank=True)
    promised_by = models.DateTimeField("承诺时效", null=True, blank=True)
    not_shipped_after = models.DateTimeField("应发货时间", null=True, blank=True)

    total_fen = models.BigIntegerField("总金额（分）", null=True, blank=True)
    freight_fen = models.BigIntegerField("运费（分）", null=True, blank=True)
    discount_fen = models.BigIntegerField("优惠（分）", null=True, blank=True)
    transaction_id = KeyField("微信支付单号", max_length=64, blank=True)
    mchid = KeyField("商户号", max_length=32, blank=True)
    out_trade_no = KeyField("商户订单号", max_length=64, blank=True)
    combine_mchid = KeyField("合单商户号", max_length=32, blank=True, default="", db_default="")
    combine_out_trade_no = KeyField("合单商户订单号", max_length=64, blank=True, default="", db_default="")

    consignee_sealed = models.TextField("收件人（密封）", blank=True)
    phone_index = KeyField("手机号索引", max_length=64, blank=True)
    name_index = KeyField("姓名索引", max_length=64, blank=True)
    tail_index = KeyField("尾号索引", max_length=64, blank=True)
    province = models.CharField("省", max_length=40, blank=True)
    city = models.CharField("市", max_length=40, blank=True)
    district = models.CharField("区", max_length=40, blank=True)

    lines_summary = models.CharField("商品概要", max_length=200, blank=True)
    note = models.CharField("备注", max_length=500, blank=True)
    source_updated_at = models.DateTimeField("商城更新时间", null=True, blank=True)
    version = models.PositiveIntegerField("版本", default=1)
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "订单"
        permissions = [("unmask_order", "可以查看收件人完整信息"), ("export_order", "可以导出订单")]
        indexes = [
            models.Index(fields=["placed_at", "id"], name="order_placed"),
            models.Index(fields=["status", "placed_at", "id"], name="order_status_placed"),
            models.Index(fields=["phone_index", "placed_at", "id"], name="order_phone"),
            models.Index(fields=["name_index", "placed_at", "id"], name="order_name"),
            models.Index(fields=["tail_index", "placed_at", "id"], name="order_tail"),
            models.Index(fields=["not_shipped_after", "id"], name="order_not_shipped"),
            models.Index(fields=["status", "promised_by", "id"], name="order_promised"),
            models.Index(fields=["city", "placed_at", "id"], name="order_city"),
        ]

    def __str__(self) -> str:
        return self.order_no

    def open_consignee(self) -> Consignee:
        """Return the consignee in full. Raises SealBroken."""
        return Consignee.open(self.consignee_sealed, self.order_no)


class OrderAccess(models.Model):
    """Which buyer may see which order, and by what: the key behind the buyer's list.

    `placed_at` repeats the order's, so that one index serves the list. The row stays while the order is in the archive
    (its key is the same there), so that who may see it goes on changing in one place.
    """

    class Via(models.TextChoices):
        OPENID = "openid", "微信下单"
        PHONE = "phone", "手机号"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="accesses")
    order = models.ForeignKey(Order, models.CASCADE, related_name="accesses", db_constraint=False)
    via = KeyField(max_length=10, choices=Via.choices)
    placed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "order"], name="access_once")]
        indexes = [models.Index(fields=["customer", "placed_at", "order"], name="access_list")]

    def __str__(self) -> str:
        return f"{self.customer_id}→{self.order_id}"


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField("行号")
    sku = KeyField("商品编码", max_length=64)
    name = models.CharField("商品名称", max_length=120)
    quantity = models.PositiveIntegerField("数量")
    unit_price_fen = models.BigIntegerField("单价（分）")
    category = KeyField("类目", max_length=40, blank=True)
    temperature_class = KeyField(
        "温层", max_length=10, choices=TemperatureClass.choices, default=TemperatureClass.FROZEN
    )

    class Meta:
        verbose_name = verbose_name_plural = "订单明细"
        constraints = [models.UniqueConstraint(fields=["order", "position"], name="line_position")]
        indexes = [
            models.Index(fields=["sku", "order"], name="line_sku"),
            models.Index(fields=["category", "order"], name="line_category"),
        ]

    def __str__(self) -> str:
        return f"{self.name}×{self.quantity}"


class OrderEvent(models.Model):
    """One row of an order's history. `from_status == to_status` is a fact that did not move the order.

    `reference` makes a fact idempotent: the same (order, reference) is recorded once.
    """

    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    kind = KeyField("事实", max_length=32)
    from_status = KeyField("原状态", max_length=12, choices=OrderStatus.choices)
    to_status = KeyField("新状态", max_length=12, choices=OrderStatus.choices)
    occurred_at = models.DateTimeField("发生时间")
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)
    source = KeyField("来源", max_length=10, choices=Source.choices)
    actor = KeyField("操作者", max_length=150, blank=True)
    reason = models.CharField("原因", max_length=500, blank=True)
    reference = KeyField("来源单号", max_length=150, null=True, blank=True)
    amount_fen = models.BigIntegerField("金额（分）", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "订单历史"
        constraints = [models.UniqueConstraint(fields=["order", "reference"], name="fact_once")]
        indexes = [models.Index(fields=["order", "occurred_at", "recorded_at"], name="event_timeline")]

    def __str__(self) -> str:
        return f"{self.from_status}→{self.to_status}"


class AlertSeverity(models.TextChoices):
    URGENT = "1urgent", "紧急"
    HIGH = "2high", "重要"
    NORMAL = "3normal", "一般"


class AlertKind(models.TextChoices):
    """What a person must look at; `orders.alerting.KINDS` says how soon, and what the buyer is told."""

    NOT_SHIPPED = "not_shipped", "超时未发货"
    STALE = "stale", "物流停滞"
    EXCEPTION = "exception", "问题件"
    DELIVERY_FAILED = "delivery_failed", "派送未成功"
    LOCKER_WAITING = "locker_waiting", "驿站滞留"
    RETURNING = "returning", "退回途中"
    RETURNED = "returned", "已退回"
    PARTLY_RETURNED = "partly_returned", "部分退回"
    PAID_AFTER_CANCELLED = "paid_after_cancelled", "取消后付款"
    SHIPPED_UNPAID = "shipped_unpaid", "未付款已发货"
    SHIPPED_AFTER_CANCELLED = "shipped_after_cancelled", "取消后发货"
    REFUND_PARTIAL = "refund_partial", "部分退款"
    MONEY_CONFLICT = "money_conflict", "款项与货物不符"
    CLOCK_ANOMALY = "clock_anomaly", "轨迹时间异常"
    UNKNOWN_CODE = "unknown_code", "未知状态码"
    EARLIER_LIFE = "earlier_life", "运单号旧轨迹"
    LOST_CONTACT = "lost_contact", "长期无轨迹"
    PROVIDER_TROUBLE = "provider_trouble", "轨迹服务商异常"
    ORDER_CHANGED_AFTER_SHIPPING = "order_changed_after_shipping", "发货后改单"
    NO_PICKUP = "no_pickup", "发货后未揽收"
    LATE_ETA = "late_eta", "晚于预计"
    LATE_PROMISE = "late_promise", "将误承诺时效"
    OUT_TOO_LONG = "out_too_long", "派送过久"
    UNREACHABLE = "unreachable", "联系不上收件人"
    WRONG_ADDRESS = "wrong_address", "地址或电话有误"
    REFUSED = "refused", "拒收"
    DAMAGED = "damaged", "破损"
    MISSORTED = "missorted", "错分"
    LOST = "lost", "疑似丢失"
    WRONG_NUMBER = "wrong_number", "疑似单号填错"
    INCIDENT = "incident", "区域性停滞"
    MESSAGING = "messaging", "消息渠道异常"
    SETTLEMENT = "settlement", "微信结算异常"


class AlertOutcome(models.TextChoices):
    """How an alert ended, for the statistics of causes."""

    RECOVERED = "recovered", "自行恢复"
    CARRIER = "carrier", "承运商处理"
    BUYER = "buyer", "联系买家解决"
    RESENT = "resent", "重新发货"
    REFUNDED = "refunded", "退款或赔付"
    CORRECTED = "corrected", "更正资料"
    FALSE_ALARM = "false_alarm", "误报"
    OTHER = "other", "其他"


class Alert(models.Model):
    """Something a person must look at. At most one is open per kind and subject (`open_key`, null once resolved).

    `occurred_at` is when the trouble began, `opened_at` when we noticed. One that belongs to an `incident` is worked on
    there.
    """

    kind = KeyField("类型", max_length=32, choices=AlertKind.choices)
    subject = KeyField("对象", max_length=150)
    order = models.ForeignKey(Order, models.CASCADE, verbose_name="订单", null=True, blank=True, related_name="alerts")
    open_key = KeyField(max_length=190, null=True, blank=True, unique=True)
    severity = KeyField("级别", max_length=10, choices=AlertSeverity.choices)
    detail = models.CharField("说明", max_length=500, blank=True)
    incident = models.ForeignKey(
        "self", models.SET_NULL, verbose_name="所属事件", null=True, blank=True, related_name="members"
    )
    occurred_at = models.DateTimeField("发生时间", null=True, blank=True)
    opened_at = models.DateTimeField("出现时间", default=timezone.now)
    due_at = models.DateTimeField("处理期限")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name="负责人", null=True, blank=True, related_name="+"
    )
    snoozed_until = models.DateTimeField("暂缓至", null=True, blank=True)
    resolved_at = models.DateTimeField("解决时间", null=True, blank=True)
    resolved_by = KeyField("解决者", max_length=150, blank=True)
    resolution = models.CharField("处理结果", max_length=500, blank=True)
    outcome = KeyField("结果分类", max_length=20, choices=AlertOutcome.choices, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "异常预警"
        indexes = [
            models.Index(fields=["resolved_at", "severity", "due_at", "id"], name="alert_queue"),
            models.Index(fields=["resolved_at", "incident", "due_at", "id"], name="alert_due"),
            models.Index(fields=["resolved_at", "kind", "id"], name="alert_kind"),
            models.Index(fields=["resolved_at", "kind", "due_at", "id"], name="alert_kind_due"),
            models.Index(fields=["opened_at", "id"], name="alert_opened"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}"


class AlertNote(models.Model):
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notes")
    author = KeyField("填写人", max_length=150)
    text = models.CharField("内容", max_length=500)
    written_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "处理记录"

    def __str__(self) -> str:
        return self.text[:40]


class LegalHold(models.Model):
    """Nothing about an order, or of a person (by phone), is archived or erased until this is released.

    The phone is kept sealed, so that its index can be brought under new keys; `number` is what it is sealed for.
    """

    class About(models.TextChoices):
        ORDER = "order", "订单"
        PERSON = "person", "个人"

    number = KeyField(max_length=32, unique=True)
    about = KeyField("对象", max_length=10, choices=About.choices)
    order_no = KeyField("订单号", max_length=64, blank=True)
    phone_index = KeyField("手机号索引", max_length=64, blank=True)
    phone_sealed = models.TextField("手机号（密封）", blank=True)
    reason = models.CharField("依据", max_length=500)
    placed_by = KeyField("设定者", max_length=150)
    placed_at = models.DateTimeField("设定时间", default=timezone.now)
    released_by = KeyField("解除者", max_length=150, blank=True)
    released_at = models.DateTimeField("解除时间", null=True, blank=True)
    release_reason = models.CharField("解除依据", max_length=500, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "法律保留"
        indexes = [models.Index(fields=["released_at", "id"], name="legal_hold_standing")]

    def __str__(self) -> str:
        return self.order_no or f"个人 {self.phone_index[:8]}"
