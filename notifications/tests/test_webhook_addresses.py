import socket
import time

import pytest

from frozenshop.kernel.errors import Invalid
from notifications.webhooks import addresses

PUBLIC = ("8.8.8.8", "114.114.114.114", "2400:3200::1", "2606:4700:4700::1111")
INSIDE = (
    *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "0.0.0.0", "0.1.2.3"),
    *("169.254.169.254", "169.254.0.23", "100.64.0.1", "100.100.100.200", "192.0.0.8", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2002:7f00:1::", "2001:0:7f00:1::"),
    *("2001:db8::1", "3fff::1", "100::1", "5f00::1"),
)


@pytest.fixture(autouse=True)
def _production(settings):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = False


def resolving(monkeypatch, *answers: list[str]) -> list[str]:
    """Let each look-up of a name give the next list of addresses; returns what was asked."""
    asked, rest = [], list(answers)

    def getaddrinfo(host, port, **options):
        asked.append(host)
        found = rest.pop(0) if len(rest) > 1 else rest[0]
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in ip], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


class Socket:
    """A socket that connects to nothing and tells where to."""

    reached: list[str] = []
    refuses: set[str] = set()

    def __init__(self, *how: object) -> None:
        self.patience: list[float] = []

    def settimeout(self, seconds: float) -> None:
        assert seconds <= 15

    def connect(self, address: tuple[str, int]) -> None:
        Socket.reached.append(address[0])
        if address[0] in Socket.refuses:
            raise ConnectionRefusedError

    def close(self) -> None:
        pass


@pytest.fixture
def sockets(monkeypatch):
    Socket.reached, Socket.refuses = [], set()
    monkeypatch.setattr(addresses.socket, "socket", Socket)
    return Socket


def connect(host="shop.example.com"):
    return addresses.connect(host, 443, time.monotonic() + 15)


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_public_address_is_reached(ip):
    assert addresses.may_be_reached(ip)


@pytest.mark.parametrize("ip", INSIDE)
def test_an_address_of_our_own_network_or_of_nobody_is_not(ip):
    assert not addresses.may_be_reached(ip)


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1"])
def test_a_demo_may_reach_its_own_machine(settings, ip):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    assert addresses.may_be_reached(ip)


@pytest.mark.parametrize("ip", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::", "ff02::1"])
def test_not_even_a_demo_reaches_these(settings, ip):
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    assert not addresses.may_be_reached(ip)


def test_one_inner_address_among_public_ones_is_enough_to_refuse(monkeypatch, sockets):
    resolving(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(addresses.Refused):
        connect()
    assert sockets.reached == []


def test_a_name_that_changes_its_mind_reaches_what_was_checked(monkeypatch, sockets):
    asked = resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    connect()
    assert (asked, sockets.reached) == (["shop.example.com"], ["8.8.8.8"])


def test_the_next_address_is_tried_where_one_refuses(monkeypatch, sockets):
    resolving(monkeypatch, ["8.8.8.8", "8.8.4.4"])
    sockets.refuses = {"8.8.8.8"}
    connect()
    assert sockets.reached == ["8.8.8.8", "8.8.4.4"]


def test_what_is_late_already_is_not_tried(monkeypatch, sockets):
    resolving(monkeypatch, ["8.8.8.8"])
    with pytest.raises(TimeoutError):
        addresses.connect("shop.example.com", 443, time.monotonic() - 1)
    assert sockets.reached == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_this_machine_is_refused_however_it_is_written(host):
    with pytest.raises(OSError, match=r"内网|Name|service"):
        connect(host)


@pytest.mark.parametrize(
    "url",
    ["https://shop.example.com/hooks", "https://8.8.8.8:8443/x?y=1", "https://xn--fsqu00a.xn--0zwm56d/"],
)
def test_a_good_url_is_taken(url):
    addresses.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "shop.example.com", "http://shop.example.com/", "ftp://shop.example.com/", "https:///x", "https://[::1/"),
        *("https://user:pass@shop.example.com/", "https://shop.example.com/#x", "https://shop.example.com:99999/"),
        *("https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://localhost/", "https://a.localhost/"),
        *("https://printer.local/", "https://shop.example.com/ x", "https://商城.example.com/", "https://x/\r\nA: b"),
        "https://shop.example.com/" + "x" * 300,
    ],
)
def test_a_bad_url_is_refused_with_a_sentence(url):
    with pytest.raises(Invalid) as error:
        addresses.check_url(url)
    assert error.value.fields["url"]
