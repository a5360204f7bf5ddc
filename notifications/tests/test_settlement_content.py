"""What carriers, goods and numbers are called when WeChat is told."""

import pytest

from logistics.models import Carrier
from logistics.tests.factories import make_carrier
from notifications.models import WechatCompany
from notifications.settlement import companies, content
from notifications.tests.settling import Shop
from notifications.tests.wechat_sim import sim

assert sim
pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(sim, frozen) -> Shop:
    return Shop(sim, frozen)


def test_companies_are_downloaded_and_mapped_by_name_and_by_code(shop):
    make_carrier("YTO", name="圆通速递")
    make_carrier("JD", name="京东快递")
    make_carrier("DBL", name="德邦物流")
    assert companies.download() == WechatCompany.objects.count()
    mapped = dict(WechatCompany.objects.exclude(carrier_code="").values_list("delivery_id", "carrier_code"))
    assert mapped == {"SF": "SF", "YTO": "YTO", "JDL": "JD", "DBL": "DBL"}
    assert companies.code_of(Carrier.objects.get(code="JD")) == "JDL"


def test_a_code_that_is_not_on_wechats_list_is_not_used(shop):
    jd = make_carrier("JD", name="京东快递", wechat_code="JD")
    assert companies.code_of(jd) == "JD"
    companies.download()
    assert companies.code_of(jd) == "JDL"


def test_what_staff_mapped_survives_the_next_download(shop):
    companies.download()
    WechatCompany.objects.filter(delivery_id="UC").update(carrier_code="HGLL")
    companies.download()
    assert WechatCompany.objects.get(delivery_id="UC").carrier_code == "HGLL"


def test_a_description_is_cut_between_goods():
    goods = {f"潮汕手打牛肉丸{n}号 500g": n for n in range(1, 20)}
    text = content.describe(goods)
    assert len(text) <= 120
    assert text.startswith("潮汕手打牛肉丸1号 500g*1；")
    assert text.endswith("等19种")
    assert content.describe({"鱼" * 200: 3}) == "鱼" * 117 + "…*3"


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13812341234", "138****1234"),
        ("13812341234-5678", "138****1234"),
        ("021-12345678", "021-****5678"),
        ("+85291234567", "+852-****4567"),
    ],
)
def test_of_a_number_the_last_four_digits_stay(phone, masked):
    assert content.mask_contact(phone) == masked
