"""System checks of the keys: nothing starts with a default, short or malformed one."""

from collections.abc import Callable, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from frozenshop.kernel.crypto import KeyMalformed, parse_keys

MIN_SECRET_LENGTH = 32
MIN_DISTINCT = 10
"""32 random bytes hold about 30 distinct values; a placeholder holds few."""
PLACEHOLDERS = ("changeme", "change-me", "change_me", "insecure", "placeholder", "your-", "example", "默认", "请修改")


@register(Tags.security)
def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    errors = (_error(number, *row) for number, row in enumerate(_KEY_SETTINGS, start=1))
    return [error for error in errors if error is not None]


def refuse_unusable_keys() -> None:
    """Stop a process that runs no system checks, such as a web server's. Raises ImproperlyConfigured."""
    if errors := check_keys(None):
        raise ImproperlyConfigured("\n".join(f"{error.msg}{error.hint}" for error in errors))


def _error(number: int, name: str, fault: Callable[[str], str], shape: str) -> Error | None:
    found = fault(getattr(settings, name, ""))
    if not found:
        return None
    hint = f"用 `python -m frozenshop.bootstrap {name}` 生成新值，例如 {name}={shape}"
    return Error(f"设置 {name} 不可用：{found}。", hint=hint, id=f"frozenshop.E{number:03}")


def _keys_fault(text: str) -> str:
    try:
        keys = parse_keys(text)
    except KeyMalformed as error:
        return str(error)
    weak = [key_id for key_id, key in keys.items() if len(set(key)) < MIN_DISTINCT]
    return f"密钥 {weak[0]} 不是随机值" if weak else ""


def _secret_fault(text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH:
        return f"只有 {len(text)} 个字符，至少需要 {MIN_SECRET_LENGTH} 个"
    if len(set(text)) < MIN_DISTINCT or any(word in text.lower() for word in PLACEHOLDERS):
        return "是示例或默认值，不是随机值"
    return ""


_KEY_SETTINGS: list[tuple[str, Callable[[str], str], str]] = [
    ("SECRET_KEY", _secret_fault, "<64 个随机字符>"),
    ("FIELD_ENCRYPTION_KEYS", _keys_fault, "k2:<32 字节的 base64>,k1:<旧密钥的 base64>"),
    ("BLIND_INDEX_KEYS", _keys_fault, "k2:<32 字节的 base64>,k1:<旧密钥的 base64>"),
    ("AUDIT_KEY", _secret_fault, "<64 个随机字符>"),
]
