"""The carriers that parcels may travel with, what each service calls them, and which one a waybill looks like."""

import csv
import re
from pathlib import Path

SERVICES_WITH_CODES = ("kdniao", "kuaidi100", "cainiao")

with (Path(__file__).parent / "carriers.csv").open(encoding="utf-8") as _file:
    _ROWS = list(csv.DictReader(_file))

CARRIERS: dict[str, str] = {row["code"]: row["name"] for row in _ROWS}
CODES: dict[str, dict[str, str]] = {
    service: {row["code"]: row[service] for row in _ROWS if row[service]} for service in SERVICES_WITH_CODES
}
NAMES: dict[str, dict[str, str]] = {
    service: {codes[row["code"]]: row["name"] for row in reversed(_ROWS) if row["code"] in codes}
    for service, codes in CODES.items()
}

NEED_PHONE_TAIL = frozenset({"SF", "ZTO", "KYSY"})
SHAPES = (
    (r"SF\d{12,13}", "SF"),
    (r"YT\d{13}", "YTO"),
    (r"JD[A-Z]?[A-Z0-9]{11,}", "JD"),
    (r"JT\d{13}", "JTSD"),
    (r"DPK\d{12}", "DBL"),
    (r"7[35678]\d{12}", "ZTO"),
    (r"77\d{13}", "STO"),
    (r"4\d{14}", "YD"),
)


def recognise(waybill_no: str) -> list[str]:
    """Return likely carrier codes by the shape of the number, most likely first."""
    return [code for shape, code in SHAPES if re.fullmatch(shape, waybill_no)]
