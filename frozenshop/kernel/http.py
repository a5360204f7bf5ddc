"""The one way out: every call to an outside service, with limits, retries, a metric, and nothing secret in its logs."""

import random
import threading
import time
from collections.abc import Mapping
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

    `detail` and the text hold neither personal data nor secrets.
    """

    def __init__(self, service: str, detail: str, *, transient: bool, status: int | None = None) -> None:
        self.service = service
        self.detail = scrub(detail)
        self.transient = transient
        self.status = status
        super().__init__(f"{service}: {self.detail}")


class _Unsent(ServiceError):
    """Nothing reached the service, so that even an unrepeatable call may be repeated."""


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

    `timeout` in seconds bounds each try as a whole; redirects are refused. A retry happens when the try was transient and
    either the method is idempotent or nothing was sent.
    """
    request = requests.Request(method, url, params=params, data=data, json=json, headers=dict(headers or {}))
    for attempt in range(retries + 1):
        try:
            return _try(service, request, timeout)
        except ServiceError as error:
            repeatable = isinstance(error, _Unsent) or (error.transient and method.upper() in IDEMPOTENT)
            if attempt == retries or not repeatable:
                raise
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("unreachable")


def _try(service: str, request: requests.Request, timeout: float) -> requests.Response:
    started = time.monotonic()
    outcome = "ok"
    try:
        return _send(service, request, timeout, started)
    except ServiceError as error:
        outcome = str(error.status) if error.status else ("unreachable" if error.transient else "refused")
        raise
    finally:
        seconds = time.monotonic() - started
        metrics.observe_call(service, outcome, seconds)
        where = urlsplit(request.url)
        level = logger.debug if outcome == "ok" else logger.warning
        level("http.call", service=service, host=where.hostname, outcome=outcome, ms=round(seconds * 1000))


def _send(service: str, request: requests.Request, timeout: float, started: float) -> requests.Response:
    session = _session()
    limits = (min(CONNECT_SECONDS, timeout), timeout)
    try:
        prepared = session.prepare_request(request)
        proxies = session.merge_environment_settings(prepared.url, {}, None, None, None)
        with session.send(prepared, timeout=limits, allow_redirects=False, **{**proxies, "stream": True}) as response:
            response._content = _read(service, response, started + timeout)
    except requests.ConnectTimeout as error:
        raise _Unsent(service, "连接超时", transient=True) from error
    except requests.ConnectionError as error:
        if _nothing_sent(error):
            raise _Unsent(service, "无法连接", transient=True) from error
        raise ServiceError(service, "连接中断", transient=True) from error
    except requests.Timeout as error:
        raise ServiceError(service, "没有按时回答", transient=True) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise ServiceError(service, "回答不完整", transient=True) from error
    except requests.RequestException as error:
        raise ServiceError(service, f"请求无法发出：{type(error).__name__}", transient=False) from error
    if response.status_code >= 300:
        transient = response.status_code >= 500 or response.status_code in TRANSIENT_STATUSES
        raise ServiceError(service, f"HTTP {response.status_code}", transient=transient, status=response.status_code)
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
