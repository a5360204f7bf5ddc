"""The shapes of the contract for the published description; nothing is read or written through them."""

from typing import Any

from rest_framework import serializers as s

from frozenshop.kernel.actor import Source
from logistics.eta import EtaBasis
from logistics.models import ShipmentStatus
from orders.facts import FactType
from orders.models import AlertKind, OrderStatus, TemperatureClass


class Serializer(s.Serializer[Any]):
    """A shape, by its fields."""


def instant(*, null: bool = False, required: bool = True) -> s.DateTimeField:
    return s.DateTimeField(help_text="YYYY-MM-DDTHH:MM:SS+08:00", allow_null=null, required=required)


# --- errors ---------------------------------------------------------------------------------------


class ErrorDetail(Serializer):
    code = s.ChoiceField(
        [
            "unauthenticated", "session_expired", "signature_missing", "signature_invalid", "timestamp_out_of_range",
            "nonce_reused", "forbidden", "order_not_found", "not_found", "invalid", "method_not_allowed",
            "not_possible", "in_progress", "idempotency_mismatch", "too_large", "rate_limited",
            "unavailable", "internal",
        ]
    )  # fmt: skip
    message = s.CharField(help_text="买家能看懂的一句话")
    request_id = s.CharField()
    fields = s.DictField(  # type: ignore[assignment]
        child=s.CharField(), required=False, help_text="每个有误的字段和原因"
    )
    server_time = s.IntegerField(required=False, help_text="只在 timestamp_out_of_range 时，Unix 秒")


class Error(Serializer):
    error = ErrorDetail()


# --- the order ------------------------------------------------------------------------------------


class CarrierName(Serializer):
    code = s.CharField()
    name = s.CharField()


class CarrierOf(CarrierName):
    phone = s.CharField(allow_blank=True)


class Eta(Serializer):
    earliest = instant()
    likely = instant(null=True)
    latest = instant()
    confidence = s.FloatField(min_value=0, max_value=1)
    basis = s.ChoiceField(EtaBasis.choices)
    explanation = s.CharField(allow_blank=True, help_text="依据的一句话，例如 广州→上海 顺丰速运，214 件，近 60 天")


class Consignee(Serializer):
    name = s.CharField()
    phone = s.CharField()
    address = s.CharField()


class Line(Serializer):
    sku = s.CharField()
    name = s.CharField()
    quantity = s.IntegerField()
    unit_price_fen = s.IntegerField(allow_null=True, help_text="他人下单时不显示")
    temperature_class = s.ChoiceField(TemperatureClass.choices)


class Milestone(Serializer):
    status = s.ChoiceField(OrderStatus.choices)
    label = s.CharField()  # type: ignore[assignment]
    occurred_at = instant(null=True)


History = type(
    "History",
    (Serializer,),
    {
        "__doc__": "One row of an order's history. `from` is no name in Python.",
        "from": s.ChoiceField(OrderStatus.choices),
        "to": s.ChoiceField(OrderStatus.choices),
        "occurred_at": instant(),
        "recorded_at": instant(),
        "source": s.ChoiceField(Source.choices),
    },
)


class TrackingEvent(Serializer):
    occurred_at = instant()
    status = s.ChoiceField(ShipmentStatus.choices)
    description = s.CharField()
    location = s.CharField(allow_blank=True)


class ShipmentSummary(Serializer):
    carrier = CarrierName()
    waybill_no = s.CharField()
    status = s.ChoiceField(ShipmentStatus.choices)
    status_label = s.CharField()
    location = s.CharField(allow_blank=True)


class Shipment(ShipmentSummary):
    carrier = CarrierOf()
    eta = Eta(allow_null=True)
    last_event_at = instant(null=True)
    stale = s.BooleanField()
    checked_at = instant(null=True)
    events = TrackingEvent(many=True)


class AlertShown(Serializer):
    kind = s.ChoiceField(AlertKind.choices)
    message = s.CharField()
    since = instant()


