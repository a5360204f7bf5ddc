import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prometheus_client import REGISTRY

from frozenshop.kernel import http
from frozenshop.kernel.http import ServiceError


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked += 1
        answers = server.answers
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == "cut":
            self.close_connection = True
            self.connection.close()
            return
        if status == "silent":
            server.released.wait(5)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        body = server.body
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(http, "FIRST_PAUSE_SECONDS", 0.001)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers, server.body = 0, [200], b'{"ok":true}'
    server.released = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/x"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()
    http._session().close()


def call(service, method="GET", **options):
    return http.call("test", method, service.url, **options)


def test_an_answer_is_read_whole(service):
    assert call(service).json() == {"ok": True}


@pytest.mark.parametrize(
    ("answer", "transient"), [(500, True), (503, True), (429, True), (404, False), (302, False), ("cut", True)]
)
def test_an_unusable_answer_says_whether_later_may_help(service, answer, transient):
    service.answers = [answer]
    with pytest.raises(ServiceError) as error:
        call(service)
    assert error.value.transient is transient
    assert service.asked == 1


def test_what_may_be_repeated_is_repeated(service):
    service.answers = [500, "cut", 200]
    assert call(service, retries=2).status_code == 200
    assert service.asked == 3


def test_retries_are_bounded(service):
    service.answers = [500]
    with pytest.raises(ServiceError):
        call(service, retries=2)
    assert service.asked == 3


@pytest.mark.parametrize(("method", "answer"), [("POST", 500), ("POST", "cut"), ("GET", 404)])
def test_what_may_have_taken_effect_or_cannot_help_is_not_repeated(service, method, answer):
    service.answers = [answer]
    with pytest.raises(ServiceError):
        call(service, method, retries=3)
    assert service.asked == 1


def test_what_never_arrived_may_be_repeated_whatever_it_is(monkeypatch):
    monkeypatch.setattr(http, "FIRST_PAUSE_SECONDS", 0.001)
    before = calls("unreachable")
    with pytest.raises(ServiceError) as error:
        http.call("test", "POST", "http://127.0.0.1:9/", retries=2)
    assert error.value.transient
    assert calls("unreachable") - before == 3


def test_a_silent_service_is_left_in_time(service):
    service.answers = ["silent"]
    with pytest.raises(ServiceError, match="没有按时"):
        call(service, timeout=0.1)


def test_a_huge_answer_is_refused(service, monkeypatch):
    monkeypatch.setattr(http, "LARGEST_ANSWER", 5)
    with pytest.raises(ServiceError) as error:
        call(service)
    assert not error.value.transient


def test_logs_and_errors_name_no_phone_and_no_secret(service, caplog):
    service.answers = [500]
    with pytest.raises(ServiceError) as error:
        call(service, params={"phone": "13812345678", "secret": "s3cr3t"})
    assert "13812345678" not in f"{caplog.text}{error.value}"
    assert "s3cr3t" not in f"{caplog.text}{error.value}"
    assert "127.0.0.1" in caplog.text


def test_each_try_is_counted_by_its_outcome(service):
    before = calls("500"), calls("ok")
    service.answers = [500, 200]
    call(service, retries=1)
    assert (calls("500"), calls("ok")) == (before[0] + 1, before[1] + 1)


def calls(outcome):
    name = "frozenshop_service_calls_total"
    return REGISTRY.get_sample_value(name, {"service": "test", "outcome": outcome}) or 0
