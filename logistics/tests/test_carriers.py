"""Which carrier is meant by a text, and the table that comes with the program."""

import pytest
from django.core.management import call_command

from frozenshop.kernel.errors import Invalid
from logistics.carriers import load_carriers, provider_code, resolve_carrier
from logistics.models import Carrier
from orders.models import ProductCategory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _carriers():
    load_carriers()


def refusal(text: str) -> str:
    with pytest.raises(Invalid) as refused:
        resolve_carrier(text)
    return refused.value.fields["carrier_code"]


def test_a_hundred_carriers_the_own_fleet_and_the_pick_up_are_loaded_once():
    assert load_carriers() == (0, 102)
    assert Carrier.objects.count() == 102


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *[("SF", "SF"), ("顺丰", "SF"), ("顺丰速运", "SF"), (" 中通 ", "ZTO"), ("圆通快递", "YTO"), ("韵达", "YD")],
        *[("京东", "JD"), ("京东物流", "JD"), ("极兔", "JTSD"), ("EMS", "EMS"), ("丹鸟", "DNWL")],
        *[("中通冷链", "ZTOCC"), ("京东冷链", "JDLL")],
    ],
)
def test_a_code_a_name_or_an_alias_names_a_carrier(text, code):
    assert resolve_carrier(text).code == code


@pytest.mark.parametrize("text", ["邮政", "中国邮政", "德邦", "安能", "百世"])
def test_a_name_that_fits_several_is_refused_with_the_candidates(text):
    assert refusal(text).count("（") >= 2


@pytest.mark.parametrize("text", ["shunfeng", "YUNDA", "zhongtong", "DBKD", "sf", "", "x" * 500, "没有这家"])
def test_another_systems_code_or_nonsense_is_refused(text):
    assert refusal(text)


def test_a_refusal_names_what_may_be_meant():
    assert "SF（顺丰速运）" in refusal("顺丰速")


def test_a_carrier_that_staff_switched_off_is_refused():
    Carrier.objects.filter(code="SF").update(enabled=False)
    assert "停用" in refusal("SF")


def test_what_staff_changed_survives_loading():
    Carrier.objects.filter(code="SF").update(enabled=False, phone="400", aliases=["小丰"])
    load_carriers()
    carrier = Carrier.objects.get(code="SF")
    assert (carrier.enabled, carrier.phone) == (False, "400")
    assert {"顺丰", "小丰"} <= set(carrier.aliases)


@pytest.mark.parametrize("code", ["SF", "ZTO", "KYSY"])
def test_who_wants_the_last_four_digits_is_known(code):
    assert "kdniao" in Carrier.objects.get(code=code).needs_phone_tail


def test_each_provider_has_its_own_code():
    carrier = Carrier.objects.get(code="YD")
    codes = [provider_code(carrier, provider) for provider in ("kdniao", "kuaidi100", "cainiao", "sf")]
    assert codes == ["YD", "yunda", "YUNDA", ""]


@pytest.mark.parametrize(
    ("code", "theirs"), [("SF", "SF"), ("SHUNFENGLENGYUN", "SF"), ("SHUNFENGKUAIYUN", ""), ("ZTO", "")]
)
def test_sf_answers_for_its_own_waybills_only(code, theirs):
    assert provider_code(Carrier.objects.get(code=code), "sf") == theirs


def test_loading_base_data_can_be_repeated(capsys):
    for _ in range(2):
        call_command("load_base_data")
    assert ProductCategory.objects.get(code="seafood").temperature_class == "frozen"
