"""What WeChat was told of shipping, the money that it holds back, and what it calls our carriers."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField
from orders.models import Order


class ShippingReport(models.Model):
    """What WeChat is told about the shipping of one payment, so that the merchant's money is released.

    `payment` names it (`notifications.settlement.payments`); the reports of orders paid together say the same.
    `combined` names the payment above it, where the buyer paid several such payments in one go (合单支付).
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

    class Special(models.TextChoices):
        """What isn't shipped in the usual time, as WeChat is told (特殊发货报备)."""

        PRESALE = "presale", "预售"
        TEST = "test", "测试订单"

    class SpecialState(models.TextChoices):
        ASKED = "asked", "待报备"
        SENDING = "sending", "报备中"
        TOLD = "told", "已报备"
        REFUSED = "refused", "被拒绝"
        UNKNOWN = "unknown", "结果未知"

    # No constraint: the row outlives the order's stay in the hot tables.
    order = models.OneToOneField(
        Order, models.CASCADE, related_name="shipping_report", verbose_name="订单", db_constraint=False
    )
    payment = KeyField("支付单", max_length=110, blank=True)
    combined = KeyField("合单支付", max_length=110, blank=True, default="", db_default="")
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
    special = KeyField("特殊发货", max_length=10, choices=Special.choices, blank=True, default="", db_default="")
    special_state = KeyField(
        "报备状态", max_length=10, choices=SpecialState.choices, blank=True, default="", db_default=""
    )
    special_said = models.CharField("报备答复", max_length=300, blank=True, default="", db_default="")
    delay_to = models.DateTimeField("预计发货", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "微信发货上报"
        indexes = [
            models.Index(fields=["state", "due_at", "id"], name="shipping_report_due"),
            models.Index(fields=["settled_at", "state", "id"], name="shipping_report_frozen"),
            models.Index(fields=["payment"], name="shipping_report_payment"),
            models.Index(fields=["combined"], name="shipping_report_combined"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class SettlementFigure(models.Model):
    """How much money WeChat holds back for one reason and one age, as it was counted some minutes ago.

    So that a scrape or a look of doctor's reads a few rows instead of every report. Of `oldest_at` (paid) the earliest.
    """

    reason = KeyField("原因", max_length=20)
    age = KeyField("付款后", max_length=10)
    orders = models.PositiveIntegerField("订单", default=0)
    fen = models.BigIntegerField("金额（分）", default=0)
    failing = models.PositiveIntegerField("多次没有报成", default=0)
    oldest_at = models.DateTimeField("最早付款", null=True, blank=True)
    measured_at = models.DateTimeField("统计时间")

    class Meta:
        verbose_name = verbose_name_plural = "未结算统计"
        constraints = [models.UniqueConstraint(fields=["reason", "age"], name="settlement_figure_once")]

    def __str__(self) -> str:
        return f"{self.reason} {self.age}"


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
