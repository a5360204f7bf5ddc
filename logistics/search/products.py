"""Products by a word: their table is small, and is the only one that is looked through for a part of a name."""

from django.db.models import Q, Value
from django.db.models.functions import StrIndex

from orders.models import Product

MOST = 3
"""So many products one text may mean; each is looked up by itself."""


def named_products(text: str, most: int = MOST) -> dict[str, str]:
    """Return names by SKU of the products that a text names: by their code, or by a part of their name."""
    if not 2 <= len(text) <= 120:
        return {}
    exact = Product.objects.filter(sku=text)
    if " " not in text:
        named = Product.objects.alias(at=StrIndex("name", Value(text))).filter(
            Q(at__gt=0) | Q(pk__in=exact.values("pk"))
        )
    else:
        named = exact
    found = dict(named.order_by("sku").values_list("sku", "name")[:most])
    return {text: found[text]} if text in found else found
