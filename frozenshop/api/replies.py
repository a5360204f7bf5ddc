"""What leaves the API: JSON, never stored by anybody on the way."""

import json
from typing import Any

from django.http import HttpResponse

JSON_TYPE = "application/json"
_HEADERS = {"Cache-Control": "no-store"}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(data: Any) -> bytes:
    """Return compact UTF-8. A lone surrogate, which UTF-8 can't hold, goes out as its escape."""
    try:
        return _encode(data).encode()
    except UnicodeEncodeError:
        return json.dumps(data, separators=(",", ":")).encode()


def reply(data: Any, status: int = 200) -> HttpResponse:
    return reply_bytes(to_json(data), status)


def reply_bytes(body: bytes, status: int = 200) -> HttpResponse:
    """Answer with JSON that is already made."""
    return HttpResponse(body, status=status, content_type=JSON_TYPE, headers=_HEADERS)


def no_content() -> HttpResponse:
    return HttpResponse(status=204, headers=_HEADERS)
