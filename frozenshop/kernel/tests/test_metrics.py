import datetime as dt
from types import SimpleNamespace

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from prometheus_client import REGISTRY

from frozenshop.kernel import clock, metrics
from frozenshop.kernel.models import JobRun, OutboxMessage

pytestmark = pytest.mark.django_db


def ask(**headers):
    return metrics.metrics_view(RequestFactory().get("/metrics", **headers))


def requests_to(route, status):
    labels = {"method": "GET", "route": route, "status": status}
    return REGISTRY.get_sample_value("frozenshop_requests_total", labels) or 0


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", "test-only-metrics-token", "Bearer 令牌"])
def test_without_the_token_there_is_no_such_page(given, settings):
    settings.METRICS_NETWORKS = []
    assert ask(HTTP_AUTHORIZATION=given).status_code == 404


def test_an_empty_token_opens_nothing(settings):
    settings.METRICS_NETWORKS, settings.METRICS_TOKEN = [], ""
    assert ask(HTTP_AUTHORIZATION="Bearer ").status_code == 404


def test_the_token_or_a_listed_network_opens_it(settings):
    settings.METRICS_NETWORKS = ["10.1.0.0/16"]
    assert ask(HTTP_AUTHORIZATION="Bearer test-only-metrics-token", REMOTE_ADDR="8.8.8.8").status_code == 200
    assert ask(REMOTE_ADDR="10.1.2.3").status_code == 200
    assert ask(REMOTE_ADDR="10.2.2.3", HTTP_X_FORWARDED_FOR="10.1.2.3").status_code == 404
    assert ask(REMOTE_ADDR="").status_code == 404


def test_the_outbox_and_the_jobs_are_read_from_the_tables():
    OutboxMessage.objects.create(topic="t", due_at=clock.now() - dt.timedelta(seconds=90))
    OutboxMessage.objects.create(topic="t", status="dead")
    minute = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.create(name="rearm", task="kernel.tick", interval=minute)
    JobRun.objects.create(job="rearm", slot=clock.now() - dt.timedelta(seconds=30))
    text = metrics.render().decode()
    assert 'frozenshop_outbox_messages{status="pending"} 1.0' in text
    assert 'frozenshop_outbox_messages{status="dead"} 1.0' in text
    assert 'frozenshop_outbox_lag_seconds{status="pending"} 90.' in text
    assert 'frozenshop_job_slot_age_seconds{name="rearm"} 30.' in text


def test_a_request_is_counted_under_its_routes_template():
    def view(request):
        request.resolver_match = SimpleNamespace(route="healthz")
        return HttpResponse(status=418)

    before = requests_to("/healthz", "418")
    metrics.MetricsMiddleware(view)(RequestFactory().get("/healthz"))
    assert requests_to("/healthz", "418") == before + 1


def test_an_unmatched_path_makes_no_series_of_its_own():
    before = requests_to("unmatched", "200")
    metrics.MetricsMiddleware(lambda request: HttpResponse())(RequestFactory().get("/callbacks/sf/s3cr3t"))
    assert requests_to("unmatched", "200") == before + 1
    assert "s3cr3t" not in metrics.render().decode()


def test_an_invented_method_makes_no_series_of_its_own():
    metrics.MetricsMiddleware(lambda request: HttpResponse())(RequestFactory().generic("INVENTED", "/"))
    assert "INVENTED" not in metrics.render().decode()
