"""All addresses. The highest layer: it sees the API and the back office."""

from django.contrib import admin
from django.urls import include, path

from frozenshop.api.errors import handler400, handler403, handler404, handler500
from frozenshop.kernel import health, metrics

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("frozenshop.api.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics_view),
]
