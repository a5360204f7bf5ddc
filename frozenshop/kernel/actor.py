"""Who did something: a person, a key, a carrier or the program itself."""

from dataclasses import dataclass

from django.db import models


class Source(models.TextChoices):
    """Where a fact came from (a closed list that the API publishes)."""

    BUYER = "buyer", "买家"
    STAFF = "staff", "员工"
    SHOP = "shop", "商城系统"
    CARRIER = "carrier", "承运商"
    IMPORT = "import", "导入"
    SYSTEM = "system", "系统"


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` identifies the person or key within its source, such as `staff:17` or `key:demo`."""

    source: Source
    name: str = ""


SYSTEM = Actor(Source.SYSTEM, "system")


def staff(user_id: object) -> Actor:
    """Return the member of staff with this primary key."""
    return Actor(Source.STAFF, f"staff:{user_id}")
