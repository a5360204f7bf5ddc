"""What a carrier writes about a parcel, with the consignee's own name, number and address masked.

The courier's and the station's numbers stay: the buyer must call them.
"""

import re
from collections.abc import Iterable

from frozenshop.kernel.crypto import SealBroken
from orders import phones
from orders.consignee import mask_name, mask_phone
from orders.models import Order

_ANY_NUMBER = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
_SHORTEST_ADDRESS = 4


class Mask:
    """Masks what belongs to the consignees of some orders."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self._rules: list[tuple[re.Pattern[str], str]] = []
        for order in orders:
            if order.consignee_sealed:
                self._learn(order)

    def __call__(self, text: str) -> str:
        for pattern, replacement in self._rules:
            text = pattern.sub(replacement, text)
        return text

    def _learn(self, order: Order) -> None:
        try:
            consignee = order.open_consignee()
        except SealBroken:  # Whose number it is can't be told any more: then no number is shown.
            self._rules.append((_ANY_NUMBER, "***********"))
            return
        if consignee.phone:
            number, local = phones.main_number(consignee.phone), phones.local_number(consignee.phone)
            self._rules.append((_spaced(number), mask_phone(consignee.phone)))
            if local != number:
                self._rules.append((_alone(local), f"****{local[-4:]}"))
        if len(consignee.address) >= _SHORTEST_ADDRESS:
            self._rules.append((re.compile(re.escape(consignee.address)), "****"))
        if len(consignee.name) > 1:
            self._rules.append((re.compile(re.escape(consignee.name)), mask_name(consignee.name)))


def of_waybill(waybill_no: str) -> Mask:
    """Return what masks the consignees of a parcel: those whom a provider may quote when it speaks of it."""
    return Mask(Order.objects.filter(shipments__waybill_no=waybill_no).distinct() if waybill_no else ())


def _spaced(number: str) -> re.Pattern[str]:
    """Match a number however its digits are grouped."""
    digits = [re.escape(digit) for digit in number if digit.isdigit()]
    return re.compile(r"[\s()（）-]*".join(digits))


def _alone(number: str) -> re.Pattern[str]:
    """Match a number that is no part of a longer one."""
    return re.compile(rf"(?<![0-9]){_spaced(number).pattern}(?![0-9])")
