"""A cell that no spreadsheet program runs as a formula."""

import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Blanks and controls, which may stand in front of a formula."""


def safe_cell(text: str) -> str:
    """Return a cell that is read as text: what begins like a formula, in any width, gets an apostrophe."""
    first = next((mark for mark in text if unicodedata.category(mark) not in UNSEEN), "")
    formula = unicodedata.normalize("NFKC", first)[:1] in ("=", "+", "-", "@") if first else False
    return f"'{text}" if formula or text[:1] in ("\t", "\r", "\n") else text
