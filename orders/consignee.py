"""Who receives an order: one sealed value, three blind indexes, and what of it may be shown."""

import datetime as dt
import json
import unicodedata
from dataclasses import dataclass
from typing import Self

from frozenshop.kernel import clock, crypto
from orders import phones


@dataclass(frozen=True, slots=True)
class Consignee:
    """`phone` is in the form of `phones.normalise`."""

    name: str
    phone: str
    province: str
    city: str
    district: str
    address: str

    def seal(self, order_no: str) -> str:
        """Return the sealed form, which opens only for this order."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return crypto.seal(json.dumps(told, ensure_ascii=False), purpose=_purpose(order_no))

    @classmethod
    def open(cls, sealed: str, order_no: str) -> Self:
        """Open what `seal` made. Raises SealBroken."""
        return cls(**json.loads(crypto.open_sealed(sealed, purpose=_purpose(order_no))))

    @property
    def region(self) -> str:
        """上海市浦东新区, not 上海市上海市浦东新区."""
        province = "" if self.city.startswith(self.province) else self.province
        return f"{province}{self.city}{self.district}"

    def in_full(self) -> dict[str, str]:
        """Return what only they may see who have the right, on record: `{"name", "phone", "address"}`."""
        return {"name": self.name, "phone": self.phone, "address": f"{self.region}{self.address}"}

    def masked(self) -> dict[str, str]:
        """Return what may be shown: `{"name", "phone", "address"}`."""
        return {"name": mask_name(self.name), "phone": mask_phone(self.phone), "address": mask_address(self)}


@dataclass(frozen=True, slots=True)
class Indexes:
    """The blind indexes of a consignee, named as the order's columns."""

    phone_index: str
    name_index: str
    tail_index: str


def indexes(consignee: Consignee, placed_at: dt.datetime) -> Indexes:
    """Return the indexes by which staff find the order."""
    return Indexes(
        phone_index=crypto.blind_index(consignee.phone, purpose="phone"),
        name_index=crypto.blind_index(name_key(consignee.name), purpose="name"),
        tail_index=crypto.blind_index(tail_key(placed_at, phones.tail(consignee.phone)), purpose="tail"),
    )


def name_key(name: str) -> str:
    """Return the form of a name that is indexed and searched."""
    return unicodedata.normalize("NFKC", name).strip()


def tail_key(instant: dt.datetime, last_four: str) -> str:
    """Return `YYYY-MM|1234`, the month being Shanghai's."""
    return f"{clock.shanghai(instant):%Y-%m}|{last_four}"


def mask_name(name: str) -> str:
    """Show the family name's first character: 张三 → 张*."""
    return f"{name[0]}*" if len(name) > 1 else "*"


def mask_phone(phone: str) -> str:
    """Show the first three digits (or the region) and the last four, no extension: 138****1234."""
    number = phones.main_number(phone)
    return f"{number[: 4 if number.startswith('+') else 3]}****{number[-4:]}"


def mask_address(consignee: Consignee) -> str:
    """Show the region only: 上海市浦东新区****."""
    return f"{consignee.region}****"


def _purpose(order_no: str) -> str:
    return f"consignee:{order_no}"
