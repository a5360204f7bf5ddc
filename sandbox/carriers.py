"""The carrier codes that 快递鸟 knows, and which carrier a waybill looks like."""

import csv
import re
from pathlib import Path

with (Path(__file__).parent / "carriers.csv").open(encoding="utf-8") as _file:
    CARRIERS: dict[str, str] = {row["code"]: row["name"] for row in csv.DictReader(_file)}

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
