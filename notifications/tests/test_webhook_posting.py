import datetime as dt
import time

import pytest

from notifications.tests.receiver import receiving
from notifications.webhooks import posting
from notifications.webhooks.posting import post

HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}


@pytest.fixture
def receiver(settings):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    with receiving() as server:
        yield server


def test_the_body_arrives_byte_for_byte(receiver):
    answer = post(receiver.url, HEADERS, "带鱼".encode())
    ((headers, body),) = receiver.got
    assert (answer.taken, answer.said, body) == (True, "", "带鱼".encode())
    assert (headers["webhook-id"], headers["host"]) == ("msg_1", f"127.0.0.1:{receiver.server_port}")


@pytest.mark.parametrize("status", [300, 302, 400, 404, 410, 429, 500, 503])
def test_only_2xx_takes_a_message(receiver, status):
    receiver.answers = [status]
    answer = post(receiver.url, HEADERS, b"{}")
    assert (answer.taken, answer.status) == (False, status)


def test_a_redirect_is_not_followed(receiver):
    receiver.answers, receiver.headers = [302, 200], {"Location": receiver.url}
    assert post(receiver.url, HEADERS, b"{}").status == 302
    assert len(receiver.got) == 1


def test_of_a_refusal_a_short_scrubbed_head_is_kept(receiver):
    receiver.answers = [500]
    receiver.body = b"no user 13800138000 token=abcdef\n\n" + b"x" * 100_000
    said = post(receiver.url, HEADERS, b"{}").said
    assert said.startswith("HTTP 500 no user 138****8000 token=****")
    assert len(said) <= posting.SAID


def test_of_a_refusal_nothing_is_kept_that_no_page_can_show(receiver):
    receiver.answers, receiver.body = [500], b"a\0b\x1b[31m\r\n\xe2\x80\xaec\xff"
    assert post(receiver.url, HEADERS, b"{}").said == "HTTP 500 a b [31m c\ufffd"


def test_nothing_is_kept_of_an_answer_that_took_it(receiver):
    receiver.body = b"secret"
    assert post(receiver.url, HEADERS, b"{}") == posting.Answer(200)


@pytest.mark.parametrize("how", ["silent", "drip"])
def test_the_whole_attempt_is_bounded_in_time(receiver, how):
    receiver.answers = [how]
    started = time.monotonic()
    assert post(receiver.url, HEADERS, b"{}", timeout=0.3).said == "没有按时回答"
    assert time.monotonic() - started < 2


def test_a_cut_connection_is_no_answer(receiver):
    receiver.answers = ["cut"]
    answer = post(receiver.url, HEADERS, b"{}")
    assert answer.status is None
    assert answer.said.startswith("连接中断")


@pytest.mark.parametrize(
    ("url", "said"),
    [("https://127.0.0.1:1/", "无法连接"), ("nonsense", "地址无法识别"), ("https://x:0x/", "地址无法识别")],
)
def test_what_can_not_be_reached_is_said(settings, url, said):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    assert post(url, HEADERS, b"{}").said == said


def test_an_inner_address_is_not_even_tried(receiver, settings):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = False
    assert "内网" in post(receiver.url, HEADERS, b"{}").said
    assert receiver.got == []


def test_a_certificate_must_be_good(receiver):
    said = post(receiver.url.replace("http:", "https:"), HEADERS, b"{}").said
    assert said == "无法建立 TLS 连接"
    assert receiver.got == []


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert post(receiver.url, HEADERS, b"{}").taken


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", dt.timedelta(minutes=2)),
        ("999999999999", posting.LONGEST_PAUSE),
        ("Sun, 22 Nov 2026 04:10:00 GMT", dt.timedelta(minutes=10)),
        ("Sun, 22 Nov 2020 04:10:00 GMT", dt.timedelta(0)),
        *((nonsense, None) for nonsense in ("", "soon", "-5", "1.5", "Sun, 99 Nov")),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(receiver, frozen, text, wait):
    receiver.answers, receiver.headers = [503], {"Retry-After": text}
    assert post(receiver.url, HEADERS, b"{}").retry_after == wait


@pytest.mark.parametrize(
    "said",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2027 00:00:00 +9999999999999",
        "-1",
        "1e9",
        "²",
        "٣",
        "",
    ],
)
def test_a_strange_retry_after_hides_no_410(receiver, said):
    receiver.answers, receiver.headers = [410], {"Retry-After": said.encode().decode("latin-1")}
    assert post(receiver.url, HEADERS, b"{}").status == 410
