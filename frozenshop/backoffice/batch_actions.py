"""What may be done to many orders: previewed row by row, done by a job, safe to repeat."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django import forms
from django.contrib.auth.models import User

from frozenshop.backoffice.batches import kinds
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.backoffice.order_actions import FACTS, UNCHANGED, moves
from frozenshop.backoffice.order_rows import Row
from frozenshop.backoffice.parcel_actions import STEPS
from frozenshop.kernel import audit, clock
from frozenshop.kernel.actor import Actor
from frozenshop.kernel.errors import Invalid, NotPossible, Problem
from logistics import manual, polling, problems, shipping
from logistics.models import Shipment, ShipmentStatus
from logistics.services import record_shop_fact
from notifications import resending
from notifications.models import Notice
from orders.facts import Fact, FactType
from orders.models import Alert, AlertOutcome, Order, OrderStatus

KIND = "act"
Data = Mapping[str, Any]


class _Form(forms.Form):
    """What an action asks for once, for all its rows."""

    def parameters(self) -> dict[str, Any]:
        """Return it as JSON takes it; no personal data belongs into it."""
        told = self.cleaned_data.items()
        return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in told}


def _instant(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, widget=widget)


class NothingForm(_Form):
    pass


class FactForm(_Form):
    fact = forms.ChoiceField(label="事实", choices=list(FACTS.items()))
    occurred_at = _instant("发生时间")
    reference = forms.CharField(label="凭证号", max_length=90, required=False)


class StepForm(_Form):
    status = forms.ChoiceField(label="物流状态", choices=STEPS)
    told_at = _instant("发生时间")
    description = forms.CharField(label="说明", max_length=manual.MAX_DESCRIPTION, required=False)


class ReasonForm(_Form):
    reason = forms.CharField(label="原因", max_length=200)


class ResolveForm(_Form):
    note = forms.CharField(label="处理结果", max_length=400)
    outcome = forms.ChoiceField(label="结果分类", choices=AlertOutcome.choices, initial=AlertOutcome.OTHER)


@dataclass(frozen=True, slots=True)
class Action:
    """`preview` says what would become of a row, or raises Problem with why nothing; `perform` does it."""

    label: str
    form: type[_Form]
    preview: Callable[[Row, Data], str]
    perform: Callable[["Work"], str]
    permission: str = "orders.change_order"


@dataclass(frozen=True, slots=True)
class Work:
    """One row of a job. `at`: when the job was begun, the same each time it is tried."""

    order: Order
    data: Data
    actor: Actor
    user: User
    mark: str
    at: dt.datetime


def _sync_preview(row: Row, data: Data) -> str:
    if not row.shipments:
        raise NotPossible("没有在途的运单")
    return f"向服务商查询 {len(row.shipments)} 个运单"


def _sync(work: Work) -> str:
    ids = list(work.order.shipments.filter(voided_at=None).values_list("id", flat=True))
    if not ids:
        raise NotPossible("没有在途的运单")
    polling.enqueue_sync(ids)
    return f"已安排查询 {len(ids)} 个运单"


def _mark_preview(row: Row, data: Data) -> str:
    fact, now = FactType(data["fact"]), row.order.get_status_display()
    if moves(row.order, fact):
        return f"{now} → {OrderStatus(fact.value).label}"
    return f"状态不变（{now}），只记录{fact.label}"


def _mark(work: Work) -> str:
    """Without a reference of its own a fact counts once, so that doing it again changes nothing."""
    fact = FactType(work.data["fact"])
    at = dt.datetime.fromisoformat(work.data["occurred_at"]) if work.data.get("occurred_at") else work.at
    applied = record_shop_fact(work.order, Fact(fact, at, work.data.get("reference") or "staff"), work.actor)
    if applied.applied:
        return f"已记录：{fact.label}"
    return f"已记录“{fact.label}”，状态没有改变：{UNCHANGED.get(applied.reason or '', applied.reason)}"


def _report_preview(row: Row, data: Data) -> str:
    if not row.shipments:
        raise NotPossible("没有可报告的运单")
    label = ShipmentStatus(data["status"]).label
    return "；".join(f"{one.waybill_no}：{one.get_status_display()} → {label}" for one in row.shipments)


def _report(work: Work) -> str:
    parcels = list(work.order.shipments.filter(voided_at=None).order_by("id"))
    if not parcels:
        raise NotPossible("没有可报告的运单")
    at = dt.datetime.fromisoformat(work.data["told_at"]) if work.data.get("told_at") else work.at
    step = manual.Step(ShipmentStatus(work.data["status"]), at, work.mark, work.data.get("description", ""))
    told = [manual.report(parcel, step, by=work.actor, subject=work.order.order_no) for parcel in parcels]
    return f"已报告 {sum(told)} 个运单{step.status.label}" if any(told) else "这次报告已经记录过"


def _unscanned(shipments: Sequence[Shipment]) -> list[Shipment]:
    found = [shipment for shipment in shipments if shipment.picked_up_at is None]
    if not found:
        raise NotPossible("承运商已扫描，不能作废" if shipments else "没有可作废的运单")
    return found


def _void_preview(row: Row, data: Data) -> str:
    return "作废 " + "、".join(shipment.waybill_no for shipment in _unscanned(row.shipments))


def _void(work: Work) -> str:
    parcels = _unscanned(list(work.order.shipments.filter(voided_at=None).order_by("id")))
    for parcel in parcels:
        shipping.void(parcel, order=work.order, reason=work.data["reason"], actor=work.actor)
    return "已作废 " + "、".join(parcel.waybill_no for parcel in parcels)


def _last_notice(order: Order) -> Notice:
    notice = Notice.objects.filter(order=order, audience="buyer").order_by("-occurred_at", "-id").first()
    if notice is None:
        raise NotPossible("没有给买家发过消息")
    return notice


def _tell_preview(row: Row, data: Data) -> str:
    """What can be told again is known for certain only when it is done: consents and opt-outs change."""
    return "重发给买家的最近一条消息（不再成立或没有渠道的不发）"


def _tell(work: Work) -> str:
    notice = _last_notice(work.order)
    resending.resend(notice.pk, actor=work.actor, reason=work.data["reason"])
    return f"已安排重发“{notice.get_milestone_display()}”"


def _resolve_preview(row: Row, data: Data) -> str:
    if not row.open_alerts:
        raise NotPossible("没有待处理的预警")
    return "解决 " + "、".join(alert.get_kind_display() for alert in row.open_alerts)


def _resolve(work: Work) -> str:
    boxes = work.order.shipments.values_list("id", flat=True)
    about = [work.order.order_no, *map(problems.subject_of, boxes)]
    alerts = list(Alert.objects.filter(subject__in=about, resolved_at=None).order_by("pk"))
    if not alerts:
        raise NotPossible("没有待处理的预警")
    for alert in alerts:
        problems.resolve(alert, work.data["note"], work.user, AlertOutcome(work.data["outcome"]))
    return "已解决 " + "、".join(alert.get_kind_display() for alert in alerts)


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "sync": Action("立即同步轨迹", NothingForm, _sync_preview, _sync),
        "mark": Action("标记", FactForm, _mark_preview, _mark),
        "report": Action("报告物流进展", StepForm, _report_preview, _report),
        "void": Action("作废运单（首次扫描前）", ReasonForm, _void_preview, _void),
        "tell": Action("再次通知买家", ReasonForm, _tell_preview, _tell, "notifications.change_notice"),
        "resolve": Action("解决预警", ResolveForm, _resolve_preview, _resolve, "orders.change_alert"),
    }
)


def preview(action: Action, rows: Sequence[Row], data: Data) -> list[tuple[Row, bool, str]]:
    """Return what would become of each row, without doing anything."""
    told = []
    for row in rows:
        try:
            told.append((row, True, action.preview(row, data)))
        except Problem as problem:
            told.append((row, False, problem.message))
    return told


class Act(kinds.Kind):
    """An action on the orders of a list, by the services that do it from an order's page."""

    label, permission = "批量处理", "orders.change_order"

    def allowed(self, user: User, batch: Batch) -> bool:
        action = ACTIONS.get(batch.parameters.get("action", ""))
        return action is not None and user.has_perm(action.permission)

    def perform(self, batch: Batch, row: BatchRow, actor: Actor) -> str:
        action = ACTIONS[batch.parameters["action"]]
        order = Order.objects.filter(order_no=row.about).first()
        if order is None:
            raise NotPossible("订单已不在（可能已归档）")
        user = batch.owner
        assert isinstance(user, User)  # without its owner a batch doesn't run
        work = Work(order, row.given, actor, user, f"batch:{batch.pk}", batch.created_at or clock.now())
        try:
            sentence = action.perform(work)
        except Invalid as problem:
            raise NotPossible(
                problem.message if not problem.fields else "；".join(problem.fields.values())
            ) from problem
        details = {"batch": batch.pk, "action": batch.parameters["action"]}
        audit.record(actor, "batch.acted", order.order_no, details=details)
        return sentence

    def page(self, batch: Batch, user: User) -> dict[str, object]:
        action = ACTIONS.get(batch.parameters.get("action", ""))
        return {"facts": [("操作", action.label if action else "")], "link": None}


ACTING = Act()
