"""Which carriers a waybill number can be of, by its look: only what is beyond doubt, since every number range moves.

Source: the carriers' own waybills as they were printed in 2025–2026; a shape without letters is nobody's for sure.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_SHAPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        r"SF[0-9]{12,13}": frozenset({"SF", "SHUNFENGLENGYUN", "SHUNFENGKUAIYUN"}),
        r"YT[0-9]{13}": frozenset({"YTO"}),
        r"JT[0-9]{13}": frozenset({"JTSD"}),
        r"JD[A-Z]{0,2}[0-9]{10,13}": frozenset({"JD", "JDKY", "JDLL"}),
        r"DPK[0-9]{12}": frozenset({"DBL", "DBLKY"}),
        r"KY[0-9]{13}": frozenset({"KYSY"}),
        r"ZTO[0-9]{9,12}": frozenset({"ZTO", "ZTOKY", "ZTOCC"}),
        r"E[A-Z][0-9]{9}CN": frozenset({"EMS", "YZPY"}),
    }
)


def carriers_of(waybill_no: str) -> frozenset[str]:
    """Return the codes of the carriers that print such numbers; empty where it may be anybody's."""
    number = waybill_no.upper()
    return next((codes for shape, codes in _SHAPES.items() if re.fullmatch(shape, number)), frozenset())


def fits(waybill_no: str, carrier_code: str) -> bool:
    """Say whether a number can be of a carrier, as far as its look tells."""
    codes = carriers_of(waybill_no)
    return not codes or carrier_code in codes
