import json
import logging

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory

from frozenshop.kernel import request_id
from frozenshop.kernel.scrubbing import scrub, scrub_value


@pytest.fixture
def lines(capsys):
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_the_requests_id(lines):
    with request_id.carrying("abc"):
        structlog.get_logger("frozenshop.tests").info("order.taken", order_no="A1")
    (line,) = lines()
    assert (line["event"], line["order_no"], line["request_id"], line["level"]) == ("order.taken", "A1", "abc", "info")
    assert line["timestamp"].endswith("Z")


def test_lines_of_the_standard_library_are_the_same(lines):
    with request_id.carrying("abc"):
        logging.getLogger("frozenshop.tests").warning("电话 %s", "13812345678")
    (line,) = lines()
    assert (line["event"], line["request_id"]) == ("电话 138****5678", "abc")


def test_a_traceback_is_scrubbed(lines):
    try:
        raise ValueError("Bearer abcdef.123 和 13812345678")
    except ValueError:
        logging.getLogger("frozenshop.tests").exception("failed")
    text = json.dumps(lines(), ensure_ascii=False)
    assert "ValueError" in text
    assert "abcdef" not in text
    assert "13812345678" not in text


def test_a_refused_path_is_logged_as_its_routes_template(lines):
    request = RequestFactory().get("/callbacks/sf/s3cr3t-of-sf")
    logging.getLogger("frozenshop.tests").warning("%s: %s", "Not Found", request.path, extra={"request": request})
    (line,) = lines()
    assert line["event"] == "Not Found: /callbacks/sf/…"
    assert "s3cr3t" not in json.dumps(line)


def test_a_refused_path_in_chinese_is_not_logged_in_escapes(lines, client):
    client.get("/api/orders/张三丰")
    client.get("/nothing/张三丰")
    assert [line["event"] for line in lines()] == [
        "Unauthorized: /api/orders/<any:order_no>",
        "Not Found: /nothing/…",
    ]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("收件人 13812345678，", "收件人 138****5678，"),
        ("+8613812345678 或 86-13812345678", "+86138****5678 或 86-138****5678"),
        ("error code: 500", "error code: 500"),
        ("运单 SF1381234567890", "运单 SF1381234567890"),
        ("订单 2026112313812345678", "订单 2026112313812345678"),
        ("Authorization: Bearer a.b-c", "Authorization: Bearer ****"),
        ("/sns?appid=wx1&secret=abc&js_code=def", "/sns?appid=wx1&secret=****&js_code=****"),
        ('{"access_token": "abc", "n": 1}', '{"access_token": "****", "n": 1}'),
        ("POST /callbacks/kuaidi100/tok/en?x=1", "POST /callbacks/kuaidi100/…?x=1"),
    ],
)
def test_scrubbing_keeps_what_operators_need(text, clean):
    assert scrub(text) == clean


def test_values_are_scrubbed_by_their_name_and_in_depth():
    value = {"phone": "x", "n": [13812345678, 1, True, None], "deep": {"token": "x", "text": "13812345678"}}
    clean = {"phone": "****", "n": ["138****5678", 1, True, None], "deep": {"token": "****", "text": "138****5678"}}
    assert scrub_value("value", value) == clean


def answer(**headers):
    seen = []

    def view(request):
        seen.append(request_id.current())
        return HttpResponse()

    response = request_id.RequestIdMiddleware(view)(RequestFactory().get("/", **headers))
    return response["X-Request-Id"], seen[0]


def test_a_request_has_an_id_that_its_answer_tells():
    told, seen = answer()
    assert told == seen
    assert len(told) == 24
    assert request_id.current() == ""


def test_a_callers_id_is_kept_when_it_is_harmless():
    assert answer(HTTP_X_REQUEST_ID="from-proxy_1")[0] == "from-proxy_1"
    for bad in ("short", "a" * 65, "line\nbreak1234", "中文中文中文中文"):
        assert answer(HTTP_X_REQUEST_ID=bad)[0] != bad
