"""Carriers, shipments, what was reported about them, and what we asked of providers."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel import request_id
from frozenshop.kernel.fields import KeyField, ReversedField
from orders.models import Order, OrderLine, TemperatureClass


class ShipmentStatus(models.TextChoices):
    """Our normalized word for where a parcel is (closed list, published by the API)."""

    NO_TRACE = "no_trace", "暂无轨迹"
    PICKED_UP = "picked_up", "已揽收"
    IN_TRANSIT = "in_transit", "运输中"
    OUT_FOR_DELIVERY = "out_for_delivery", "派送中"
    AWAITING_PICKUP = "awaiting_pickup", "待取件"
    DELIVERED = "delivered", "已签收"
    DELIVERY_FAILED = "delivery_failed", "派送未成功"
    EXCEPTION = "exception", "问题件"
    RETURNING = "returning", "退回中"
    RETURNED = "returned", "已退回"
    FORWARDED = "forwarded", "已转寄"
    CUSTOMS = "customs", "清关中"
    CANCELLED = "cancelled", "已取消"
    UNKNOWN = "unknown", "状态未知"


class Provider(models.TextChoices):
    """Whose API tells us; not the carrier. `manual` is a person of the shop."""

    KDNIAO = "kdniao", "快递鸟"
    CAINIAO = "cainiao", "菜鸟"
    KUAIDI100 = "kuaidi100", "快递100"
    SF = "sf", "顺丰"
    MANUAL = "manual", "人工"


class Reason(models.TextChoices):
    """Why a parcel is where it is, as far as the carrier says so (closed list). Empty: nothing special."""

    LOCKER = "locker", "驿站或快递柜"
    UNREACHABLE = "unreachable", "联系不上收件人"
    REFUSED = "refused", "拒收"
    DAMAGED = "damaged", "破损"
    WRONG_ADDRESS = "wrong_address", "地址有误"
    WRONG_PHONE = "wrong_phone", "电话有误"
    MISSORTED = "missorted", "错分"
    OUT_OF_AREA = "out_of_area", "超区"
    RETAINED = "retained", "滞留"
    DELAYED = "delayed", "延误"
    WEATHER = "weather", "天气或管制"
    REDIRECTED = "redirected", "改址"
    INTERCEPTED = "intercepted", "拦截"
    LOST = "lost", "遗失"
    CANCELLED = "cancelled", "取消发货"


class Carrier(models.Model):
    """`code` is ours and stable for ever; every provider's own code stands beside it.

    `providers` names who is asked, the first choice first; empty: every one that knows it, in the program's order.
    """

    code = KeyField("编码", max_length=40, unique=True)
    name = models.CharField("名称", max_length=60)
    aliases = models.JSONField("别名", default=list, blank=True)
    phone = models.CharField("客服电话", max_length=30, blank=True)
    category = KeyField("类别", max_length=20, blank=True)
    kdniao_code = KeyField("快递鸟编码", max_length=40, blank=True)
    kuaidi100_code = KeyField("快递100编码", max_length=40, blank=True)
    cainiao_code = KeyField("菜鸟编码", max_length=40, blank=True)
    wechat_code = KeyField("微信编码", max_length=40, blank=True)
    needs_phone_tail = models.JSONField("需要手机尾号的服务商", default=list, blank=True)
    cold_chain = KeyField("冷链", max_length=20, blank=True)
    providers = models.JSONField("轨迹服务商顺序", default=list, blank=True)
    enabled = models.BooleanField("启用", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "承运商"

    def __str__(self) -> str:
        return self.name


class Shipment(models.Model):
    """One consignment under one waybill. `status` and what follows it are derived from all that was reported.

    `temperature_class` is the most delicate of what travels in it. `in_transit_at`, `delivered_at` and `returned_at`
    are the first reports of that step, `picked_up_at` the first scan of any kind. `stale_after` is the next look at
    its silence, `stale_since` is set while it is silent for too long. `origin` and `destination` are its lane (省市).
    `late_probability` is of missing the order's promise; `delayed_since` is set from a delay notice to its recovery.
    """

    carrier = models.ForeignKey(Carrier, models.PROTECT, verbose_name="承运商", related_name="shipments")
    waybill_no = KeyField("运单号", max_length=64)
    waybill_reversed = ReversedField("运单号（倒序）", max_length=64, of="waybill_no")
    generation = models.PositiveSmallIntegerField("运单代次", default=1)
    orders: models.ManyToManyField[Order, "ShipmentOrder"] = models.ManyToManyField(
        Order, through="ShipmentOrder", related_name="shipments"
    )
    status = KeyField("物流状态", max_length=20, choices=ShipmentStatus.choices, default=ShipmentStatus.NO_TRACE)
    status_code = KeyField("服务商状态码", max_length=20, blank=True)
    status_at = models.DateTimeField("状态时间", null=True, blank=True)
    location = models.CharField("当前位置", max_length=100, blank=True)
    temperature_class = KeyField(
        "温层", max_length=10, choices=TemperatureClass.choices, default=TemperatureClass.FROZEN
    )
    shipped_at = models.DateTimeField("发货时间")
    picked_up_at = models.DateTimeField("首次扫描", null=True, blank=True)
    in_transit_at = models.DateTimeField("开始运输时间", null=True, blank=True)
    delivered_at = models.DateTimeField("签收时间", null=True, blank=True)
    returned_at = models.DateTimeField("退回时间", null=True, blank=True)
    last_event_at = models.DateTimeField("最近轨迹", null=True, blank=True)
    event_count = models.PositiveIntegerField("轨迹数", default=0)
    voided_at = models.DateTimeField("作废时间", null=True, blank=True)
    void_reason = models.CharField("作废原因", max_length=200, blank=True)

    reason = KeyField("原因", max_length=20, choices=Reason.choices, blank=True)
    origin = models.CharField("始发地", max_length=60, blank=True)
    destination = models.CharField("目的地", max_length=60, blank=True)

    eta_earliest = models.DateTimeField("预计最早", null=True, blank=True)
    eta_likely = models.DateTimeField("预计", null=True, blank=True)
    eta_latest = models.DateTimeField("预计最晚", null=True, blank=True)
    eta_confidence = models.FloatField("预计可信度", null=True, blank=True)
    eta_basis = KeyField("预计依据", max_length=20, blank=True)
    eta_explanation = models.CharField("预计说明", max_length=120, blank=True)
    late_probability = models.FloatField("误期概率", null=True, blank=True)
    delayed_since = models.DateTimeField("延误起", null=True, blank=True)
    provider_eta_at = models.DateTimeField("服务商预计", null=True, blank=True)
    provider_eta_by = KeyField("服务商预计来源", max_length=12, choices=Provider.choices, blank=True)

    next_poll_at = models.DateTimeField("下次查询", null=True, blank=True)
    checked_at = models.DateTimeField("最近查询", null=True, blank=True)
    subscribed_at = models.DateTimeField("订阅时间", null=True, blank=True)
    stale_after = models.DateTimeField("停滞时限", null=True, blank=True)
    stale_since = models.DateTimeField("停滞起", null=True, blank=True)
    recheck_at = models.DateTimeField("待生效时间", null=True, blank=True)
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "运单"
        constraints = [
            models.UniqueConstraint(fields=["carrier", "waybill_no", "generation"], name="shipment_once"),
        ]
        indexes = [
            models.Index(fields=["waybill_no"], name="shipment_waybill"),
            models.Index(fields=["waybill_reversed"], name="shipment_waybill_end"),
            models.Index(fields=["next_poll_at", "id"], name="shipment_poll"),
            models.Index(fields=["stale_after", "id"], name="shipment_stale"),
            models.Index(fields=["recheck_at", "id"], name="shipment_recheck"),
            models.Index(fields=["status", "status_at", "id"], name="shipment_status"),
            models.Index(fields=["status", "eta_latest", "id"], name="shipment_due"),
            models.Index(fields=["shipped_at", "id"], name="shipment_shipped"),
            models.Index(fields=["carrier", "shipped_at", "id"], name="shipment_carrier"),
            models.Index(fields=["eta_likely", "id", "status"], name="shipment_eta"),
        ]

    def __str__(self) -> str:
        return f"{self.carrier_id}:{self.waybill_no}"


class ShipmentOrder(models.Model):
    """A box and an order that travels in it."""

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="links")
    order = models.ForeignKey(Order, models.CASCADE, related_name="shipment_links")
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "运单订单"
        constraints = [models.UniqueConstraint(fields=["shipment", "order"], name="shipment_order_once")]

    def __str__(self) -> str:
        return f"{self.shipment_id}↔{self.order_id}"


class ShipmentLine(models.Model):
    """How many of an order line travel in a box. No row can promise more than the line holds (checked by service)."""

    link = models.ForeignKey(ShipmentOrder, models.CASCADE, related_name="lines")
    order_line = models.ForeignKey(OrderLine, models.CASCADE, related_name="shipment_lines")
    quantity = models.PositiveIntegerField("数量")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["link", "order_line"], name="shipment_line_once")]

    def __str__(self) -> str:
        return f"{self.order_line_id}×{self.quantity}"


class TrackingEvent(models.Model):
    """One scan reported by a carrier, never edited. `text` has the consignee's own name and number masked.

    `key` is a digest of what was reported, so that a repeat is the same row.
    `overall` rows keep a provider's overall state (快递鸟's State/StateEx), which is a report like any other
    but is not shown as a scan. `repeat` marks a scan that another provider told already, in its own words.
    What was reported stays for ever; `status` and `reason` are our reading of it, which a person may correct.
    """

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="events")
    key = KeyField(max_length=64)
    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    overall = models.BooleanField("总状态", default=False)
    weak = models.BooleanField("仅供参考", default=False)
    repeat = models.BooleanField("其他服务商已报", default=False)
    status = KeyField("物流状态", max_length=20, choices=ShipmentStatus.choices)
    code = KeyField("服务商状态码", max_length=20, blank=True)
    reason = KeyField("原因", max_length=20, choices=Reason.choices, blank=True)
    occurred_at = models.DateTimeField("发生时间")
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)
    text = models.CharField("描述", max_length=500, blank=True)
    location = models.CharField("地点", max_length=100, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "轨迹节点"
        constraints = [models.UniqueConstraint(fields=["shipment", "key"], name="tracking_event_once")]

    def __str__(self) -> str:
        return f"{self.occurred_at:%m-%d %H:%M} {self.status}"


class ProviderMessage(models.Model):
    """What a provider said, sealed and kept as it came, before anything was made of it."""

    class Kind(models.TextChoices):
        PUSH = "push", "推送"
        ANSWER = "answer", "查询结果"

    class Outcome(models.TextChoices):
        RECEIVED = "received", "待处理"
        APPLIED = "applied", "已处理"
        HELD = "held", "运单未登记"
        UNREADABLE = "unreadable", "无法解析"

    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    kind = KeyField("类型", max_length=10, choices=Kind.choices)
    digest = KeyField("摘要", max_length=64)
    body_sealed = models.TextField("内容（密封）")
    waybill_no = KeyField("运单号", max_length=64, blank=True)
    outcome = KeyField("结果", max_length=12, choices=Outcome.choices, default=Outcome.RECEIVED)
    detail = models.CharField("说明", max_length=500, blank=True)
    received_at = models.DateTimeField("收到时间", default=timezone.now)
    applied_at = models.DateTimeField("处理时间", null=True, blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True, default=request_id.current, db_default="")

    class Meta:
        verbose_name = verbose_name_plural = "服务商消息"
        constraints = [models.UniqueConstraint(fields=["provider", "digest"], name="provider_message_once")]
        indexes = [
            models.Index(fields=["outcome", "waybill_no"], name="provider_message_held"),
            models.Index(fields=["received_at", "id"], name="provider_message_time"),
            models.Index(fields=["request_id"], name="provider_message_request"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} #{self.pk}"


class ProviderCall(models.Model):
    """One question put to a provider, and how it ended (no personal data).

    A call about several waybills leaves a row for each, and each bears its share of the cost.
    """

    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    operation = KeyField("操作", max_length=20)
    waybill_no = KeyField("运单号", max_length=64, blank=True)
    started_at = models.DateTimeField("开始时间", default=timezone.now)
    elapsed_ms = models.PositiveIntegerField("耗时（毫秒）", default=0)
    outcome = KeyField("结果", max_length=20)
    detail = models.CharField("说明", max_length=300, blank=True)
    cost_fen = models.DecimalField("费用（分）", max_digits=8, decimal_places=2, default=0, db_default=0)
    request_id = KeyField("请求编号", max_length=64, blank=True, default=request_id.current, db_default="")

    class Meta:
        verbose_name = verbose_name_plural = "服务商调用"
        indexes = [
            models.Index(fields=["started_at", "id"], name="provider_call_time"),
            models.Index(fields=["waybill_no", "id"], name="provider_call_waybill"),
            models.Index(fields=["request_id"], name="provider_call_request"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.operation} {self.outcome}"


class ProviderState(models.Model):
    """Circuit breaker, pace, price and daily budget of one provider (one row each). `price_fen`: of one query."""

    provider = KeyField("服务商", max_length=12, choices=Provider.choices, unique=True)
    failures = models.PositiveIntegerField("连续失败", default=0)
    open_until = models.DateTimeField("熔断至", null=True, blank=True)
    last_error = models.CharField("最近错误", max_length=300, blank=True)
    budget_on = models.DateField("计数日期", null=True, blank=True)
    calls_today = models.PositiveIntegerField("当日调用", default=0)
    daily_budget = models.PositiveIntegerField("每日上限", default=3000)
    calls_per_minute = models.PositiveIntegerField("每分钟上限", default=600)
    price_fen = models.DecimalField("每次费用（分）", max_digits=8, decimal_places=2, default=0)

    class Meta:
        verbose_name = verbose_name_plural = "服务商状态"

    def __str__(self) -> str:
        return self.provider


class ProviderRefusal(models.Model):
    """A provider refuses a whole carrier (plan or code), which a person must mend; it is asked again at `retry_at`."""

    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    carrier = models.ForeignKey(Carrier, models.CASCADE, verbose_name="承运商", related_name="refusals")
    reason = models.CharField("原因", max_length=300)
    refused_at = models.DateTimeField("拒绝时间", default=timezone.now)
    retry_at = models.DateTimeField("再次尝试")

    class Meta:
        verbose_name = verbose_name_plural = "服务商拒绝的承运商"
        constraints = [models.UniqueConstraint(fields=["provider", "carrier"], name="provider_refusal_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.carrier_id}"


class ProviderUsage(models.Model):
    """What one provider was asked in one day (Shanghai's), and what it cost."""

    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    used_on = models.DateField("日期")
    operation = KeyField("操作", max_length=20)
    calls = models.PositiveIntegerField("调用", default=0)
    failures = models.PositiveIntegerField("失败", default=0)
    cost_fen = models.DecimalField("费用（分）", max_digits=12, decimal_places=2, default=0)

    class Meta:
        verbose_name = verbose_name_plural = "服务商用量"
        constraints = [models.UniqueConstraint(fields=["provider", "used_on", "operation"], name="provider_usage_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.used_on} {self.operation}"


class Subscription(models.Model):
    """One promise of a provider to push what happens to a parcel. `ended_at`: it stopped, for `detail`.

    `corrected_carrier_code`: the provider's code of the carrier that it found instead of ours, empty where it agrees.
    """

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="subscriptions")
    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    subscribed_at = models.DateTimeField("订阅时间", default=timezone.now)
    ended_at = models.DateTimeField("结束时间", null=True, blank=True)
    detail = models.CharField("说明", max_length=200, blank=True)
    corrected_carrier_code = KeyField("服务商认定的承运商", max_length=40, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "轨迹订阅"

    def __str__(self) -> str:
        return f"{self.provider} {self.shipment_id}"


class UnknownCode(models.Model):
    """A provider's code that we have no word for, counted for staff; `mapped_status` is the word a person chose."""

    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    code = KeyField("状态码", max_length=20)
    count = models.PositiveIntegerField("次数", default=0)
    sample = models.CharField("示例", max_length=200, blank=True)
    first_seen_at = models.DateTimeField("首次出现", default=timezone.now)
    last_seen_at = models.DateTimeField("最近出现", default=timezone.now)
    mapped_status = KeyField("对应状态", max_length=20, choices=ShipmentStatus.choices, blank=True)
    mapped_reason = KeyField("对应原因", max_length=20, choices=Reason.choices, blank=True)
    mapped_at = models.DateTimeField("对应时间", null=True, blank=True)
    mapped_by = KeyField("对应人", max_length=150, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "未知状态码"
        constraints = [models.UniqueConstraint(fields=["provider", "code"], name="unknown_code_once")]

    def __str__(self) -> str:
        return f"{self.provider}:{self.code}"


class ProviderNews(models.Model):
    """What a provider's messages hold that our parser doesn't know: where and of which type, never what it said.

    `value` is a type, or a code that looks like one. Once `known_at` is set (by a person, or because the program knows
    it by now) nobody is told again.
    """

    class What(models.TextChoices):
        FIELD = "field", "新字段"
        TYPE = "type", "类型变了"
        MISSING = "missing", "缺少必有字段"
        CODE = "code", "新代码"
        UNREADABLE = "unreadable", "无法打开"

    provider = KeyField("服务商", max_length=12, choices=Provider.choices)
    kind = KeyField("消息类型", max_length=10, choices=ProviderMessage.Kind.choices)
    what = KeyField("变化", max_length=10, choices=What.choices)
    path = KeyField("位置", max_length=120, blank=True)
    value = KeyField("类型或代码", max_length=24, blank=True)
    count = models.PositiveIntegerField("抽查到的次数", default=0)
    first_seen_at = models.DateTimeField("首次发现", default=timezone.now)
    last_seen_at = models.DateTimeField("最近发现", default=timezone.now)
    known_at = models.DateTimeField("知晓时间", null=True, blank=True)
    known_by = KeyField("知晓者", max_length=150, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "服务商接口变化"
        constraints = [
            models.UniqueConstraint(fields=["provider", "kind", "what", "path", "value"], name="provider_news_once")
        ]
        indexes = [models.Index(fields=["known_at", "id"], name="provider_news_open")]

    def __str__(self) -> str:
        told = f"{self.path} {self.value}".strip() or "整条消息"
        return f"{self.get_provider_display()}的{self.get_kind_display()}：{self.get_what_display()} {told}"


class UnreadText(models.Model):
    """A wording that came without a code and that our reading abstained from, or that a person corrected.

    `shape` is the text without names, numbers and places; `status` is empty until a person has decided.
    """

    carrier_code = KeyField("承运商编码", max_length=40, blank=True)
    digest = KeyField(max_length=64)
    shape = models.CharField("句式", max_length=300)
    sample = models.CharField("示例", max_length=300, blank=True)
    count = models.PositiveIntegerField("次数", default=0)
    first_seen_at = models.DateTimeField("首次出现", default=timezone.now)
    last_seen_at = models.DateTimeField("最近出现", default=timezone.now)
    status = KeyField("对应状态", max_length=20, choices=ShipmentStatus.choices, blank=True)
    reason = KeyField("对应原因", max_length=20, choices=Reason.choices, blank=True)
    decided_at = models.DateTimeField("判定时间", null=True, blank=True)
    decided_by = KeyField("判定人", max_length=150, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "未识别的轨迹文字"
        constraints = [models.UniqueConstraint(fields=["carrier_code", "digest"], name="unread_text_once")]
        indexes = [models.Index(fields=["status", "count", "id"], name="unread_text_queue")]

    def __str__(self) -> str:
        return self.shape[:40]


class TransitModel(models.Model):
    """What was learnt of transit times and of gaps between scans; the newest one that is `active` is used.

    `body` holds the tables, `score` how it did on the weeks it was calibrated with.
    """

    fitted_at = models.DateTimeField("学习时间", default=timezone.now)
    since_at = models.DateTimeField("数据起")
    until_at = models.DateTimeField("数据止")
    parcels = models.PositiveIntegerField("运单数", default=0)
    body = models.JSONField("内容", default=dict)
    score = models.JSONField("得分", default=dict, blank=True)
    active = models.BooleanField("使用中", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "时效模型"
        indexes = [models.Index(fields=["active", "id"], name="transit_model_active")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class DriverLink(models.Model):
    """A link by which the driver of one shipment reports its steps; only the digest of its secret is kept."""

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="driver_links")
    digest = KeyField(max_length=64, unique=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    created_by = KeyField("创建人", max_length=150)
    expires_at = models.DateTimeField("有效至")
    revoked_at = models.DateTimeField("失效时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "司机链接"

    def __str__(self) -> str:
        return f"{self.shipment_id} #{self.pk}"


# The archive's rows belong to this app too; their module needs the classes above.
import logistics.archive.models  # noqa: E402, F401
