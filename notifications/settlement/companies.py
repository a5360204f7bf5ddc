"""What WeChat calls our carriers: its list of express companies, downloaded, and which of ours each one is."""

import re

from django.db import transaction

from frozenshop.kernel import clock
from logistics.models import Carrier
from notifications.models import WechatCompany
from notifications.wechat import client

PATH = "/cgi-bin/express/delivery/open_msg/get_delivery_list"
SF = "SF"
_SF_CARRIERS = frozenset({SF, "SHUNFENGLENGYUN", "SHUNFENGKUAIYUN"})
_KIND = re.compile(r"(?:速递|快递|速运|快运|物流|包裹|集团|股份|有限公司)+$")


def code_of(carrier: Carrier) -> str:
    """Return what WeChat calls a carrier; empty where it isn't on its list.

    What staff or base data say (`wechat_code`) goes first, as long as WeChat's list has it.
    """
    if carrier.wechat_code and (
        WechatCompany.objects.filter(delivery_id=carrier.wechat_code).exists() or not WechatCompany.objects.exists()
    ):
        return carrier.wechat_code
    same = WechatCompany.objects.filter(carrier_code=carrier.code).order_by("delivery_id").first()
    return same.delivery_id if same else ""


def may_mean(code: str, carrier: Carrier) -> bool:
    """Say whether a code that WeChat was told may be this carrier's: not if it is another one's now."""
    if code == carrier.wechat_code:
        return True
    others = Carrier.objects.filter(wechat_code=code).exclude(pk=carrier.pk)
    companies = WechatCompany.objects.filter(delivery_id=code).exclude(carrier_code__in=("", carrier.code))
    return not (others.exists() or companies.exists())


def needs_contact(carrier: Carrier, code: str) -> bool:
    """Say whether WeChat can find a parcel only by the number of who sends or receives it: 顺丰 asks for it."""
    return code == SF or carrier.code in _SF_CARRIERS


def download() -> int:
    """Bring our copy of WeChat's list up to date; return how many companies it has. Raises WechatError, ServiceError.

    What has gone from the list goes here too. A company keeps the carrier that it is known to be.
    """
    listed = [one for one in client.authorised(PATH, {}).get("delivery_list") or () if isinstance(one, dict)]
    found = {str(one.get("delivery_id", ""))[:64]: str(one.get("delivery_name", ""))[:100] for one in listed}
    found.pop("", None)
    if not found:  # No list is no reason to forget the former one.
        return 0
    carriers = list(Carrier.objects.order_by("id"))
    known = dict(WechatCompany.objects.values_list("delivery_id", "carrier_code"))
    now = clock.now()
    rows = [
        WechatCompany(
            delivery_id=code, name=name, carrier_code=known.get(code) or _same(code, name, carriers), updated_at=now
        )
        for code, name in found.items()
    ]
    with transaction.atomic():
        WechatCompany.objects.exclude(delivery_id__in=found).delete()
        _upsert(rows)
    return len(rows)


def _upsert(rows: list[WechatCompany]) -> None:
    known = dict(WechatCompany.objects.values_list("delivery_id", "pk"))
    for row in rows:
        row.pk = known.get(row.delivery_id)
    WechatCompany.objects.bulk_update([row for row in rows if row.pk], ["name", "carrier_code", "updated_at"])
    WechatCompany.objects.bulk_create([row for row in rows if not row.pk])


def _same(delivery_id: str, name: str, carriers: list[Carrier]) -> str:
    """Return the carrier that has this name or alias, else this code and a name that begins alike; only if one does."""
    named = [carrier for carrier in carriers if name in (carrier.name, *carrier.aliases)]
    alike = [
        carrier
        for carrier in carriers
        if delivery_id in (carrier.code, carrier.kdniao_code) and _core(carrier.name)[:2] == _core(name)[:2]
    ]
    found = named or alike
    return found[0].code if len(found) == 1 else ""


def _core(name: str) -> str:
    return _KIND.sub("", name) or name
