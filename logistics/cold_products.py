"""Which products of a carrier are a cold chain. Tracking knows them by the carrier's ordinary code.

Source: product lists of services that print waybills, as of 2026-10; 京东's names are ours. Only 顺丰's push may say a
product (`expressTypeId`); the others are for who enters or imports orders.
"""

from collections.abc import Mapping

SF: Mapping[str, str] = {
    "201": "冷运标快",
    "221": "香港冷运到家",
    "222": "香港冷运到家",
    "223": "香港冷运到家",
    "224": "香港冷运到家",
    "225": "香港冷运到家",
    "229": "精温专递",
    "257": "医药温控配送",
    "273": "温控",
    "274": "温控",
    "275": "温控",
    "276": "温控",
    "287": "冷运大件标快",
    "288": "冷运大件到港",
}
JD: Mapping[str, str] = {
    "ll-hd-m_freezing": "京东冷链（冷冻）",
    "ll-sd-m_freezing": "京东冷链（冷冻）",
    "ll-m-0015_freezing": "京东冷链（冷冻）",
}
_JD_DEEP = "_deepcool"


_PRODUCTS = {"SF": SF, "SHUNFENGLENGYUN": SF, "JD": JD, "JDLL": JD, "JDKY": JD}


def cold_product(carrier_code: str, product_code: str) -> str:
    """Return the name of a cold-chain product of our carrier; empty for any other product, or one not known."""
    products, product = _PRODUCTS.get(carrier_code, {}), product_code.strip().casefold()
    if products is JD and product.endswith(_JD_DEEP):
        return "京东冷链（深冷）"
    return products.get(product, "")
