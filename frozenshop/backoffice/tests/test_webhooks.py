import re

import pytest
from django.test import Client
from django.utils.html import strip_tags

from frozenshop.backoffice.signin import recent
from frozenshop.backoffice.tests.pages import listed, messages, text
from frozenshop.kernel.models import AuditEntry
from notifications import webhooks
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.webhooks import endpoints

pytestmark = pytest.mark.django_db
ENDPOINTS, MESSAGES = "/admin/notifications/webhookendpoint/", "/admin/notifications/webhookmessage/"
URL = "https://shop.example.com/hooks"


def run(client: Client, url: str, action: str, *rows):
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows], "index": "0"}, follow=True)


@pytest.fixture
def endpoint() -> WebhookEndpoint:
    return endpoints.add(URL, description="商城")[0]


def dead(endpoint: WebhookEndpoint, count: int = 1) -> list[WebhookMessage]:
    for number in range(count):
        webhooks.publish("alert.opened", f"dead:{number}", {"alert_id": number})
    WebhookMessage.objects.filter(endpoint=endpoint).update(state="dead", attempts=15, last_error="HTTP 500")
    return list(WebhookMessage.objects.filter(endpoint=endpoint))


def test_a_new_endpoints_secret_is_shown_once(lead):
    shown = text(lead.post(f"{ENDPOINTS}add/", {"url": URL, "events": ["alert.opened"], "description": "商城"}))
    endpoint = WebhookEndpoint.objects.get()
    (secret,) = endpoints.live_secrets(endpoint)
    assert secret in shown
    assert secret not in text(lead.get(f"{ENDPOINTS}{endpoint.pk}/change/"))
    assert (endpoint.events, endpoint.description) == (["alert.opened"], "商城")
    assert AuditEntry.objects.filter(action="webhookendpoint.added").exists()


@pytest.fixture
def late(lead) -> Client:
    """A supervisor who gave a password long ago."""
    session = lead.session
    session[recent.PROVED_AT] = 0
    session.save()
    return lead


def test_before_a_secret_is_made_it_is_asked_who_is_there(late):
    given = {"url": URL, "events": ["alert.opened"], "description": "商城"}
    asked = late.post(f"{ENDPOINTS}add/", given)
    assert asked[recent.ASKED_HEADER] == "required"
    assert f'name="url" value="{URL}"' in text(asked)
    assert not WebhookEndpoint.objects.exists()
    shown = text(late.post(f"{ENDPOINTS}add/", given | {recent.PASSWORD: "x"}))
    (secret,) = endpoints.live_secrets(WebhookEndpoint.objects.get())
    assert secret in shown


def test_before_a_rotation_it_is_asked_who_is_there(late, endpoint):
    former = endpoints.live_secrets(endpoint)
    assert run(late, ENDPOINTS, "rotate", endpoint)[recent.ASKED_HEADER] == "required"
    endpoint.refresh_from_db()
    assert endpoints.live_secrets(endpoint) == former
    data = {"action": "rotate", "_selected_action": [endpoint.pk], "index": "0"}
    shown = text(late.post(ENDPOINTS, data | {recent.PASSWORD: "x"}))
    endpoint.refresh_from_db()
    assert endpoints.live_secrets(endpoint)[0] in shown


def test_before_messages_go_elsewhere_it_is_asked_who_is_there(late, endpoint):
    page = f"{ENDPOINTS}{endpoint.pk}/change/"
    assert late.post(page, {"url": f"{URL}/2", "events": []})[recent.ASKED_HEADER] == "required"
    endpoint.refresh_from_db()
    assert endpoint.url == URL
    assert recent.ASKED_HEADER not in late.get(page)


@pytest.mark.parametrize("path", ["add/", "1/change/"])
def test_who_may_not_change_endpoints_is_refused_and_not_asked(service, path):
    session = service.session
    session[recent.PROVED_AT] = 0
    session.save()
    assert service.post(f"{ENDPOINTS}{path}", {"url": URL}).status_code == 403


