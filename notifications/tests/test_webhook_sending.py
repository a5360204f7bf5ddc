import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from frozenshop.kernel import clock, leases, outbox
from frozenshop.kernel.actor import Actor, Source
from frozenshop.kernel.models import AuditEntry, Lease, OutboxMessage
from notifications import webhooks
from notifications.models import WebhookEndpoint, WebhookMessage
from notifications.tests.receiver import receiving
from notifications.webhooks import endpoints, outcomes, posting, retrying, sending, signing, tasks
from notifications.webhooks.posting import Answer
from orders.models import Alert

STAFF = Actor(Source.STAFF, "staff:1")
OK, DOWN, GONE = Answer(200), Answer(500, "HTTP 500"), Answer(410, "HTTP 410")


class Shop:
    """An endpoint's answers without a network: `always` after those in `next`; `got` are the calls."""

    def __init__(self) -> None:
        self.next: list[Answer] = []
        self.always = OK
        self.got: list[tuple[str, dict, bytes]] = []
        self.lock = threading.Lock()

    def post(self, url, headers, body, **options) -> Answer:
        assert not connections["default"].in_atomic_block
        with self.lock:
            self.got.append((url, headers, body))
            return self.next.pop(0) if self.next else self.always

    def ids(self, path: str = "") -> list[str]:
        return [headers["webhook-id"] for url, headers, _ in self.got if url.endswith(path)]


@pytest.fixture
def shop(monkeypatch) -> Shop:
    found = Shop()
    monkeypatch.setattr(posting, "post", found.post)
    return found


@pytest.fixture
def endpoint(db, frozen, shop) -> WebhookEndpoint:
    return add("a")


def add(path: str) -> WebhookEndpoint:
    endpoint, _ = endpoints.add(f"https://shop.example.com/{path}")
    return endpoint


def publish(count: int = 1, *, start: int = 0) -> None:
    for number in range(start, start + count):
        webhooks.publish("alert.opened", str(number), {"alert_id": number})


def row() -> WebhookMessage:
    return WebhookMessage.objects.order_by("pk")[0]


def state(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=endpoint.pk)


def states() -> set[str]:
    return set(WebhookMessage.objects.values_list("state", flat=True))


# --- the way of a message -------------------------------------------------------------------------


def test_what_is_taken_is_done_and_signed_by_each_live_secret(endpoint, shop):
    secrets = [endpoints.rotate(endpoint), *endpoints.live_secrets(endpoint)]
    publish()
    assert sending.send_due() == 1
    ((_, headers, body),) = shop.got
    assert (row().state, row().attempts, row().last_status) == ("done", 1, 200)
    at = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"].split() == [signing.sign(s, row().message_id, at, body) for s in secrets]
    assert at == int(clock.now().timestamp())
    assert sending.send_due() == 0


def test_fifteen_attempts_over_about_98_hours(endpoint, shop, frozen, monkeypatch):
    monkeypatch.setattr(outcomes, "THRESHOLD", 99)
    shop.always, first = DOWN, clock.now()
    publish()
    made = []
    while row().state == "waiting":
        frozen.move_to(row().due_at)
        made.append(clock.now() - first)
        assert sending.send_due() == 1
    assert len(made) == 15
    assert dt.timedelta(hours=88) < made[-1] < dt.timedelta(hours=108)
    assert sum(retrying.WAITS, dt.timedelta(0)) == dt.timedelta(hours=97, minutes=42, seconds=35)
    assert (row().state, row().attempts, row().last_error) == ("dead", 15, "HTTP 500")
    assert len(set(shop.ids())) == 1


def test_each_attempt_has_its_own_time_and_the_same_body(endpoint, shop, frozen):
    shop.next = [DOWN]
    publish()
    sending.send_due()
    frozen.shift(60)
    sending.send_due()
    (_, first, body), (_, second, again) = shop.got
    assert body == again
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60


def test_the_waits_differ_by_chance():
    waits = {retrying.wait_after(5) for _ in range(20)}
    assert len(waits) == 20
    assert all(dt.timedelta(minutes=27) <= wait <= dt.timedelta(minutes=33) for wait in waits)


def test_retry_after_is_obeyed_and_spares_the_endpoint(endpoint, shop, frozen):
    shop.next = [Answer(429, "HTTP 429", dt.timedelta(minutes=20))]
    publish()
    sending.send_due()
    assert row().due_at == clock.now() + dt.timedelta(minutes=20)
    publish(start=1)
    assert sending.send_due() == 0
    frozen.shift(dt.timedelta(minutes=20))
    sending.send_due()
    assert states() == {"done"}


