"""The money that WeChat holds back, how much and why; and what only a person may tell WeChat, after a look at it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from frozenshop.backoffice.wording import clock, duration, yuan
from frozenshop.kernel.changelist import may_be_stale
from frozenshop.kernel.clock import now
from frozenshop.kernel.errors import Problem
from notifications.models import ShippingReport, WechatCompany
from notifications.settlement import correction, frozen, guard, known, special

VIEW, CHANGE = "notifications.view_shippingreport", "notifications.change_shippingreport"
COMPANIES = 500
HOURS = (0, 24, 48, 24 * 7, 24 * 12)
State = ShippingReport.State
ACTS: dict[str, tuple[Callable[[ShippingReport, AbstractBaseUser, str | None], None], str]] = {
    "correct": (correction.correct, "更正已排队，几秒后上报微信。"),
    "finish": (correction.finish, "已排队：告诉微信不再发货。"),
    "retry": (correction.retry, "已排队重试。"),
}


@may_be_stale
def settlement_view(request: HttpRequest) -> HttpResponse:
    """Show the money held back of orders paid more than `hours` ago, by reason, and the oldest of them.

    `untold`: only of those of which WeChat doesn't have everything.
    """
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    asked = request.GET.get("hours", "")
    hours = next((choice for choice in HOURS if str(choice) == asked), HOURS[0])
    untold = "untold" in request.GET
    among = frozen.untold if untold else frozen.held
    held, rows = frozen.by_reason(hours, among), frozen.oldest(hours, among)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "微信结算",
        "hours": hours,
        "untold": untold,
        "choices": [(choice, _label(choice)) for choice in HOURS],
        "total": yuan(sum(one.fen for one in held)),
        "count": sum(one.orders for one in held),
        "held": [(one, yuan(one.fen)) for one in held],
        "rows": [_row(report) for report in rows],
        "free": guard.known_free(),
        "cut": len(rows) == frozen.SHOWN,
        "companies": WechatCompany.objects.order_by("delivery_id")[:COMPANIES],
    }
    return TemplateResponse(request, "backoffice/settlement.html", context)


def report_view(request: HttpRequest, report_id: int) -> HttpResponse:
    """Show what WeChat has of one payment beside what our parcels are; with the right, tell it otherwise."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    report = ShippingReport.objects.select_related("order").filter(pk=report_id).first()
    if report is None:
        raise Http404
    if request.method == "POST":
        return _act(request, report)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"微信结算：{report.order.order_no}",
        "report": report,
        **_row(report),
        "preview": correction.preview(report),
        "together": ShippingReport.objects.filter(payment=report.payment)
        .exclude(pk=report.pk)
        .select_related("order")[:20],
        "combined": _combined(report),
        "wechat_state": known.STATES.get(report.wechat_state or 0, "—"),
        "times": [
            ("付款", clock(report.order.paid_at)),
            ("最近上报", clock(report.uploaded_at)),
            ("下次处理", clock(report.due_at)),
            ("提醒收货", clock(report.confirmed_at)),
            ("预计结算", clock(report.settles_at)),
            ("已结算", clock(report.settled_at)),
        ],
        "special": _special(request, report),
        "may_retry": report.state in (State.REFUSED, State.WAITING) and report.order.status not in guard.OVER,
    }
    return TemplateResponse(request, "backoffice/settlement_report.html", context)


def _act(request: HttpRequest, report: ShippingReport) -> HttpResponse:
    if not request.user.has_perm(CHANGE) or not isinstance(request.user, AbstractBaseUser):
        raise PermissionDenied
    if request.POST.get("act") == "special":
        return _tell_special(request, report, request.user)
    act, done = ACTS.get(request.POST.get("act", ""), (None, ""))
    if act is None:
        raise Http404
    try:
        act(report, request.user, request.POST.get("seen"))
        messages.success(request, done)
    except Problem as problem:
        messages.error(request, problem.message)
    return redirect("admin:settlement_report", report.pk)


def _tell_special(request: HttpRequest, report: ShippingReport, user: AbstractBaseUser) -> HttpResponse:
    try:
        special.ask(report, user, special.plan(report, request.POST.get("kind", ""), request.POST.get("day", "")))
        messages.success(request, "报备已排队，几秒后告诉微信。")
    except Problem as problem:
        messages.error(request, problem.message)
    return redirect("admin:settlement_report", report.pk)


def _special(request: HttpRequest, report: ShippingReport) -> dict[str, Any]:
    """What was told of a late shipping, and the form; what was chosen in it is shown before it is told."""
    found: dict[str, Any] = {"may": special.may_tell(report)}
    if not found["may"]:
        return found
    found["first"], found["last"] = special.days(report)
    kind, day = request.GET.get("kind", ""), request.GET.get("day", "")
    if kind:
        try:
            found |= {"plan": special.plan(report, kind, day), "kind": kind, "day": day}
        except Problem as problem:
            messages.error(request, problem.message)
    return found


def _combined(report: ShippingReport) -> list[ShippingReport]:
    """The others below the same combined payment."""
    if not report.combined:
        return []
    others = ShippingReport.objects.filter(combined=report.combined).exclude(payment=report.payment)
    return list(others.select_related("order").order_by("order_id")[:50])


def _row(report: ShippingReport) -> dict[str, Any]:
    reason, paid_at = frozen.reason_for(report), report.order.paid_at
    return {
        "pk": report.pk,
        "order": report.order,
        "reason": reason,
        "said": report.said,
        "amount": yuan(report.order.total_fen),
        "since": duration(now() - paid_at) if paid_at else "—",
    }


def _label(hours: int) -> str:
    if not hours:
        return "全部"
    return f"超过 {hours} 小时" if hours <= 48 else f"超过 {hours // 24} 天"
