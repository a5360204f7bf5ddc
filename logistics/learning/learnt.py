"""The newest fitted tables, read once in a while by each process."""

import time

from logistics.models import TransitModel

FRESH_SECONDS = 300.0

_known: tuple[float, TransitModel | None] | None = None


def current() -> TransitModel | None:
    """Return the active model, at most five minutes old; None while nothing is learnt."""
    global _known
    if _known is None or time.monotonic() - _known[0] > FRESH_SECONDS:
        _known = time.monotonic(), TransitModel.objects.filter(active=True).order_by("-id").first()
    return _known[1]


def forget() -> None:
    """Read the row again at the next question."""
    global _known
    _known = None
