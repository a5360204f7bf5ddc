"""One attempt: a POST over a checked connection, bounded in all its time, and what the endpoint said in short.

Not through `kernel.http`, since the connection must go to the address that was checked. Redirects are not followed,
proxies of the environment are not used, and of the answer only a short head is read.
"""

import datetime as dt
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache

import structlog
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from frozenshop.kernel import clock, metrics
from frozenshop.kernel.scrubbing import scrub
from notifications.webhooks import addresses

logger = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 15.0
HEAD_BYTES = 400
SAID = 200
LONGEST_PAUSE = dt.timedelta(days=1)
"""The most that a Retry-After is obeyed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` None: no answer came. `said` is short and scrubbed; of an attempt that succeeded it is empty."""

    status: int | None
    said: str = ""
    retry_after: dt.timedelta | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _Connection(http.client.HTTPConnection):
    """A connection to a checked address; the certificate is checked against the name."""

    def __init__(self, url: str, deadline: float) -> None:
        self.parts, host, port = addresses.split(url)
        super().__init__(host, port)
        self.deadline, self.cut_off = deadline, False
        self.tls = self.parts.scheme == "https"
        self.default_port = 443 if self.tls else 80

    def connect(self) -> None:
        self.sock = addresses.connect(self.host, self.port, self.deadline)
        if self.tls:
            self.sock = _trusted().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End the attempt from another thread: a timeout of the socket bounds each read, and not their sum."""
        self.cut_off = True
        if self.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def post(url: str, headers: Mapping[str, str], body: bytes, *, timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Send once, and return what came of it; never raises. `timeout` in seconds bounds the whole attempt."""
    with metrics.service_call("webhook") as call:
        answer = _attempt(url, headers, body, time.monotonic() + timeout)
        call.outcome = "ok" if answer.taken else str(answer.status or "unreachable")
    metrics.observe_channel("webhook", "taken" if answer.taken else "refused")
    log = logger.debug if answer.taken else logger.warning
    milliseconds = round(call.seconds * 1000)
    log("http.call", service="webhook", message=headers.get("webhook-id"), outcome=call.outcome, ms=milliseconds)
    return answer


def _attempt(url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Answer:
    try:
        connection = _Connection(url, deadline)
    except (ValueError, http.client.InvalidURL):
        return Answer(None, "地址无法识别")
    timer = threading.Timer(max(deadline - time.monotonic(), 0), connection.cut)
    timer.daemon = True
    timer.start()
    try:
        return _exchange(connection, headers, body)
    except Exception as error:
        return Answer(None, "没有按时回答" if connection.cut_off else _reason(error))
    finally:
        timer.cancel()
        connection.close()


def _exchange(connection: _Connection, headers: Mapping[str, str], body: bytes) -> Answer:
    parts = connection.parts
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", target, body, {"User-Agent": "frozenshop", "Connection": "close", **headers})
    with connection.getresponse() as response:
        if 200 <= response.status < 300:
            return Answer(response.status)
        head = response.read(HEAD_BYTES)
        printable = (letter if letter.isprintable() else " " for letter in head.decode("utf-8", "replace"))
        text = " ".join("".join(printable).split())
        said = scrub(f"HTTP {response.status} {text}".strip())[:SAID]
        return Answer(response.status, said, _retry_after(response.headers.get("Retry-After", "")))


def _reason(error: Exception) -> str:
    if isinstance(error, addresses.Refused):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return "证书不可信"
    if isinstance(error, ssl.SSLError):
        return "无法建立 TLS 连接"
    if isinstance(error, TimeoutError):
        return "没有按时回答"
    if isinstance(error, socket.gaierror):
        return "找不到域名"
    return "无法连接" if isinstance(error, ConnectionRefusedError) else f"连接中断（{type(error).__name__}）"


def _retry_after(text: str) -> dt.timedelta | None:
    """Return how long is asked for, in seconds or as a date; None where it can't be read."""
    if text.strip().isdecimal():
        return dt.timedelta(seconds=min(int(text[:9]), int(LONGEST_PAUSE.total_seconds())))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    wait = until.replace(tzinfo=until.tzinfo or dt.UTC) - clock.now()
    return min(max(wait, dt.timedelta(0)), LONGEST_PAUSE)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
