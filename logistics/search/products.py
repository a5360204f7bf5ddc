"""Products by a word: their table is small, and is the only one that is looked through for a part of a name."""

from django.db.models import Case, Q, Value, When
from django.db.models.functions import StrIndex

from orders.models import Product

MOST = 3
"""So many products one text may mean; each is looked up by itself."""


def named_products(text: str, most: int = MOST) -> dict[str, str]:
    """Return names by SKU of the products that a text names: by their code, or by a part of their name."""
    if not 2 <= len(text) <= 120:
        return {}
    meant = Q(sku=text)
    if " " not in text:
        meant |= Q(at__gt=0)
    named = Product.objects.alias(at=StrIndex("name", Value(text)), other=Case(When(sku=text, then=0), default=1))
    found = dict(named.filter(meant).order_by("other", "sku").values_list("sku", "name")[:most])
    return {text: found[text]} if text in found else found
