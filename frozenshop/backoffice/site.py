"""The staff's admin site: Django's own, with the day's work on its index page and the batch view beside it."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path


class StaffSite(AdminSite):
    site_header = site_title = "冻品订单跟踪"
    index_title = "今日工作"
    index_template = "backoffice/index.html"
    site_url = None
    enable_nav_sidebar = False
    empty_value_display = "—"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from frozenshop.backoffice.batch import batch_view
        from frozenshop.backoffice.costs import costs_view
        from frozenshop.backoffice.notifications_people import messages_view, person_view
        from frozenshop.backoffice.settlement import report_view, settlement_view

        own = [
            path("batch/", self.admin_view(batch_view), name="batch"),
            path("costs/", self.admin_view(costs_view), name="costs"),
            path("settlement/", self.admin_view(settlement_view), name="settlement"),
            path("settlement/<int:report_id>/", self.admin_view(report_view), name="settlement_report"),
            path("messages/", self.admin_view(messages_view), name="messages"),
            path("messages/person/<str:recipient>/", self.admin_view(person_view), name="messages_person"),
        ]
        return [*own, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "may_batch": request.user.has_perm("orders.view_order")}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from frozenshop.backoffice.dashboard import tiles

        return super().index(request, {"tiles": tiles(request), **(extra_context or {})})
