"""A forwarded address counts only as far as our own proxies wrote it."""

import pytest
from django.test import RequestFactory

from frozenshop.kernel.client_address import client_address

SOCKET = "10.0.0.9"


def address(forwarded=None):
    extra = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(RequestFactory().get("/", REMOTE_ADDR=SOCKET, **extra))


@pytest.mark.parametrize("forwarded", [None, "203.0.113.7", "203.0.113.7, 198.51.100.1"])
def test_without_a_proxy_of_ours_nothing_forwarded_counts(forwarded, settings):
    settings.TRUSTED_PROXIES = 0
    assert address(forwarded) == SOCKET


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (2, "203.0.113.7", SOCKET),
        (1, "nonsense", SOCKET),
        (1, "", SOCKET),
        (1, None, SOCKET),
    ],
)
def test_each_proxy_of_ours_is_believed_for_one_address(proxies, forwarded, expected, settings):
    settings.TRUSTED_PROXIES = proxies
    assert address(forwarded) == expected
