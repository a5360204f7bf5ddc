"""The staff's admin site: Django's own, with the day's work on its index page and the batch view beside it."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from frozenshop.kernel import replica
from frozenshop.kernel.changelist import reader, shown_stale

_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


class StaffSite(AdminSite):
    site_header = site_title = "冻品订单跟踪"
    index_title = "今日工作"
    index_template = "backoffice/index.html"
    site_url = None
    enable_nav_sidebar = False
    empty_value_display = "—"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from frozenshop.backoffice.archive import report_view as archive_view
        from frozenshop.backoffice.audit import audit_view, order_view
        from frozenshop.backoffice.audit import person_view as actor_view
        from frozenshop.backoffice.audit_export import export_view
        from frozenshop.backoffice.batch import batch_view
        from frozenshop.backoffice.costs import costs_view
        from frozenshop.backoffice.importing import views as importing
        from frozenshop.backoffice.logs import logs_view
        from frozenshop.backoffice.notifications_people import messages_view, person_view
        from frozenshop.backoffice.settlement import report_view, settlement_view
        from frozenshop.backoffice.signin.routes import routes
        from frozenshop.backoffice.trail import trail_view

        own = [
            path("archive/", self.admin_view(archive_view), name="archive"),
            path("audit/", self.admin_view(audit_view), name="audit"),
            path("audit/export/", self.admin_view(export_view), name="audit_export"),
            path("audit/order/<path:order_no>/", self.admin_view(order_view), name="audit_order"),
            path("audit/person/<str:actor>/", self.admin_view(actor_view), name="audit_person"),
            path("batch/", self.admin_view(batch_view), name="batch"),
            path("costs/", self.admin_view(costs_view), name="costs"),
            path("import/", self.admin_view(importing.start_view), name="import"),
            path("import/<int:batch_id>/", self.admin_view(importing.import_view), name="import_one"),
            path("import/<int:batch_id>/report/", self.admin_view(importing.report_view), name="import_report"),
            path("logs/", self.admin_view(logs_view), name="logs"),
            path("settlement/", self.admin_view(settlement_view), name="settlement"),
            path("settlement/<int:report_id>/", self.admin_view(report_view), name="settlement_report"),
            path("trail/", self.admin_view(trail_view), name="trail"),
            *routes(self),
            path("messages/", self.admin_view(messages_view), name="messages"),
            path("messages/person/<str:recipient>/", self.admin_view(person_view), name="messages_person"),
        ]
        return [*own, *super().get_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in staff whose session has shown the second factor that it must show."""
        from frozenshop.backoffice.signin import factors, rights

        if not super().has_permission(request) or not factors.satisfied(request):
            return False
        rights.ask_at_once(request.user)
        return True

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        from frozenshop.backoffice.signin.login import login_view

        return login_view(self, request, extra_context or {})

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from frozenshop.backoffice import audit_signin

        audit_signin.left(request)
        return super().logout(request, extra_context)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from frozenshop.backoffice.signin.login import password_changed

        answer = super().password_change(request, extra_context)
        if request.method == "POST" and answer.status_code == 302:
            password_changed(request)
        return answer

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "may_batch": request.user.has_perm("orders.view_order")}

    def admin_view(self, view: _View, cacheable: bool = False) -> _View:
        return super().admin_view(_remembering_writes(view), cacheable)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        from frozenshop.backoffice.dashboard import page as dashboard

        def page() -> TemplateResponse:
            return super(StaffSite, self).index(request, {**dashboard.context(request), **(extra_context or {})})

        return shown_stale(request, page)


def _remembering_writes(view: _View) -> _View:
    """What a member of staff has done is there on the pages that they look at next."""

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if request.method not in ("GET", "HEAD"):
            replica.wrote(reader(request))
        return response

    return cast(_View, answered)
