"""Forms of staff for what they decide about carriers and providers: who is asked first, how often, at what price."""

import re
from typing import Any

from django import forms

from logistics.models import Carrier, Provider, ProviderState
from logistics.providers.base import PROVIDERS


class ProvidersField(forms.Field):
    """Names of providers in order, by our word or the Chinese one, parted by commas or blanks; a list as value."""

    widget = forms.TextInput(attrs={"size": 60})

    def prepare_value(self, value: Any) -> Any:
        return "，".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        """Return the names. Raises ValidationError naming what is no provider, and those that there are."""
        said = [part for part in re.split(r"[\s,，、;；>→]+", str(value or "")) if part]
        names = {**{name: name for name in PROVIDERS}, **{Provider(name).label: name for name in PROVIDERS}}
        unknown = [part for part in said if part not in names]
        if unknown:
            known = "、".join(f"{name}（{Provider(name).label}）" for name in PROVIDERS)
            raise forms.ValidationError(f"没有名为“{'”“'.join(unknown)[:60]}”的轨迹服务商，可填：{known}")
        return list(dict.fromkeys(names[part] for part in said))


class CarrierForm(forms.ModelForm[Carrier]):
    providers = ProvidersField(
        label="轨迹服务商顺序",
        required=False,
        help_text="先问的写在前面，如：顺丰，快递鸟，快递100。只会问已配置、认识这家承运商的；留空按系统默认顺序。",
    )

    class Meta:
        model = Carrier
        fields = "__all__"  # noqa: DJ007 - the admin shows the whole row


class ProviderStateForm(forms.ModelForm[ProviderState]):
    calls_per_minute = forms.IntegerField(
        label="每分钟上限",
        min_value=1,
        error_messages={"min_value": "每分钟上限至少为 1；要停用服务商，请把每日上限设为 0"},
    )
    price_fen = forms.DecimalField(
        label="每次费用（分）",
        min_value=0,
        max_digits=8,
        decimal_places=2,
        help_text="一次查询的价格；一次查多个运单的服务商按一次计。改价只影响以后的调用。",
    )

    class Meta:
        model = ProviderState
        fields = ("daily_budget", "calls_per_minute", "price_fen")
