"""Where a webhook may go: staff enter the address, so it must not lead into our own network.

The name is resolved once, every address that it has is checked, and the connection goes to a checked address: a name
that answers differently a moment later (DNS rebinding) changes nothing.
"""

import ipaddress
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from frozenshop.kernel.errors import Invalid

CONNECT_SECONDS = 3.0
LONGEST_URL = 300
# Python's releases differ in these two.
_NOT_PUBLIC_V4 = [ipaddress.IPv4Network(net) for net in ("192.0.0.0/24", "192.88.99.0/24")]
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
# Within 2000::/3, and yet no place of its own: 6to4 and Teredo carry an IPv4 address, the others are not routed.
_NOT_PUBLIC_V6 = [ipaddress.IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_Found = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]


class Refused(OSError):
    """An address that webhooks may not reach."""


def check_url(url: str) -> None:
    """Refuse an address that can't be right, before anything is sent. Raises Invalid with the field `url`."""
    if problem := _problem(url):
        raise Invalid(problem, fields={"url": problem})


def split(url: str) -> tuple[SplitResult, str, int]:
    """Return the parts of a URL, its host and its port. Raises ValueError where it is none."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise ValueError("no host")
    return parts, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def connect(host: str, port: int, deadline: float) -> socket.socket:
    """Return a connection to one of the host's addresses; `deadline` by `time.monotonic()`.

    Raises OSError; Refused if any of its addresses is not public.
    """
    found = resolve(host, port)
    failure: OSError = TimeoutError("没有时间连接")
    for family, kind, protocol, _, address in found:
        patience = min(CONNECT_SECONDS, deadline - time.monotonic())
        if patience <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(patience)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        sock.settimeout(max(deadline - time.monotonic(), 0.1))
        return sock
    raise failure


def resolve(host: str, port: int) -> _Found:
    """Return the host's addresses, all of them checked. Raises OSError."""
    try:
        found: _Found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("域名无法识别") from error
    for *_, address in found:
        if not may_be_reached(str(address[0])):
            raise Refused(f"{host} 指向内网或保留地址")
    return found


def may_be_reached(address: str) -> bool:
    """Return whether an IP address is public; this machine and its network only where integrations may be there."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        public = ip in _UNICAST_V6 and not any(ip in net for net in _NOT_PUBLIC_V6)
    else:
        public = ip.is_global and not ip.is_multicast and not any(ip in net for net in _NOT_PUBLIC_V4)
    here = ip.is_private and not (ip.is_link_local or ip.is_unspecified or ip.is_multicast)
    return public or (here and bool(settings.ALLOW_LOOPBACK_INTEGRATIONS))


def _problem(url: str) -> str:
    try:
        parts, host, _ = split(url)
    except ValueError:
        return "地址无法识别，例如 https://shop.example.com/webhooks"
    if parts.scheme != "https" and not settings.ALLOW_LOOPBACK_INTEGRATIONS:
        return "地址必须是 https"
    if len(url) > LONGEST_URL or not (url.isascii() and url.isprintable() and " " not in url):
        return f"地址要写成 ASCII（中文要编码），最多 {LONGEST_URL} 个字符"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "地址里不能有用户名、密码或 #"
    try:
        reachable = may_be_reached(host)
    except ValueError:  # a name, which is looked up when something is sent
        reachable = settings.ALLOW_LOOPBACK_INTEGRATIONS or not (f".{host}").endswith((".localhost", ".local", "."))
    return "" if reachable else "地址不能指向本机、内网或保留的地址"
