"""What the providers cost: today's caps, a month by provider and day with its forecast, and single orders."""

import datetime as dt
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from frozenshop.backoffice.wording import yuan
from frozenshop.kernel import clock
from frozenshop.kernel.changelist import may_be_stale
from logistics import costs
from logistics.models import ProviderRefusal

VIEW = "logistics.view_providerstate"
EARLIEST = dt.date(2020, 1, 1)


@may_be_stale
def costs_view(request: HttpRequest) -> HttpResponse:
    """Show a month (`month=2026-11`), the dearest waybills of a day (`day=`), and those of one number (`number=`)."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    today = clock.shanghai(clock.now()).date()
    first = _day(f"{request.GET.get('month', '')}-01", today).replace(day=1)
    day = _day(request.GET.get("day", ""), today)
    number = request.GET.get("number", "").strip()[:64]
    months = costs.months(first)
    this_month = today.replace(day=1)
    context = {
        **admin.site.each_context(request),
        "title": "服务商用量与费用",
        "caps": costs.caps(),
        "refusals": ProviderRefusal.objects.select_related("carrier").order_by("provider", "carrier__code"),
        "months": [_month(month) for month in months],
        "total": yuan(sum((month.total.cost_fen for month in months), costs.NOTHING)),
        "forecast": yuan(sum((month.forecast_fen for month in months), costs.NOTHING)),
        "current": first == this_month,
        "first": first,
        "former": (first - dt.timedelta(days=1)).replace(day=1),
        "following": (first + dt.timedelta(days=32)).replace(day=1) if first < this_month else None,
        "day": day,
        "dearest": _spent(costs.dearest(day)),
        "number": number,
        "found": _spent(costs.of_number(number)) if number else [],
    }
    return TemplateResponse(request, "backoffice/costs.html", context)


def _month(month: costs.Month) -> dict[str, Any]:
    return {
        "label": month.label,
        "days": [(day, used, yuan(used.cost_fen)) for day, used in month.days],
        "total": month.total,
        "cost": yuan(month.total.cost_fen),
        "forecast_queries": month.forecast_queries,
        "forecast": yuan(month.forecast_fen),
    }


def _spent(found: list[costs.Spent]) -> list[tuple[costs.Spent, str]]:
    return [(spent, yuan(spent.cost_fen)) for spent in found]


def _day(text: str, today: dt.date) -> dt.date:
    """Return the day that an address names; today where it names none that there was."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return today
    return day if EARLIEST <= day <= today else today
