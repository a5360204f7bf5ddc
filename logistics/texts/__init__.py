"""Understanding what carriers say: a Chinese sentence becomes our status and reason, or an honest abstention."""

from functools import lru_cache

from logistics.texts.cleaning import clean
from logistics.texts.rules import ABSTAINED, Reading, read_by_rules

__all__ = ["ABSTAINED", "Reading", "read"]


@lru_cache(maxsize=20_000)
def read(carrier_code: str, text: str) -> Reading:
    """Return what a carrier's sentence says; an empty status where it can't be told.

    `carrier_code` is ours, empty where not known. Never raises, and takes any text.
    """
    return read_by_rules(clean(text))