def test_a_shorter_retry_after_than_ours_hurries_nothing(endpoint, shop):
    shop.next = [Answer(500, "", dt.timedelta(seconds=1))]
    publish()
    sending.send_due()
    assert row().due_at >= clock.now() + dt.timedelta(seconds=4)


def test_the_first_retries_do_not_wait_for_the_minute(endpoint, shop):
    OutboxMessage.objects.all().delete()
    shop.next = [DOWN]
    publish()
    sending.send_due()
    assert row().due_at in OutboxMessage.objects.values_list("due_at", flat=True)


def test_410_switches_the_endpoint_off_and_tells_staff(endpoint, shop):
    shop.always = GONE
    publish(9)
    sending.send_due()
    assert not state(endpoint).enabled
    assert states() == {"dead"}
    assert "410" in Alert.objects.get().detail
    assert len(shop.got) <= sending.PER_ENDPOINT


def test_a_redirect_is_a_failure_like_others(endpoint, shop):
    shop.next = [Answer(302, "HTTP 302")]
    publish()
    sending.send_due()
    assert (row().state, row().last_status) == ("waiting", 302)


# --- the breaker ----------------------------------------------------------------------------------


def test_the_breaker_opens_after_failures_in_a_row_and_then_one_message_tries(endpoint, shop, frozen):
    shop.always = DOWN
    publish(outcomes.THRESHOLD)
    sending.send_due()
    assert state(endpoint).open_until == clock.now() + outcomes.FIRST_PAUSE
    publish(5, start=50)
    assert sending.send_due() == 0
    frozen.move_to(state(endpoint).open_until)
    assert sending.send_due() == 1
    assert state(endpoint).open_until == clock.now() + 2 * outcomes.FIRST_PAUSE
    shop.always = OK
    frozen.move_to(state(endpoint).open_until)
    sending.send_due()
    assert (state(endpoint).failures, state(endpoint).open_until) == (0, None)
    frozen.shift(600)
    sending.send_due()
    assert states() == {"done"}


def test_pauses_grow_to_five_minutes():
    assert [outcomes.pause(n).total_seconds() for n in (5, 6, 7, 8, 9, 99)] == [30, 60, 120, 240, 300, 300]


def test_an_hour_of_failure_tells_staff_and_the_end_of_it_too(endpoint, shop, frozen):
    shop.next = [DOWN, DOWN]
    publish()
    sending.send_due()
    assert not Alert.objects.exists()
    frozen.shift(3601)
    sending.send_due()
    assert "连续出错" in Alert.objects.get().detail
    frozen.shift(3600)
    sending.send_due()
    assert Alert.objects.get().resolved_at


def test_five_days_without_a_success_switch_it_off(endpoint, shop, frozen):
    shop.always = DOWN
    publish()
    sending.send_due()
    frozen.shift(outcomes.OFF_AFTER)
    publish(start=1)
    sending.send_due()
    assert not state(endpoint).enabled
    assert "5 天" in state(endpoint).disabled_reason
    assert states() == {"dead"}
    assert Alert.objects.filter(resolved_at=None).exists()


def test_one_endpoints_trouble_is_its_own(endpoint, shop, frozen):
    other = add("b")
    shop.always = DOWN
    publish(9)
    sending.send_due()
    assert state(other).failing_since is not None
    shop.always = OK
    WebhookEndpoint.objects.filter(pk=other.pk).update(open_until=None)
    frozen.shift(20)
    sending.send_due()
    assert state(other).failing_since is None
    assert state(endpoint).failing_since is not None


# --- claims ---------------------------------------------------------------------------------------


def test_who_dies_while_sending_leaves_a_claim_that_runs_out(endpoint, shop, frozen):
    publish()
    (claimed,) = sending._claim({})
    assert sending.send_due() == 0
    frozen.shift(sending.CLAIM)
    assert sending.send_due() == 1
    assert (row().state, row().attempts, shop.ids()) == ("done", 2, [claimed.message.message_id])


def test_a_late_refusal_does_not_undo_what_was_done_since(endpoint, shop, frozen):
    publish()
    (claimed,) = sending._claim({})
    frozen.shift(sending.CLAIM)
    sending.send_due()
    outcomes.settle(claimed.message, DOWN)
    assert row().state == "done"


def test_only_one_process_sends(endpoint, shop):
    publish()
    with leases.hold("webhooks", sending.LEASE):
        assert sending.send_due() == 0
    assert sending.send_due() == 1


