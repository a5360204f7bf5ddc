"""Understanding what carriers say: a Chinese sentence becomes our status and reason, or an honest abstention."""

from functools import lru_cache

from logistics.texts.cleaning import LONGEST, clean
from logistics.texts.learned import read_by_likeness
from logistics.texts.rules import ABSTAINED, Reading, read_by_rules
from logistics.texts.shapes import digest, mask_numbers, phone_numbers, place, shape

__all__ = ["ABSTAINED", "Reading", "digest", "mask_numbers", "phone_numbers", "place", "read", "shape"]


def read(carrier_code: str, text: str) -> Reading:
    """Return what a carrier's sentence says; an empty status where it can't be told.

    `carrier_code` is ours, empty where not known: so far the carriers' wordings do not contradict each other.
    Never raises, and takes any text.
    """
    return _read(text[:LONGEST])


@lru_cache(maxsize=20_000)
def _read(text: str) -> Reading:
    cleaned = clean(text)
    reading = read_by_rules(cleaned)
    return reading if reading.status or not cleaned else read_by_likeness(cleaned)
