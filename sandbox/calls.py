"""The last calls that the sandbox took and made, without the credentials in them."""

import dataclasses
import itertools
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from sandbox.instants import Clock, isoformat

KEPT = 2000
SECRETS = frozenset(
    {
        "access_token",
        "data_digest",
        "datasign",
        "key",
        "msgdigest",
        "salt",
        "secret",
        "session_key",
        "sign",
        "signature",
        "x-signature",
    }
)
SECRETS_IN_TEXT = re.compile(r'("(?:key|salt)": ?)"[^"]*"')
_PATH_SECRET = re.compile(r"(/callbacks/(?:sms/)?[a-z0-9]+/)[^?]+")


@dataclasses.dataclass(frozen=True)
class Call:
    """`direction` is "in" (we were asked) or "out" (we pushed). `status` 0: no answer came or was given."""

    id: int
    at: float
    service: str
    direction: str
    method: str
    path: str
    request: Any
    status: int
    response: Any
    fault: str

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "at": isoformat(self.at)}


def without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: "***" if str(k).lower() in SECRETS else without_secrets(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return SECRETS_IN_TEXT.sub(r'\1"***"', value) if isinstance(value, str) else value


class CallLog:
    def __init__(self, clock: Clock) -> None:
        self._clock, self._calls, self._ids = clock, deque[Call](maxlen=KEPT), itertools.count(1)

    def pushed(self, service: str, path: str, request: Any, answer: tuple[int, str], *, fault: str = "") -> None:
        """Keep a call that we made: `answer` is its status and text, of which the beginning is kept."""
        status, text = answer
        self.add(service, "out", "POST", path, request=request, status=status, response=text[:500], fault=fault)

    def add(
        self,
        service: str,
        direction: str,
        method: str,
        path: str,
        *,
        request: Any,
        status: int,
        response: Any,
        fault: str = "",
    ) -> None:
        self._calls.append(
            Call(
                next(self._ids),
                self._clock(),
                service,
                direction,
                method,
                _PATH_SECRET.sub(r"\1***", path),
                without_secrets(request),
                status,
                without_secrets(response),
                fault,
            )
        )

    def find(self, service: str = "", since: float = 0.0) -> list[Call]:
        """Return calls from that instant on, oldest first."""
        return [c for c in list(self._calls) if (not service or c.service == service) and c.at >= since]
