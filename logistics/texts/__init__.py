"""Understanding what carriers say: a Chinese sentence becomes our status and reason, or an honest abstention."""

from functools import lru_cache

from logistics.texts.cleaning import LONGEST, clean
from logistics.texts.dialects import DIALECTS, SHOPS_ARE_STATIONS
from logistics.texts.grammar import ABSTAINED, Reading
from logistics.texts.learned import read_by_likeness
from logistics.texts.rules import read_by_rules
from logistics.texts.shapes import digest, mask_numbers, phone_numbers, place, shape

__all__ = ["ABSTAINED", "Reading", "digest", "mask_numbers", "phone_numbers", "place", "read", "shape"]


_HAVE_THEIR_OWN_WORDS = SHOPS_ARE_STATIONS | DIALECTS.keys()


def read(carrier_code: str, text: str) -> Reading:
    """Return what a carrier's sentence says; an empty status where it can't be told.

    `carrier_code` is ours, empty where not known. Never raises, and takes any text.
    """
    return _read(carrier_code if carrier_code in _HAVE_THEIR_OWN_WORDS else "", text[:LONGEST])


@lru_cache(maxsize=20_000)
def _read(carrier_code: str, text: str) -> Reading:
    cleaned = clean(text, shops_are_stations=carrier_code in SHOPS_ARE_STATIONS)
    reading = read_by_rules(cleaned, carrier_code)
    if reading is not None or not cleaned:
        return reading or ABSTAINED
    return read_by_likeness(cleaned)
