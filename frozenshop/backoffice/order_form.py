"""Taking an order by hand: a form that writes what the shop's system would send, checked by the same reader."""

from decimal import Decimal
from typing import Any

from django import forms

from frozenshop.backoffice.wording import problem_text
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.clock import isoformat
from frozenshop.kernel.errors import Invalid, Problem
from logistics.services import take_order
from orders.intake import parse_order
from orders.models import Order, ProductCategory, TemperatureClass

CONSIGNEE = ("name", "phone", "province", "city", "district", "address")


def _instant(label: str, *, required: bool) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=required, widget=widget)


def _yuan(label: str, *, required: bool = False) -> forms.DecimalField:
    return forms.DecimalField(label=label, required=required, min_value=0, max_digits=12, decimal_places=2)


class NewOrderForm(forms.Form):
    order_no = forms.CharField(label="订单号", max_length=64)
    placed_at = _instant("下单时间", required=True)
    paid_at = _instant("付款时间", required=False)
    name = forms.CharField(label="收件人", max_length=50)
    phone = forms.CharField(label="手机号", max_length=40)
    province = forms.CharField(label="省", max_length=40)
    city = forms.CharField(label="市", max_length=40)
    district = forms.CharField(label="区", max_length=40, required=False)
    address = forms.CharField(label="详细地址", max_length=200)
    total = _yuan("总金额（元）")
    freight = _yuan("运费（元）")
    promised_by = _instant("承诺时效", required=False)
    note = forms.CharField(label="备注", max_length=500, required=False)


class NewOrderLine(forms.Form):
    sku = forms.CharField(label="商品编码", max_length=64)
    name = forms.CharField(label="商品名称", max_length=120)
    quantity = forms.IntegerField(label="数量", min_value=1, max_value=100_000)
    unit_price = _yuan("单价（元）", required=True)
    category = forms.ChoiceField(label="类目", required=False)
    temperature_class = forms.ChoiceField(
        label="温层", required=False, choices=[("", "按商品"), *TemperatureClass.choices]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = ProductCategory.objects.order_by("code").values_list("code", "name")
        self.fields["category"].choices = [("", "—"), *known]  # type: ignore[attr-defined]


NewOrderLines = forms.formset_factory(
    NewOrderLine, extra=5, min_num=1, validate_min=True, max_num=20, validate_max=True, absolute_max=20
)


def take_by_hand(form: NewOrderForm, lines: Any, actor: Actor) -> Order | None:
    """Take the order of two valid forms; on a refusal put each sentence beside its field and return None."""
    try:
        data = parse_order(_payload(form.cleaned_data, [line for line in lines.cleaned_data if line]))
        if Order.objects.filter(order_no=data.order_no).exists():
            raise Invalid(fields={"order_no": "这个订单号已经登记过"})
        return take_order(data, actor).order
    except Problem as problem:
        _explain(form, problem)
        return None


def _payload(data: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    payload = {
        "order_no": data["order_no"],
        "placed_at": isoformat(data["placed_at"]),
        "paid_at": isoformat(data["paid_at"]),
        "total_fen": _fen(data["total"]),
        "freight_fen": _fen(data["freight"]),
        "promised_by": isoformat(data["promised_by"]),
        "note": data["note"] or None,
        "consignee": {name: data[name] for name in CONSIGNEE},
        "lines": [_line(line) for line in lines],
    }
    return {name: value for name, value in payload.items() if value is not None}


def _line(line: dict[str, Any]) -> dict[str, Any]:
    written = {name: line[name] for name in ("sku", "name", "quantity")} | {"unit_price_fen": _fen(line["unit_price"])}
    return written | {name: line[name] for name in ("category", "temperature_class") if line[name]}


def _fen(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount * 100)


def _explain(form: NewOrderForm, problem: Problem) -> None:
    if not problem.fields:
        form.add_error(None, problem_text(problem))
    for path, sentence in problem.fields.items():
        name = path.rsplit(".", 1)[-1].removesuffix("_fen")
        beside = name if name in form.fields and not path.startswith("lines") else None
        form.add_error(beside, sentence if beside else f"{path}：{sentence}")
