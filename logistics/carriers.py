"""Which carrier is meant, and the table of carriers that the program brings along."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from django.db import transaction

from frozenshop.kernel.errors import Invalid
from logistics.models import Carrier, Provider

BASE_DATA = Path(__file__).parent / "data" / "carriers.csv"
CODE_FIELDS = tuple(f"{name}_code" for name in Provider.values if hasattr(Carrier, f"{name}_code"))
_MAX_CANDIDATES = 8

OWN_WAYBILLS: Mapping[str, Mapping[str, str]] = {
    Provider.SF: {"SF": "SF", "SHUNFENGLENGYUN": "SF"},  # 顺丰快运 has an interface of its own
}
"""What carriers that speak of nobody else's waybills call our carriers; other providers' codes stand in columns."""


def resolve_carrier(text: str) -> Carrier:
    """Return the carrier that our code, its exact name or one of its aliases names.

    Another system's code is not understood here. Raises Invalid (field `carrier_code`) with the candidates where
    nothing or more than one fits.
    """
    wanted = text.strip()
    exact = Carrier.objects.filter(code=wanted).first() or Carrier.objects.filter(name=wanted).first()
    found = [exact] if exact else _by_alias(wanted)
    if len(found) > 1:
        raise _refusal(f"“{wanted}”可能是多家承运商，请填写其中一个编码", found)
    if not found:
        raise _refusal(f"没有找到承运商“{wanted[:40]}”", _similar(wanted))
    if not found[0].enabled:
        raise _refusal(f"承运商“{found[0].name}”已停用", [])
    return found[0]


def provider_code(carrier: Carrier, provider: str) -> str:
    """Return what a provider calls a carrier; empty where it doesn't know it."""
    if provider in OWN_WAYBILLS:
        return OWN_WAYBILLS[provider].get(carrier.code, "")
    code = getattr(carrier, f"{provider}_code", "")
    return str(code) if code else ""


def is_manual(carrier: Carrier) -> bool:
    """Say whether no provider can ever be asked about a carrier: people tell what its parcels do."""
    return not any(provider_code(carrier, name) for name in carrier.providers or Provider.values)


def load_carriers() -> tuple[int, int]:
    """Write the carrier table that comes with the program; return how many rows were created and updated.

    Repeatable. What staff changed survives: the switch `enabled`, a phone number, aliases that were added, the
    code that WeChat's list has.
    """
    created = updated = 0
    with BASE_DATA.open(encoding="utf-8", newline="") as file, transaction.atomic():
        known = {carrier.code: carrier for carrier in Carrier.objects.select_for_update()}
        for row in csv.DictReader(file):
            carrier = known.get(row["code"])
            if carrier is None:
                _fill(Carrier(code=row["code"], phone=row["phone"]), row).save()
                created += 1
            else:
                carrier.phone = carrier.phone or row["phone"]
                _fill(carrier, row).save()
                updated += 1
    return created, updated


def _fill(carrier: Carrier, row: dict[str, str]) -> Carrier:
    ours = _split(row["aliases"])
    carrier.aliases = [*ours, *(alias for alias in carrier.aliases if alias not in ours)]
    carrier.name, carrier.category, carrier.cold_chain = row["name"], row["category"], row["cold_chain"]
    carrier.needs_phone_tail = _split(row["needs_phone_tail"])
    for field in CODE_FIELDS:
        setattr(carrier, field, row[field])
    carrier.wechat_code = carrier.wechat_code or row["wechat_code"]
    return carrier


def _split(text: str) -> list[str]:
    return [part for part in text.split("|") if part]


def _by_alias(wanted: str) -> list[Carrier]:
    return [carrier for carrier in Carrier.objects.order_by("id") if wanted in carrier.aliases]


def _similar(wanted: str) -> list[Carrier]:
    """Names that share the wanted text or its first two characters: a hundred rows, read only for a refusal."""
    if not wanted:
        return []
    head = wanted[:2]
    carriers = Carrier.objects.filter(enabled=True).order_by("id")
    return [
        carrier
        for carrier in carriers
        if any(wanted in name or name in wanted or name.startswith(head) for name in (carrier.name, *carrier.aliases))
        or carrier.code.upper() == wanted.upper()
    ]


def _refusal(sentence: str, candidates: Iterable[Carrier]) -> Invalid:
    named = "、".join(f"{carrier.code}（{carrier.name}）" for carrier in list(candidates)[:_MAX_CANDIDATES])
    message = f"{sentence}：{named}" if named else sentence
    return Invalid(message, fields={"carrier_code": message})
