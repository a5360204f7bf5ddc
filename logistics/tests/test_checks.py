"""The settings of the tracking providers are whole, or the program says what is missing."""

import pytest

from frozenshop.kernel.integrations import is_outside
from logistics.checks import check_kdniao, check_kuaidi100


def found(settings, **changes) -> list[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    return [message.id for message in check_kdniao(None)]


def test_whole_settings_are_in_order(settings):
    assert found(settings) == []


def test_a_provider_without_keys_is_off_and_says_so(settings):
    assert found(settings, KDNIAO_BUSINESS_ID="", KDNIAO_API_KEY="") == ["kdniao.I001"]


@pytest.mark.parametrize("name", ["KDNIAO_BUSINESS_ID", "KDNIAO_API_KEY"])
def test_half_a_pair_of_keys_is_an_error(settings, name):
    assert found(settings, **{name: ""}) == ["kdniao.E001"]


def test_a_query_type_that_does_not_exist_is_an_error(settings):
    assert found(settings, KDNIAO_QUERY_TYPE="1008") == ["kdniao.E003"]


def test_in_production_the_address_is_outside_and_encrypted(settings):
    assert found(settings, KDNIAO_BASE_URL="http://api.kdniao.com") == ["kdniao.E002"]
    assert found(settings, ALLOW_LOOPBACK_INTEGRATIONS=True) == []


@pytest.mark.parametrize("url", ["https://127.0.0.1", "https://[::1]:8001", "https://localhost", "ftp://x.cn", ""])
def test_this_machine_is_not_outside(url):
    assert not is_outside(url)


def test_kuaidi100_is_whole_or_off(settings):
    settings.KUAIDI100_CUSTOMER = settings.KUAIDI100_KEY = ""
    assert [message.id for message in check_kuaidi100(None)] == ["kuaidi100.I001"]
    settings.KUAIDI100_KEY = "key"
    assert [message.id for message in check_kuaidi100(None)] == ["kuaidi100.E001"]
    settings.KUAIDI100_CUSTOMER = "customer"
    assert [message.id for message in check_kuaidi100(None)] == ["kuaidi100.I002"]
    settings.KUAIDI100_CALLBACK_SALT = "0123456789abcdef"
    assert check_kuaidi100(None) == []
