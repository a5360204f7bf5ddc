"""When a message is tried again: fifteen attempts over about 98 hours."""

import datetime as dt
import random

_S, _M, _H = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
WAITS = (5 * _S, 30 * _S, 2 * _M, 10 * _M, 30 * _M, *(hours * _H for hours in (1, 2, 4, 8, 8, 12, 12, 24, 26)))
ATTEMPTS = len(WAITS) + 1
JITTER = 0.1
"""Within a tenth: a whole random wait would halve the time that an endpoint has to come back."""


def wait_after(attempt: int, retry_after: dt.timedelta | None = None) -> dt.timedelta | None:
    """Return how long to wait after this many attempts, never less than the endpoint asks for; None: no more."""
    if attempt >= ATTEMPTS:
        return None
    wait = WAITS[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return max(wait, retry_after or wait)
