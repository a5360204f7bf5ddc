"""Secrets that stand in a callback's path: two live ones, at least 128 bits each, compared in constant time."""

import hmac
import re

from django.conf import settings
from django.core.checks import CheckMessage, Error

LIVE = 2
_HEX = re.compile(r"[0-9A-Fa-f]+")
_WORDS = re.compile(r"[A-Za-z0-9_-]+")


def listed(setting: str) -> list[str]:
    """Return the secrets of a setting that are strong enough to count, the newest first; no more than two."""
    return [secret for secret in _written(setting) if _strong(secret)][:LIVE]


def opens(given: str, setting: str) -> bool:
    """Return whether the last part of a callback's path is one of the live secrets. Looks at all of them."""
    told = given.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(told, secret.encode()) for secret in listed(setting)]
    return any(matches)


def check(setting: str, *, prefix: str) -> list[CheckMessage]:
    """Return what is wrong with a setting `NAME_CALLBACK_SECRETS`; nothing where it is empty."""
    hint = "每个用随机的 32 位十六进制或 22 个以上的字母数字，例如：openssl rand -hex 16；新的写在前，逗号分隔。"
    errors: list[CheckMessage] = []
    if not all(map(_strong, _written(setting))):
        errors.append(Error(f"{setting} 中有不足 128 位的密钥。", hint=hint, id=f"{prefix}.E003"))
    if len(_written(setting)) > LIVE:
        errors.append(Error(f"{setting} 最多填两个。", hint=hint, id=f"{prefix}.E004"))
    return errors


def _written(setting: str) -> list[str]:
    return [secret.strip() for secret in getattr(settings, setting).split(",") if secret.strip()]


def _strong(secret: str) -> bool:
    """A digit of hex holds 4 bits, another letter not quite 6; a secret of few different letters is none."""
    if not _WORDS.fullmatch(secret) or len(set(secret)) < 8:
        return False
    return len(secret) >= (32 if _HEX.fullmatch(secret) else 22)