class OrderBase(Serializer):
    order_no = s.CharField()
    status = s.ChoiceField(OrderStatus.choices)
    status_label = s.CharField()
    placed_at = instant()
    total_fen = s.IntegerField(allow_null=True)
    updated_at = instant()


class OrderSummary(OrderBase):
    lines_summary = s.CharField()
    shipments = ShipmentSummary(many=True)
    eta = Eta(allow_null=True)
    alert_count = s.IntegerField()


class OrderDocument(OrderBase):
    version = s.IntegerField()
    consignee = Consignee()
    lines = Line(many=True)
    milestones = Milestone(many=True)
    history = History(many=True)
    shipments = Shipment(many=True)
    alerts = AlertShown(many=True)
    archived = s.BooleanField()


class OrderPage(Serializer):
    results = OrderSummary(many=True)
    next = s.CharField(allow_null=True)


Counts = type("Counts", (Serializer,), {status.value: s.IntegerField(max_value=100) for status in OrderStatus})


class StatusesAsked(Serializer):
    order_nos = s.ListField(child=s.CharField(), min_length=1, max_length=100)


class StatusRow(Serializer):
    order_no = s.CharField()
    status = s.ChoiceField(OrderStatus.choices)
    status_label = s.CharField()
    updated_at = instant()


class Statuses(Serializer):
    results = StatusRow(many=True)
    missing = s.ListField(child=s.CharField())


class Refreshed(Serializer):
    refreshed = s.BooleanField()
    next_allowed_at = instant()


# --- sessions -------------------------------------------------------------------------------------


class CodeOrPhone(Serializer):
    """Either the code alone, or phone and SMS code together."""

    code = s.CharField(max_length=512, required=False, help_text="微信给的码；或者填下面两项")
    phone = s.CharField(required=False, help_text="中国大陆手机号")
    sms_code = s.RegexField("^[0-9]{6}$", required=False)


class SmsCodeWanted(Serializer):
    phone = s.CharField(help_text="中国大陆手机号")


class SmsCodeSent(Serializer):
    expires_in = s.IntegerField(help_text="验证码多少秒内有效")
    retry_after = s.IntegerField(help_text="多少秒后可以再获取")


class Login(Serializer):
    token = s.CharField()
    sign_secret = s.RegexField("^[0-9a-f]{64}$")
    expires_in = s.IntegerField()
    server_time = s.IntegerField()


class Phone(Serializer):
    phone = s.CharField(help_text="已打码")


class Me(Serializer):
    phone = s.CharField(allow_null=True, help_text="绑定的手机号，已打码；没有绑定时为空")
    verify_again = s.BooleanField(help_text="验证已过期：重新验证手机号后，才能看到用它下的订单")


class Shop(Serializer):
    name = s.CharField()
    phone = s.CharField(allow_blank=True)


# --- messages -------------------------------------------------------------------------------------


class Grant(Serializer):
    template_id = s.CharField(max_length=80)
    result = s.CharField(
        max_length=80, help_text="wx.requestSubscribeMessage 对该模板的结果，如 accept、reject、ban、filter"
    )


class Grants(Serializer):
    grants = Grant(many=True)
    grant_id = s.RegexField("^[A-Za-z0-9_-]{1,64}$", help_text="每次弹窗一个，重复提交只记一次")


class Balance(Serializer):
    template_id = s.CharField()
    balance = s.IntegerField(min_value=0, help_text="还能发几条")


class Balances(Serializer):
    results = Balance(many=True)
    ignored = s.ListField(child=s.CharField(), help_text="不是本店使用的模板")


class MilestoneName(Serializer):
    milestone = s.CharField()
    label = s.CharField()  # type: ignore[assignment]


class AdvisedTemplate(Balance):
    title = s.CharField(allow_blank=True)
    milestones = MilestoneName(many=True)


class Advised(Serializer):
    results = AdvisedTemplate(many=True)


class OptOutsChosen(Serializer):
    opt_outs = s.ListField(child=s.CharField(), help_text="topics 里的 topic")


