"""The way from a list to its export."""

from typing import Any

from django import template
from django.urls import reverse

from frozenshop.backoffice.exporting.kinds import KINDS
from frozenshop.kernel.changelist import PLACES

register = template.Library()


@register.simple_tag(takes_context=True)
def export_url(context: dict[str, Any], changelist: Any) -> str:
    """Return the address of a list's export form; empty where there is none, or not for this person."""
    for name, kind in KINDS.items():
        if kind.model is changelist.model and context["request"].user.has_perms(kind.rights):
            query = context["request"].GET.copy()
            for place in PLACES:
                query.pop(place, None)
            page = reverse("admin:backoffice_batch_export", args=[name.removeprefix("export_")])
            return f"{page}?{query.urlencode()}"
    return ""
