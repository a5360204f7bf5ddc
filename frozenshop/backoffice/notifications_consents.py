"""How many subscribe messages buyers still allow, and what made it so."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from frozenshop.backoffice.notifications_rows import person_url
from frozenshop.backoffice.wording import short_clock
from frozenshop.kernel.changelist import ReadOnlyAdmin
from notifications.models import Consent, ConsentEntry, MessageTemplate
from notifications.trials import mask_openid
from orders.models import Customer

TEMPLATES_SHOWN, ENTRIES_SHOWN = 50, 50
CAUSES = {
    "grant": "小程序里允许",
    "popup": "微信通知：允许",
    "grant+popup": "允许（小程序和微信都说了）",
    "grant_again": "同一次允许，不重复计",
    "popup_again": "同一次允许，不重复计",
    "sent": "发出一条",
    "43101": "微信说没有授权，清零",
    "ban": "微信后台封禁，清零",
    "switched_off": "在微信里关闭，清零",
    "reject": "拒绝",
    "filter": "同名模板被微信过滤",
}


class ConsentAdmin(ReadOnlyAdmin[Consent]):
    """The ledger of consents. No search: an openid doesn't belong into an address; look for the person instead."""

    list_display = ("buyer", "openid_masked", "template", "balance", "updated_at")
    list_display_links = ("template",)
    fields = ("buyer", "openid_masked", "template", "balance", "updated_at", "entry_rows")
    readonly_fields = ("buyer", "openid_masked", "template", "entry_rows")

    def prepare_rows(self, rows: list[Consent]) -> list[Consent]:
        titles = _titles(row.template_id for row in rows)
        buyers = dict(Customer.objects.filter(openid__in={row.openid for row in rows}).values_list("openid", "pk"))
        for row in rows:
            row.title, row.buyer_id = titles.get(row.template_id, ""), buyers.get(row.openid)  # type: ignore[attr-defined]
        return rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Consent | None:
        found = super().get_object(request, object_id, from_field)
        return self.prepare_rows([found])[0] if found else None

    @admin.display(description="买家")
    def buyer(self, consent: Consent) -> str:
        number = consent.buyer_id  # type: ignore[attr-defined]
        return format_html('<a href="{}">买家 {}</a>', person_url(f"customer:{number}"), number) if number else "—"

    @admin.display(description="openid")
    def openid_masked(self, consent: Consent) -> str:
        return mask_openid(consent.openid)

    @admin.display(description="模板")
    def template(self, consent: Consent) -> str:
        return str(consent.title or consent.template_id)  # type: ignore[attr-defined]

    @admin.display(description=f"流水（最新 {ENTRIES_SHOWN} 条）")
    def entry_rows(self, consent: Consent) -> str:
        entries = consent.entries.order_by("-id")[:ENTRIES_SHOWN]
        rows = ((short_clock(one.recorded_at), f"{one.change:+d}", _cause(one.cause)) for one in entries)
        return format_html_join("", '<p>{} <span class="mono">{}</span> {}</p>', rows) or "—"


def consents_of(customer: Customer | None) -> list[dict[str, Any]]:
    """Return each consent with its title and newest entries."""
    if customer is None or not customer.openid:
        return []
    consents = list(Consent.objects.filter(openid=customer.openid).order_by("template_id")[:TEMPLATES_SHOWN])
    titles = _titles(consent.template_id for consent in consents)
    return [
        {
            "title": titles.get(consent.template_id) or consent.template_id,
            "balance": consent.balance,
            "pk": consent.pk,
            "entries": [(entry, _cause(entry.cause)) for entry in entries],
        }
        for consent, entries in zip(consents, _entries(consents), strict=True)
    ]


def _entries(consents: list[Consent]) -> list[list[ConsentEntry]]:
    by_consent: dict[int, list[ConsentEntry]] = {consent.pk: [] for consent in consents}
    newest = ConsentEntry.objects.filter(consent__in=consents).order_by("-id")[: 4 * ENTRIES_SHOWN]
    for entry in newest:
        by_consent[entry.consent_id].append(entry)
    return [by_consent[consent.pk][:ENTRIES_SHOWN] for consent in consents]


def _titles(template_ids: Iterable[str]) -> dict[str, str]:
    found = MessageTemplate.objects.filter(template_id__in=set(template_ids)).order_by("id")
    return {row.template_id: row.title for row in found}


def _cause(word: str) -> str:
    return CAUSES.get(word, word)
