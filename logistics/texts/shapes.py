"""What a sentence has in common with others of its kind, where it says the parcel is, and whom to call."""

import hashlib
import re
import unicodedata

from logistics.places import CITIES, NEIGHBOURS
from logistics.texts.cleaning import LOCKER, LONGEST, NUMBER, STATION, clean, mark

MAX_SHAPE = 300
_DIGITS = re.compile(r"[0-9]+(?:[-:.][0-9]+)*")
_TOWNS = sorted({town for towns in CITIES.values() for town in towns.split()} | set(NEIGHBOURS), key=len, reverse=True)
_PLACE = re.compile(rf"(?:(?:{'|'.join(_TOWNS)})(?:特别行政区|自治区|省|市)?)+(?:[一-鿿]{{1,4}}?[区县])?")
_BRACKETED = re.compile(r"[【\[]\s*([^【】\[\]]{2,60}?)\s*[】\]]")
_NEXT = re.compile(
    r"(?:发往|下一站(?:是)?|前往|运往|开往|目的地[::]?|上一站(?:是)?|送往|扫描员是?" r"|签收人(?:是)?|网点是?)\s*$"
)


def shape(text: str) -> str:
    """Return the sentence without names, numbers and places: what all of its kind have in common."""
    bare = _PLACE.sub("〔地〕", clean(text)) or _PLACE.sub("〔地〕", mask_numbers(text))
    return _DIGITS.sub("#", bare)[:MAX_SHAPE]


def digest(shape_: str) -> str:
    return hashlib.sha256(shape_.encode("utf-8", "replace")).hexdigest()


def place(text: str) -> str:
    """Return where the parcel is by its own sentence: a station or a locker in brackets, else a town; else nothing."""
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    town = ""
    for match in _BRACKETED.finditer(text):
        name = match[1].strip()
        if _NEXT.search(text[: match.start()]) or NUMBER.search(name) or mark(name) not in (STATION, LOCKER):
            continue
        if not _PLACE.fullmatch(name):
            return name
        town = town or name
    plain = _BRACKETED.sub("", text)
    return town or next((m[0] for m in _PLACE.finditer(plain) if not _NEXT.search(plain[: m.start()])), "")


def phone_numbers(text: str) -> list[str]:
    """Return the numbers that a sentence names: the courier's, the station's, the hotline."""
    return [match[0] for match in NUMBER.finditer(unicodedata.normalize("NFKC", text[:LONGEST]))]


def mask_numbers(text: str) -> str:
    """Return the sentence with every telephone number masked but for its last two digits, for lists and samples."""
    return NUMBER.sub(lambda match: "*" * (len(match[0]) - 2) + match[0][-2:], unicodedata.normalize("NFKC", text))
