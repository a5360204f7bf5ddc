"""The address for pushes about one parcel: nobody else can make it, and it is good for nothing else."""

import base64

import pytest

from logistics import callback_tokens
from logistics.tests.factories import make_shipment

K100 = "kuaidi100"


@pytest.mark.django_db
def test_the_address_ends_in_the_parcels_own_token(settings):
    settings.PUBLIC_URL = "https://shop.example/"
    shipment = make_shipment()
    address = callback_tokens.address(shipment, K100)
    assert address == "https://shop.example/callbacks/kuaidi100/" + callback_tokens.token(
        shipment.pk, shipment.waybill_no, K100
    )
    assert callback_tokens.address(shipment, "kdniao") == ""


def test_a_token_is_good_for_its_waybill_however_it_is_written():
    token = callback_tokens.token(7, "yt0000000000001", K100)
    assert callback_tokens.is_good(token, " YT0000000000001", K100)


@pytest.mark.parametrize(
    ("given", "waybill_no", "provider"),
    [
        ("8-{digest}", "YT1", K100),
        ("7-{digest}", "YT2", K100),
        ("7-{digest}", "YT1", "sf"),
        ("7-{digest}0", "YT1", K100),
        ("7", "YT1", K100),
        ("", "YT1", K100),
        ("7-\ud800", "\ud800", K100),
    ],
)
def test_a_token_is_good_for_nothing_else(given, waybill_no, provider):
    digest = callback_tokens.token(7, "YT1", K100).partition("-")[2]
    assert not callback_tokens.is_good(given.format(digest=digest), waybill_no, provider)


def test_a_token_outlives_the_change_of_keys_until_the_old_one_is_gone(settings):
    token = callback_tokens.token(7, "YT1", K100)
    fresh = "n1:" + base64.b64encode(bytes(32)).decode()
    settings.BLIND_INDEX_KEYS = f"{fresh},{settings.BLIND_INDEX_KEYS}"
    assert callback_tokens.is_good(token, "YT1", K100)
    settings.BLIND_INDEX_KEYS = fresh
    assert not callback_tokens.is_good(token, "YT1", K100)
