"""Which product codes mean a cold chain."""

import pytest

from logistics.cold_products import cold_product

SF = ["201", "221", "222", "223", "224", "225", "229", "257", "273", "274", "275", "276", "287", "288"]
JD = ["LL-HD-M_freezing", "LL-SD-M_freezing", "ll-m-0015_freezing", "anything_deepCool"]


@pytest.mark.parametrize(("carrier", "product"), [("SF", p) for p in SF] + [("JD", p) for p in JD])
def test_the_known_products_are_cold(carrier, product):
    assert cold_product(carrier, product)


@pytest.mark.parametrize(
    ("carrier", "product"),
    [("SF", "1"), ("SF", ""), ("SFWL", "201"), ("JD", "201"), ("ZTO", "201"), ("JD", "ed-m-0001")],
)
def test_other_products_and_other_carriers_numbers_are_not(carrier, product):
    assert cold_product(carrier, product) == ""
