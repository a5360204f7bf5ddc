"""Texts about orders that higher layers keep beside the archive: they go with the term of those in it."""

from collections.abc import Callable, Collection

from django.conf import settings
from django.utils.module_loading import import_string

Forget = Callable[[Collection[str]], Collection[str]]
"""Takes order numbers, empties what was written about them, returns the numbers of those that had any."""


def forget(order_nos: Collection[str]) -> set[str]:
    """Empty, within the caller's transaction, what others wrote about these orders; return which had any."""
    had: set[str] = set()
    for name in settings.ARCHIVE_TEXTS_BESIDE:
        forgets: Forget = import_string(name)
        had |= set(forgets(order_nos))
    return had