class Topic(Serializer):
    topic = s.CharField()
    label = s.CharField()  # type: ignore[assignment]


class OptOuts(OptOutsChosen):
    topics = Topic(many=True)


class ConfirmComponent(Serializer):
    business_type = s.CharField()
    extra_data = s.DictField(child=s.CharField(), help_text="原样作为 wx.openBusinessView 的 extraData")


class WaybillToken(Serializer):
    waybill_no = s.CharField()
    waybill_token = s.CharField()


class WechatComponents(Serializer):
    confirm = ConfirmComponent(allow_null=True, help_text="不是付款人，或没有可确认的货物时为空")
    waybills = WaybillToken(many=True)


# --- the shop's side ------------------------------------------------------------------------------


class Payment(Serializer):
    transaction_id = s.CharField(required=False)
    mchid = s.CharField(required=False)
    out_trade_no = s.CharField(required=False)
    combine_mchid = s.CharField(required=False, help_text="合单支付的商户号，默认同 mchid")
    combine_out_trade_no = s.CharField(
        required=False, help_text="合单支付（一次付清几个订单）的商户订单号；这时 out_trade_no 必填，为这个订单的子单号"
    )


class FullConsignee(Serializer):
    name = s.CharField()
    phone = s.CharField()
    province = s.CharField()
    city = s.CharField()
    district = s.CharField(allow_blank=True)
    address = s.CharField()


class LineIn(Serializer):
    sku = s.CharField()
    name = s.CharField()
    quantity = s.IntegerField(min_value=1)
    unit_price_fen = s.IntegerField(min_value=0)
    category = s.CharField(required=False)
    temperature_class = s.ChoiceField(TemperatureClass.choices, required=False)


class OrderIn(Serializer):
    order_no = s.RegexField(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    placed_at = instant()
    paid_at = instant(required=False)
    buyer_openid = s.CharField(required=False)
    payment = Payment(required=False)
    total_fen = s.IntegerField(required=False)
    freight_fen = s.IntegerField(required=False)
    discount_fen = s.IntegerField(required=False)
    updated_at = instant(required=False)
    consignee = FullConsignee()
    lines = LineIn(many=True)
    promised_by = instant(required=False)
    note = s.CharField(required=False)


class Taken(Serializer):
    order_no = s.CharField(allow_null=True)
    result = s.ChoiceField(["created", "updated", "unchanged", "stale", "refused"])
    errors = s.DictField(child=s.CharField(), required=False)  # type: ignore[assignment]


class FactIn(Serializer):
    type = s.ChoiceField(FactType.choices)
    occurred_at = instant()
    reference = s.CharField(max_length=100)
    amount_fen = s.IntegerField(required=False)


class Applied(Serializer):
    applied = s.BooleanField()
    reason = s.CharField(required=False)


class LineShipped(Serializer):
    sku = s.CharField()
    quantity = s.IntegerField(min_value=1)


class Waybill(Serializer):
    carrier_code = s.CharField(help_text="承运商编码、名称或别名")
    waybill_no = s.CharField()


class ParcelIn(Waybill):
    shipped_at = instant()
    lines = LineShipped(many=True, required=False, help_text="不填则为全部未发商品")


class StepIn(Serializer):
    status = s.ChoiceField(ShipmentStatus.choices)
    occurred_at = instant()
    reference = s.CharField(max_length=100, help_text="商城一方的编号：同一编号的同一状态只记录一次")
    description = s.CharField(max_length=200, required=False, help_text="买家看到的说明")
    location = s.CharField(max_length=100, required=False)


class WithdrawalIn(Serializer):
    reason = s.CharField(max_length=200)
    replacement = Waybill(required=False)


class Parcel(Serializer):
    order_no = s.CharField()
    order_status = s.ChoiceField(OrderStatus.choices)
    carrier_code = s.CharField()
    waybill_no = s.CharField()
    shipped_at = instant()
    voided_at = instant(null=True)
