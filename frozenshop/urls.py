"""All addresses. The highest layer: it sees the API and the back office."""

from django.contrib import admin
from django.urls import include, path

from frozenshop.kernel import health, metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics_view),
    path("", include("frozenshop.api.urls")),
]
