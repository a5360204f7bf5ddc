"""The settings of an outside service: off without its keys, never half on, never pointing at this machine."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info


def check(name: str, keys: Sequence[str], *, without: str, example: str) -> list[CheckMessage]:
    """Return what is wrong with the settings `NAME_…`: its keys and its `NAME_BASE_URL`.

    `without`: what the program can't do while the service is off. `example`: an address that is right.
    """
    given = [bool(getattr(settings, key)) for key in keys]
    if not any(given):
        return [Info(without, id=f"{name.lower()}.I001")]
    errors: list[CheckMessage] = []
    if not all(given):
        both = "都填写，或都留空。"
        errors.append(Error(f"{'、'.join(keys)} 只填了一部分。", hint=both, id=f"{name.lower()}.E001"))
    if not settings.ALLOW_LOOPBACK_INTEGRATIONS and not is_outside(getattr(settings, f"{name}_BASE_URL")):
        sentence = f"{name}_BASE_URL 必须是 https，且不能是本机地址。"
        errors.append(Error(sentence, hint=f"例如 {example}", id=f"{name.lower()}.E002"))
    return errors


def is_outside(url: str) -> bool:
    """Return whether a URL is https and leaves this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        address = ipaddress.ip_address(host)
        here = address.is_loopback or address.is_unspecified
    except ValueError:
        here = host in ("", "localhost") or host.endswith(".localhost")
    return parts.scheme == "https" and not here