@pytest.mark.parametrize("url", ["http://shop.example.com/", "https://127.0.0.1/", "https://10.0.0.8/", "x", ""])
def test_an_address_that_may_not_be_is_refused_in_the_form(lead, url):
    shown = lead.post(f"{ENDPOINTS}add/", {"url": url})
    assert shown.context["errors"]
    assert not WebhookEndpoint.objects.exists()


def test_one_too_many_is_refused_with_a_sentence(lead, endpoint, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST", 1)
    assert "最多启用 1 个" in messages(lead.post(f"{ENDPOINTS}add/", {"url": URL}, follow=True))


def test_a_changed_address_keeps_its_secret(lead, endpoint):
    secret = endpoints.live_secrets(endpoint)
    lead.post(f"{ENDPOINTS}{endpoint.pk}/change/", {"url": f"{URL}/2", "description": "新", "events": []})
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoints.live_secrets(endpoint)) == (f"{URL}/2", secret)


def test_a_rotation_shows_the_new_secret_and_keeps_the_former(lead, endpoint):
    former = endpoints.live_secrets(endpoint)
    shown = text(run(lead, ENDPOINTS, "rotate", endpoint))
    endpoint.refresh_from_db()
    newest, *rest = endpoints.live_secrets(endpoint)
    assert rest == former
    assert newest in shown
    assert former[0] not in shown
    run(lead, ENDPOINTS, "end_former", endpoint)
    endpoint.refresh_from_db()
    assert endpoints.live_secrets(endpoint) == [newest]
    assert AuditEntry.objects.filter(action__startswith="webhookendpoint.").count() == 2


def test_a_test_event_waits_to_be_sent(lead, endpoint):
    assert "1 个" in messages(run(lead, ENDPOINTS, "send_test", endpoint))
    assert WebhookMessage.objects.get().event == "webhook.test"


def test_an_endpoint_is_switched_off_and_on(lead, endpoint):
    run(lead, ENDPOINTS, "switch_off", endpoint)
    endpoint.refresh_from_db()
    assert not endpoint.enabled
    assert "员工停用" in text(lead.get(ENDPOINTS))
    run(lead, ENDPOINTS, "switch_on", endpoint)
    endpoint.refresh_from_db()
    assert endpoint.enabled


def test_what_was_given_up_is_sent_again_one_by_one_or_all(lead, endpoint):
    first, *_ = dead(endpoint, 3)
    assert "1 条" in messages(run(lead, MESSAGES, "replay", first))
    assert "2 条" in messages(run(lead, ENDPOINTS, "replay_dead", endpoint))
    assert set(WebhookMessage.objects.values_list("state", "attempts")) == {("waiting", 0)}


def test_what_was_given_up_is_found(lead, endpoint):
    dead(endpoint, 2)
    webhooks.publish("alert.opened", "fresh", {})
    assert len(listed(lead.get(MESSAGES, {"state__exact": "dead"}))) == 2
    assert len(listed(lead.get(MESSAGES, {"state__exact": "dead", "endpoint__id__exact": endpoint.pk}))) == 2
    one = WebhookMessage.objects.first()
    assert listed(lead.get(MESSAGES, {"q": one.message_id})) == [one.message_id]


def test_a_message_shows_what_was_sent_and_what_was_answered(lead, endpoint):
    (row,) = dead(endpoint)
    shown = text(lead.get(f"{MESSAGES}{row.pk}/change/"))
    assert "HTTP 500" in shown
    assert "alert_id" in shown


def test_service_staff_have_nothing_to_do_here(service, endpoint):
    assert service.get(ENDPOINTS).status_code == 403
    assert service.get(MESSAGES).status_code == 403


def test_nobody_deletes_an_endpoint(root, endpoint):
    assert root.post(f"{ENDPOINTS}{endpoint.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_long_address_does_not_push_the_state_out_of_sight(lead):
    long = f"{URL}/{'x' * 200}"
    endpoint, _ = endpoints.add(long)
    dead(endpoint)
    for page in (ENDPOINTS, MESSAGES):
        cells = re.findall(r'class="field-where[^"]*">(.*?)</t[hd]>', text(lead.get(page)))
        assert [strip_tags(cell) for cell in cells] == [f"{long[:60]}…"]
