"""What carriers said and nobody understood: codes and wordings, most frequent first, mapped by one action."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest

from frozenshop.kernel.changelist import BaseAdmin, ReadOnlyAdmin, record_act, staff_user
from logistics import meanings
from logistics.models import Carrier, Reason, ShipmentStatus, UnknownCode, UnreadText

MEANT = [choice for choice in ShipmentStatus.choices if choice[0] != ShipmentStatus.UNKNOWN]
RowT = TypeVar("RowT", UnknownCode, UnreadText)


class MeaningForm(ActionForm):
    meant = forms.ChoiceField(label="含义", required=False, choices=[("", "（选择状态）"), *MEANT])
    reason = forms.ChoiceField(label="原因", required=False, choices=[("", "（无）"), *Reason.choices])


def _map(
    request: HttpRequest, rows: QuerySet[RowT], decide: Callable[..., None], kind: str, tell: Callable[[str, Any], None]
) -> None:
    meant, reason = request.POST.get("meant", ""), request.POST.get("reason", "")
    if meant not in dict(MEANT) or (reason and reason not in Reason.values):
        return tell("请先在操作旁选择含义，再点执行。", messages.ERROR)
    chosen = list(rows)
    for row in chosen:
        decide(row, meant, reason, by=staff_user(request).get_username())
        details = {"status": meant, "reason": reason}
        record_act(request, f"{kind}.mapped", f"{kind}:{row.pk}", details=details)
    label = ShipmentStatus(meant).label
    return tell(f"已把 {len(chosen)} 项对应为“{label}”，已有的轨迹会重新识别。", messages.SUCCESS)


class UnknownCodeAdmin(ReadOnlyAdmin[UnknownCode]):
    list_display = (
        "provider",
        "code",
        "count",
        "sample",
        "mapped_status",
        "mapped_reason",
        "mapped_by",
        "last_seen_at",
    )
    list_filter = ("provider", "mapped_status")
    action_form = MeaningForm
    actions = ("map_codes",)

    @admin.action(description="对应为所选含义", permissions=["change"])
    def map_codes(self, request: HttpRequest, queryset: QuerySet[UnknownCode]) -> None:
        _map(request, queryset, meanings.map_code, "unknowncode", lambda *told: self.message_user(request, *told))


class CorrectionForm(forms.ModelForm[UnreadText]):
    """A sentence that was read wrongly, and what it means."""

    carrier_code = forms.CharField(label="承运商编码", max_length=40)
    sample = forms.CharField(label="轨迹原文", max_length=meanings.MAX_SAMPLE, widget=forms.Textarea)
    status = forms.ChoiceField(label="含义", choices=MEANT)

    class Meta:
        model = UnreadText
        fields = ("carrier_code", "sample", "status", "reason")

    def clean_carrier_code(self) -> str:
        code: str = self.cleaned_data["carrier_code"].strip()
        if not Carrier.objects.filter(code=code).exists():
            raise forms.ValidationError("没有这个承运商编码，请到“承运商”里查看")
        return code


class UnreadTextAdmin(BaseAdmin[UnreadText]):
    """Adding one is how a wrong reading is corrected: the sentence's shape is kept with the meaning given."""

    keyset = ("-count", "-id")
    list_display = ("carrier_code", "shape", "count", "sample", "status", "reason", "decided_by", "last_seen_at")
    list_filter = ("status",)
    form = CorrectionForm
    action_form = MeaningForm
    actions = ("map_texts",)

    def has_change_permission(self, request: HttpRequest, obj: UnreadText | None = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: UnreadText | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: UnreadText, form: Any, change: bool) -> None:
        by = staff_user(request).get_username()
        kept = meanings.correct(obj.carrier_code, obj.sample, obj.status, obj.reason, by=by)
        obj.pk, obj.shape, obj.digest = kept.pk, kept.shape, kept.digest
        obj._state.adding = False

    @admin.action(description="对应为所选含义", permissions=["change"])
    def map_texts(self, request: HttpRequest, queryset: QuerySet[UnreadText]) -> None:
        _map(request, queryset, meanings.map_text, "unreadtext", lambda *told: self.message_user(request, *told))
