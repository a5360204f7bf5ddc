"""Take personal data and secrets out of texts that are kept or shown to operators: logs, errors, metrics."""

import re
from typing import Any

_PHONE = re.compile(r"(?<![0-9A-Za-z.])((?:\+?86[- ]?)?1[3-9]\d)\d{4}(\d{4})(?!\d)")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]+")
_SECRET = re.compile(
    r"(?i)\b((?:access_?token|app_?secret|secret|sign(?:ature)?|data_?sign|api_?key|password|js_code|token|template_?param)"
    r"[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
)
_SECRET_NAME = re.compile(r"(?i)authorization|cookie|password|secret|token|api_?key|signature|^phone$|^address$")
_CALLBACK = re.compile(r"/callbacks/([a-z0-9]+)/[^\s\"'?]+")
_DRIVER = re.compile(r"/d/[^\s\"'?/]{16,}")


def scrub(text: str) -> str:
    """Return the text with mobile numbers masked and tokens, secrets and callback paths removed."""
    text = _PHONE.sub(r"\1****\2", text)
    text = _BEARER.sub(r"\1****", text)
    text = _SECRET.sub(r"\1****", text)
    text = _DRIVER.sub("/d/…", text)
    return _CALLBACK.sub(r"/callbacks/\1/…", text)


def scrub_value(name: str, value: Any) -> Any:
    """Scrub one named value of a log line, containers included."""
    if _SECRET_NAME.search(name):
        return "****"
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: scrub_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_value("", item) for item in value]
    if isinstance(value, int | float | bool) or value is None:
        return value if not isinstance(value, int) or isinstance(value, bool) else _scrub_number(value)
    return scrub(str(value))


def _scrub_number(value: int) -> int | str:
    return scrub(str(value)) if 13_000_000_000 <= value <= 19_999_999_999 else value