def test_a_killed_senders_lease_runs_out(endpoint, shop, frozen):
    publish()
    Lease.objects.create(name="webhooks", holder="dead", until=clock.now() + sending.LEASE)
    assert sending.send_due() == 0
    frozen.shift(sending.LEASE)
    assert sending.send_due() == 1


def test_an_endpoint_whose_secret_is_broken_stops_no_other(endpoint, shop):
    add("b")
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(secrets_sealed="v1|gone|AAAA")
    publish()
    assert sending.send_due() == 1
    assert "轮换密钥" in state(endpoint).disabled_reason


def test_an_error_of_ours_is_a_failed_attempt(endpoint, monkeypatch):
    def crash(*args, **options):
        raise RuntimeError("x")

    monkeypatch.setattr(posting, "post", crash)
    publish()
    sending.send_due()
    assert (row().state, row().last_error) == ("waiting", "发送出错：RuntimeError")


def test_what_was_published_calls_for_the_sender(endpoint, shop):
    publish()
    message = OutboxMessage.objects.get()
    assert message.topic == tasks.TOPIC
    outbox.deliver(message.pk)
    assert row().state == "done"


# --- afterwards -----------------------------------------------------------------------------------


def test_the_dead_are_replayed_from_the_beginning_under_their_id(endpoint, shop):
    publish(2)
    WebhookMessage.objects.update(state="dead", attempts=15)
    assert sending.replay(WebhookMessage.objects.filter(pk=row().pk), STAFF) == 1
    assert (row().state, row().attempts) == ("waiting", 0)
    assert sending.send_due() == 1
    assert AuditEntry.objects.get(action="webhook.replayed").details["count"] == 1


def test_nothing_is_replayed_that_is_done_or_whose_endpoint_is_off(endpoint, shop):
    publish(2)
    WebhookMessage.objects.filter(pk=row().pk).update(state="done")
    endpoints.switch_off(endpoint, "停用", alert=False)
    assert sending.replay(WebhookMessage.objects.all(), STAFF) == 0


def test_messages_are_kept_for_ninety_days(endpoint, frozen):
    publish()
    frozen.shift(sending.KEPT)
    assert sending.purge() == 0
    frozen.shift(1)
    assert sending.purge() == 1


# --- over the wire --------------------------------------------------------------------------------


@pytest.fixture
def wire(settings):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True


@pytest.mark.django_db(transaction=True)
def test_a_silent_endpoint_does_not_hold_up_another(wire, monkeypatch):
    monkeypatch.setattr(posting, "TIMEOUT_SECONDS", 1.5)
    monkeypatch.setattr(posting.post, "__kwdefaults__", {"timeout": 1.5})
    with receiving() as slow, receiving() as quick:
        slow.answers = ["silent"]
        endpoints.add(slow.url), endpoints.add(quick.url)
        publish(40)
        started = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(_send_and_close)
            while len(quick.got) < 40 and time.monotonic() - started < 10:
                time.sleep(0.01)
            seconds = time.monotonic() - started
            work.result()
        assert len(quick.got) == 40
        assert seconds < 1.4
        assert slow.busiest <= sending.PER_ENDPOINT
        assert quick.busiest <= sending.PER_ENDPOINT


@pytest.mark.django_db(transaction=True)
def test_the_next_sender_begins_while_the_last_answers_are_to_come(wire, monkeypatch):
    with receiving() as slow, receiving() as quick:
        slow.answers = ["silent", 200]
        endpoints.add(slow.url)
        publish()
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(_send_and_close)
            time.sleep(1.2)  # its time is over, the answer is not here
            endpoints.add(quick.url)
            publish(start=1)
            assert sending.send_due(0.2) >= 1
            assert len(quick.got) == 1
            slow.released.set()
            work.result()
        assert len(slow.got) == 2


@pytest.mark.django_db
def test_what_came_in_as_a_sender_ended_calls_for_the_next(shop, monkeypatch):
    add("a")
    publish()
    OutboxMessage.objects.all().delete()
    assert sending.send_due(-1.0) == 0
    assert OutboxMessage.objects.get().topic == "notifications.send_webhooks"


def _send_and_close() -> None:
    try:
        sending.send_due(1.0)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_several_senders_at_once_send_each_message_once(wire):
    with receiving() as server:
        endpoints.add(server.url)
        publish(60)
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(_send_and_close) for _ in range(4)]:
                done.result()
        sending.send_due()
        assert sorted(server.ids()) == sorted(set(server.ids()))
        assert len(server.got) == 60
        assert states() == {"done"}
