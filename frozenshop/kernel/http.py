"""The one way out: every call to an outside service, with limits, retries, a metric, and nothing secret in its logs."""

import random
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog

from frozenshop.kernel import metrics
from frozenshop.kernel.scrubbing import scrub

logger = structlog.get_logger(__name__)

CONNECT_SECONDS = 3.0
LARGEST_ANSWER = 8 * 1024 * 1024
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
TRANSIENT_STATUSES = frozenset({408, 425, 429})
FIRST_PAUSE_SECONDS = 0.2

_local = threading.local()


class ServiceError(Exception):
    """An outside service didn't give a usable answer. `transient`: asking later may help.

    `sent` false: nothing reached the service, so that nothing can have taken effect. `detail` and the text hold
    neither personal data nor secrets. `body`: what came with an HTTP error; it may hold anything.
    """

    sent = True

    def __init__(
        self, service: str, detail: str, *, transient: bool, status: int | None = None, body: bytes = b""
    ) -> None:
        self.service = service
        self.detail = scrub(detail)
        self.transient = transient
        self.status = status
        self.body = body
        super().__init__(f"{service}: {self.detail}")


class _Unsent(ServiceError):
    """Nothing reached the service, so that even an unrepeatable call may be repeated."""

    sent = False


def call(
    service: str,
    method: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    data: Any = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
    retries: int = 0,
) -> requests.Response:
    """Return the answer (any status below 300), read completely; raise `ServiceError` otherwise.

    `timeout` in seconds bounds each try; redirects are refused. A try is repeated when nothing was sent, or when
    its failure was transient and the method is idempotent.
    """
    send = partial(
        _try, service, method, url, timeout, params=params, data=data, json=json, headers=dict(headers or {})
    )
    for attempt in range(retries):
        try:
            return send()
        except ServiceError as error:
            if not (isinstance(error, _Unsent) or (error.transient and method.upper() in IDEMPOTENT)):
                raise
        time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
    return send()


def _try(service: str, method: str, url: str, timeout: float, **content: Any) -> requests.Response:
    try:
        with metrics.service_call(service) as made:
            try:
                return _send(service, method, url, timeout, **content)
            except ServiceError as error:
                made.outcome = str(error.status) if error.status else ("unreachable" if error.transient else "refused")
                raise
    finally:
        log = logger.debug if made.outcome == "ok" else logger.warning
        milliseconds = round(made.seconds * 1000)
        log("http.call", service=service, host=urlsplit(url).hostname, outcome=made.outcome, ms=milliseconds)


def _send(service: str, method: str, url: str, timeout: float, **content: Any) -> requests.Response:
    deadline = time.monotonic() + timeout
    limits = (min(CONNECT_SECONDS, timeout), timeout)
    try:
        with _session().request(method, url, timeout=limits, allow_redirects=False, stream=True, **content) as response:
            response._content = _read(service, response, deadline)
    except requests.ConnectTimeout as error:
        raise _Unsent(service, "连接超时", transient=True) from error
    except requests.Timeout as error:
        raise ServiceError(service, "没有按时回答", transient=True) from error
    except requests.exceptions.SSLError as error:
        raise ServiceError(service, "证书不可信", transient=False) from error
    except requests.ConnectionError as error:
        if _nothing_sent(error):
            raise _Unsent(service, "无法连接", transient=True) from error
        raise ServiceError(service, "连接中断", transient=True) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise ServiceError(service, "回答不完整", transient=True) from error
    except requests.RequestException as error:
        raise ServiceError(service, f"请求无法发出：{type(error).__name__}", transient=False) from error
    status = response.status_code
    if status >= 300:
        transient = status >= 500 or status in TRANSIENT_STATUSES
        raise ServiceError(service, f"HTTP {status}", transient=transient, status=status, body=response.content)
    return response


def _read(service: str, response: requests.Response, deadline: float) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(65536):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise ServiceError(service, "回答过大", transient=False)
        if time.monotonic() > deadline:
            raise ServiceError(service, "没有按时答完", transient=True)
    return bytes(content)


def _nothing_sent(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")


def _session() -> requests.Session:
    """One session per thread: connections are reused, and none is shared."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = requests.Session()
        session.headers["User-Agent"] = "frozenshop"
    return session
