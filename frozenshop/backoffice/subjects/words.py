"""What names somebody, taken out of texts: phones however they are grouped, names, addresses, openids."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from logistics.archive.models import ArchivedOrder
from notifications import opening
from orders import phones
from orders.consignee import mask_phone
from orders.models import Order

GONE = "***"
_SHORTEST_ADDRESS, _SHORTEST_NAME = 4, 2


class Words:
    """Takes the words of one person out of a text; what is there of others stays as it is."""

    def __init__(
        self, numbers: Iterable[str], openids: Iterable[str], orders: Iterable[Order | ArchivedOrder] = ()
    ) -> None:
        found, literal = set(numbers), set(openids)
        for order in orders:
            if consignee := opening.consignee_of(order):
                found.add(consignee.phone)
                literal |= {consignee.address} if len(consignee.address) >= _SHORTEST_ADDRESS else set()
                literal |= {consignee.name} if len(consignee.name) >= _SHORTEST_NAME else set()
        numbers_masked = {mask_phone(phone) for phone in found if phone}
        patterns = [
            *map(_grouped, sorted(found - {""})),
            *map(re.escape, sorted(literal | numbers_masked, key=len)[::-1]),
        ]
        self.literal = sorted(literal)
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(GONE, text) if self._pattern else text

    def out_of(self, value: Any) -> Any:
        """Take them out of what JSON can hold."""
        text = json.dumps(value, ensure_ascii=False)
        return json.loads(clean) if (clean := self(text)) != text else value

    def in_any_form(self, body: str) -> str:
        """Take them out of a message as it came: in JSON's escapes, and as forms write them, too."""
        clean = self(body)
        for word in self.literal:
            for form in _forms(word):
                clean = clean.replace(form, GONE)
        return clean


def _forms(word: str) -> Iterator[str]:
    escaped = json.dumps(word)[1:-1]
    upper = escaped.upper().replace("\\U", "\\u")
    for one in (escaped.replace("\\", "\\\\"), escaped, upper, word):
        yield from (one, quote(one), quote(one, safe=""), quote_plus(one))


def _grouped(phone: str) -> str:
    digits = [re.escape(digit) for digit in phones.main_number(phone) if digit.isdigit()]
    between = r"(?:[\s()（）.+\-]|%20|%2D|%28|%29)*"
    return r"(?<![0-9])(?:(?:\+|00|%2B)?86[\s\-]?)?" + between.join(digits) + r"(?![0-9])"
